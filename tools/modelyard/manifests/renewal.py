"""The renewal of a data import: its ``.dvc`` pointer, to the same source and path, with newer content."""

from __future__ import annotations

import re
from typing import Any

import yaml

from modelyard.errors import ModelyardError
from modelyard.manifests.document import ManifestErrors, parse_document

_MOST = 10**15
"""Bytes or files: more than any store has."""
_DIGEST = re.compile(r"[0-9a-f]{32,128}(\.dir)?")
_TOKEN = re.compile(r"[\x21-\x7e]{1,200}")
_DIGESTS = ("md5", "rev_lock")
_TOKENS = ("etag", "checksum", "version_id")
_NUMBERS = ("size", "nfiles", "mtime")
_OF_CONTENT = frozenset((*_DIGESTS, *_TOKENS, *_NUMBERS))
"""Fields that say which content a source had. All others say where it is, and what DVC does with it."""
_HASH = ("hash", "md5")
"""What DVC 3 adds to a pointer that an older one wrote."""
_NUMBER = re.compile(r"[-+.]?[0-9][-+.0-9_eE]*")


class _Dumper(yaml.SafeDumper):
    """Quotes digests that YAML 1.2, which DVC reads, takes for numbers, such as ``12e34``."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """The node of a text."""
        style = "'" if _NUMBER.fullmatch(data) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


def renewed(before: bytes, after: bytes, file: str) -> bytes:
    """The pointer ``before`` with the content that ``after`` names, written anew: nothing else of ``after`` is used.

    ModelyardError when ``after`` is no pointer, differs in anything but its content (digests, sizes, revisions), or has
    content that cannot be: another url, path, repository or remote is a change that a person makes.
    """
    try:
        old = parse_document(before, file, aliases=True).value
        new = parse_document(after, file).value
    except ManifestErrors as error:
        raise _refused(file, f"cannot be read: {error.problem}") from error
    _require_same(old, new, file, "")
    if old == new:
        return before
    return yaml.dump(new, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000).encode()


def _require_same(old: Any, new: Any, file: str, field: str) -> None:
    """ModelyardError for another difference than one of content, at any depth."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            place = f"{field}.{key}" if field else str(key)
            if key in _OF_CONTENT and old.get(key) != new.get(key):
                if key not in new and key in _DIGESTS:
                    raise _refused(file, f"lacks {place[:80]}")
                if key in new and not _possible(key, new[key]):
                    raise _refused(file, f"has a {place[:80]} that cannot be")
            elif key in old and key in new:
                _require_same(old[key], new[key], file, place)
            elif key in old or (key, new[key]) != _HASH:
                raise _refused(file, f"{'lacks' if key in old else 'has another'} {place[:80]}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (one, other) in enumerate(zip(old, new, strict=True)):
            _require_same(one, other, file, f"{field}[{i}]")
    elif type(old) is not type(new) or old != new:
        raise _refused(file, f"has another {field[:80] or 'form'}")


def _possible(key: str, value: Any) -> bool:
    if key in _NUMBERS:
        kinds = int | float if key == "mtime" else int
        return isinstance(value, kinds) and not isinstance(value, bool) and 0 <= value <= _MOST
    if key in _DIGESTS:
        return isinstance(value, str) and _DIGEST.fullmatch(value) is not None
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _refused(file: str, what: str) -> ModelyardError:
    return ModelyardError(
        f"The pointer {file} of the untrusted bundle {what}.",
        "Only its content may be newer. Make another change of an import in a pull request of your own.",
    )
