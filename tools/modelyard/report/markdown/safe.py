"""Text from anywhere, made harmless for Markdown that GitHub and GitLab render."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$])")
_TEXT_LIMIT = 400
_JOINERS = "\u200d\ufe0f"


def text(value: str, limit: int = _TEXT_LIMIT) -> str:
    """No markup, no HTML, no mention, no issue link, no command, no second line, no endless name."""
    line = shortened(" ".join(value.split()), limit)
    line = _SPECIAL.sub(r"\\\1", line)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A zero-width space after @ keeps it from calling people; a scheme or a www. broken so is not linked.
    line = re.sub(r"@(?=\w)", "@\u200b", line).replace("://", ":\u200b//")
    line = re.sub(r"(?i)\bwww\.", "www\u200b.", line)
    # GitLab's quick actions and our own commands begin with a slash at the line's start.
    return re.sub(r"^(?=[/:-])", "\u200b", line)


def shortened(value: str, limit: int) -> str:
    """At most ``limit`` characters, never cut inside one that is made of several code points."""
    if len(value) <= limit:
        return value
    end = limit - 1
    while end > 0 and (
        unicodedata.combining(value[end]) or value[end] in _JOINERS or value[end - 1] == "\u200d"
    ):  # fmt: skip
        end -= 1
    return value[:end] + "…"


def node(value: str) -> str:
    """The same for a label in a mermaid diagram."""
    return shortened(re.sub(r"[^\w ./:-]", "", value), 80)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A pipe table of cells that are safe already."""
    lines = [f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
    return lines + [f"| {' | '.join(cells)} |" for cells in rows]


def fold(title: str, lines: Sequence[str]) -> list[str]:
    """A folded section; nothing for nothing."""
    if not lines:
        return []
    return [f"<details><summary>{title}</summary>", "", *lines, "", "</details>"]
