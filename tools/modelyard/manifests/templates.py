"""The ``${name}`` of a ``dvc.yaml``, filled as DVC fills it.

A name that this reading cannot fill is UNKNOWN, never a guess: DVC may know it, and then any path may stand there.
"""

from __future__ import annotations

import itertools
import json
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from modelyard.manifests.document import ManifestErrors, parse_document

OpenFile = Callable[[str], bytes | None]
"""The content of a file, by its path from the repository's root; None when it does not exist."""
Values = Mapping[str, Any]

UNKNOWN = object()
"""The value of a name that cannot be filled."""
_TEMPLATE = re.compile(r"(?<!\\)\$\{(.*?)\}", re.DOTALL)
# YAML 1.2 knows more spellings of numbers and times than our manifests allow, and DVC writes those in another way.
_OTHER_TYPE = re.compile(r"[-+]?[.0-9]")
_DAY = re.compile(r"\d{4}-\d\d(-\d\d)?\Z")
_MOST_ITEMS = 1000


def has_template(value: Any) -> bool:
    """Whether any text of a value, or of its keys, has a template."""
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, dict):
        return any(has_template(key) or has_template(inner) for key, inner in value.items())
    return isinstance(value, list) and any(has_template(inner) for inner in value)


def filled(text: str, values: Values) -> str | None:
    """A text with every template filled; None when one is unknown."""
    parts = []
    at = 0
    for found in _TEMPLATE.finditer(text):
        shown = _shown(_select(found.group(1), values))
        if shown is None:
            return None
        parts += [text[at : found.start()], shown]
        at = found.end()
    return "".join([*parts, text[at:]]).replace("\\${", "${")


def variable_files(entries: Any, base: str) -> list[str]:
    """The files that a section ``vars`` names, as paths from the repository's root; ``base`` is their folder."""
    names = [entry.partition(":")[0] for entry in _items(entries) if isinstance(entry, str)]
    return [posixpath.normpath(posixpath.join(base, name)) for name in names]


def variables(entries: Any, base: str, read: OpenFile, known: Values | None = None) -> Values:
    """The values of a section ``vars``, added to those that are ``known``; a file that is not read adds nothing."""
    values: dict[str, Any] = dict(known or {})
    for file in variable_files(entries, base):
        values = _joined(values, file_values(file, read))
    for entry in _items(entries):
        if isinstance(entry, dict):
            values = _joined(values, entry)
    return values


def file_values(file: str, read: OpenFile) -> dict[str, Any]:
    """The values of a YAML, JSON or TOML file; an empty mapping for any other file and for an invalid one."""
    content = None if file.endswith(".py") else read(file)
    try:
        if content is None:
            return {}
        if file.endswith(".toml"):
            import tomllib

            return tomllib.loads(content.decode())
        value = json.loads(content) if file.endswith(".json") else parse_document(content, file, aliases=True).value
    except (ValueError, RecursionError, ManifestErrors):
        return {}
    return value if isinstance(value, dict) else {}


def iterations(stage: Mapping[str, Any], values: Values) -> Iterator[Values]:
    """The values of each stage that ``foreach`` or ``matrix`` makes; those given, for a plain stage."""
    if "foreach" in stage:
        items = _resolved(stage["foreach"], values)
        if isinstance(items, dict) and len(items) <= _MOST_ITEMS:
            yield from ({**values, "key": key, "item": item} for key, item in items.items())
        elif isinstance(items, list) and len(items) <= _MOST_ITEMS:
            yield from ({**values, "key": UNKNOWN, "item": item} for item in items)
        else:
            yield {**values, "key": UNKNOWN, "item": UNKNOWN}
    elif "matrix" in stage:
        axes = _resolved(stage["matrix"], values)
        lists: list[Any] = list(axes.values()) if isinstance(axes, dict) else [UNKNOWN]
        count = 1
        for axis in lists:
            count *= len(axis) if isinstance(axis, list) else _MOST_ITEMS + 1
        if count > _MOST_ITEMS:
            yield {**values, "key": UNKNOWN, "item": UNKNOWN}
        else:
            for chosen in itertools.product(*lists):
                yield {**values, "key": UNKNOWN, "item": dict(zip(axes, chosen, strict=True))}
    else:
        yield values


def _resolved(value: Any, values: Values) -> Any:
    """A value with its templates filled; UNKNOWN in the place of each that cannot be."""
    if isinstance(value, str):
        whole = _TEMPLATE.fullmatch(value)
        if whole:
            return _select(whole.group(1), values)
        text = filled(value, values)
        return UNKNOWN if text is None else text
    if isinstance(value, dict):
        return {key: _resolved(inner, values) for key, inner in value.items()}
    return [_resolved(inner, values) for inner in value] if isinstance(value, list) else value


def _select(name: str, values: Values) -> Any:
    value: Any = values
    for part in name.strip().replace("[", ".").replace("]", "").split("."):
        if isinstance(value, Mapping):
            value = value.get(part, UNKNOWN)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return UNKNOWN
    return value


def _shown(value: Any) -> str | None:
    """A value as DVC writes it into a path; None when that is not sure."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return None if _OTHER_TYPE.match(value) and not _DAY.match(value) and not value.startswith(".") else value
    return str(value) if isinstance(value, int) else None


def _joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(one)
    for key, value in other.items():
        before = found.get(key)
        found[key] = _joined(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return found


def _items(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
