"""The entries of the ``artifacts:`` section in the root's dvc.yaml, added and removed as text: comments stay."""

from __future__ import annotations

import re
from typing import Any

from modelyard.manifests.document import ManifestErrors, parse_document
from modelyard.setup.model_folder import flow

FILE = "dvc.yaml"
_SECTION = re.compile(r"^artifacts:[ \t]*(\{\})?[ \t]*(#.*)?$", re.MULTILINE)


def with_artifact(content: bytes, name: str, path: str, description: str) -> bytes | None:
    """The file with one entry more; None where it has no such section, or one that cannot be changed as text."""
    text = content.decode("utf-8")
    found = _SECTION.search(text)
    before = _parsed(content)
    if found is None or before is None:
        return None
    entries = before.get("artifacts") or {}
    indent = _indent(text[found.end() :]) if entries else "  "
    entry = f"{indent}{flow(name)}:\n"
    for key, value in (("path", path), ("type", "model"), ("desc", description)):
        entry += f"{indent}  {key}: {flow(value)}\n"
    rest = text[found.end() :].removeprefix("\n")
    changed = f"{text[: found.start()]}artifacts:{'' if not found[2] else f' {found[2]}'}\n{entry}{rest}".encode()
    wanted = {"path": path, "type": "model", "desc": description}
    return changed if _parsed(changed) == before | {"artifacts": {**entries, name: wanted}} else None


def without_artifact(content: bytes, name: str) -> bytes | None:
    """The file without an entry; None where it has none, or one that cannot be removed as text."""
    before = _parsed(content)
    entries = (before or {}).get("artifacts") or {}
    if before is None or not isinstance(entries, dict) or name not in entries:
        return None
    lines = content.decode("utf-8").splitlines(keepends=True)
    document = parse_document(content, FILE, aliases=True)
    first = document.line(("artifacts", name)) - 1
    depth = len(lines[first]) - len(lines[first].lstrip())
    end = first + 1
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > depth):
        end += 1
    rest = {key: value for key, value in entries.items() if key != name}
    kept = [*lines[:first], *lines[end:]]
    if not rest:
        kept = [_SECTION.sub("artifacts: {}", line) if _SECTION.match(line) else line for line in kept]
    changed = "".join(kept).encode()
    return changed if _parsed(changed) == before | {"artifacts": rest} else None


def _indent(text: str) -> str:
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            return line[: len(line) - len(line.lstrip())]
    return "  "


def _parsed(content: bytes) -> dict[str, Any] | None:
    try:
        found = parse_document(content, FILE, aliases=True).value
    except ManifestErrors:
        return None
    return found if isinstance(found, dict) else None
