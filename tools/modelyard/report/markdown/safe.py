"""Untrusted text, escaped for Markdown on GitHub and GitLab."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from modelyard.documents import visible

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$])")
_TEXT_LIMIT = 400
_ADDRESS = r"https://[\w./:@%~-]+"
_JOINERS = "\u200d\ufe0f"
_TAG = re.compile(r"<(?=[!/a-zA-Z])")


def text(value: str, limit: int = _TEXT_LIMIT) -> str:
    """One line of at most ``limit`` characters without markup, HTML, mentions, links to issues, and commands."""
    line = shortened(visible(" ".join(value.split())), limit)
    line = _SPECIAL.sub(r"\\\1", line)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A zero-width space after @ prevents a mention; in a scheme or after www it prevents a link.
    line = re.sub(r"@(?=\w)", "@\u200b", line).replace("://", ":\u200b//")
    line = re.sub(r"(?i)\bwww\.", "www\u200b.", line)
    # GitLab's quick actions and our comment commands are lines that begin with a slash.
    return re.sub(r"^(?=[/:-])", "\u200b", line)


def code(value: str, limit: int = _TEXT_LIMIT) -> str:
    """Untrusted text as inline code, also in a table. Backticks become apostrophes, for nothing can escape them."""
    line = shortened(visible(" ".join(value.split())).replace("`", "'"), limit)
    return f"`{_no_tag(line)}`".replace("|", "\\|") if line else "–"


def spans(value: str, limit: int = _TEXT_LIMIT) -> str:
    """A sentence whose names are in backticks: they become inline code, all else is escaped."""
    parts = re.split(r"`([^`]*)`", shortened(" ".join(value.split()), limit))
    return "".join(code(part) if i % 2 else between(part) for i, part in enumerate(parts))


def code_line(value: str) -> str:
    """Untrusted text as one line of a fenced block, which it cannot end. Its indentation stays."""
    return _no_tag(visible(" ".join(value.splitlines())).replace("`", "'"))


def code_block(lines: Sequence[str]) -> list[str]:
    """Untrusted lines as a fenced block; nothing for none. Each begins with a space, so it is no line of ours."""
    return ["```", *(f" {code_line(line)}" for line in lines), "```"] if lines else []


def between(value: str, limit: int = _TEXT_LIMIT) -> str:
    """Untrusted text between two other parts of a line, with the spaces at its ends."""
    plain = value.strip()
    if not plain:
        return " " if value else ""
    start = value.index(plain)
    return f"{value[:start] and ' '}{text(plain, limit)}{value[start + len(plain) :] and ' '}"


def shortened(value: str, limit: int) -> str:
    """At most ``limit`` characters. A character of several code points is kept whole or left out."""
    if len(value) <= limit:
        return value
    end = limit - 1
    while end > 0 and (
        unicodedata.combining(value[end]) or value[end] in _JOINERS or value[end - 1] == "\u200d"
    ):  # fmt: skip
        end -= 1
    return value[:end] + "…"


def is_address(value: str) -> bool:
    """Whether a value is an https address that Markdown can link to without escapes."""
    return re.fullmatch(_ADDRESS, value) is not None


def node(value: str) -> str:
    """Untrusted text as a label in a mermaid diagram."""
    return shortened(re.sub(r"[^\w ./:-]", "", value), 80)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A pipe table. The cells are escaped already."""
    lines = [f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
    return lines + [f"| {' | '.join(cells)} |" for cells in rows]


def fold(title: str, lines: Sequence[str]) -> list[str]:
    """A folded section; no lines if ``lines`` is empty."""
    if not lines:
        return []
    return [f"<details><summary>{title}</summary>", "", *lines, "", "</details>"]


def _no_tag(value: str) -> str:
    """Text in code, where ``<`` needs no escape, without anything that a program could take for a tag of ours."""
    return _TAG.sub("<\u200b", value)
