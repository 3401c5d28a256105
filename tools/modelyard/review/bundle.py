"""The untrusted bundle: files of a job that ran a model's code, in a folder or in zip archives there."""

from __future__ import annotations

import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from modelyard.candidate.workspace import COPIES, IMPORTS, KINDS, RUN
from modelyard.errors import ModelyardError
from modelyard.manifests.names import is_name

FILE_LIMIT = 10_000_000
TOTAL_LIMIT = 50_000_000
_ENTRIES = 5_000
GENERATED_FOLDER = "generated"
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, EOFError, OSError, ValueError, IndexError)
"""Errors of zipfile for archives that are broken or made to break a reader; NotImplementedError is a RuntimeError."""
_EVIDENCE = {f"{kind}.json": kind for kind in KINDS if kind != "verdict"}
_OF_MAIN = "reproduction"
"""What only main's own runs may say."""
_Place = tuple[str, Literal["evidence", "generated", "runs", "pointers"], str]
"""Model, field of the bundle, key in it."""


@dataclass
class UntrustedBundle:
    """The evidence and the generated files of each model, and sentences about refused files."""

    evidence: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Model → kind → document. Verdicts are not read: the trusted job judges again."""
    generated: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Model → file name → content."""
    runs: dict[str, bytes] = field(default_factory=dict)
    """Model → what a retraining says of itself."""
    pointers: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Model → path of a data import's pointer, from the repository's root → content."""
    refused: list[str] = field(default_factory=list)


def read_untrusted(
    folder: Path, *, of_main: bool = False, under: str = "", retrained: Mapping[str, Collection[str]] | None = None
) -> UntrustedBundle:
    """The bundle in a folder. Only known names with a limited size are read; a missing folder is an empty bundle.

    ``of_main``: a job of the default branch wrote it, so what only such a job may say is read too.
    ``under``: only names that begin with it are read, without it.
    ``retrained``: a retraining of these models wrote it, and the pointers are those of their data imports: of them the
    retraining's record and those pointers are read too, and of other models nothing.

    No link is followed, no path is taken from an archive, nothing is written to disk. ModelyardError when the files
    have more than TOTAL_LIMIT bytes together, or when there are too many.
    """
    untrusted, total = UntrustedBundle(), 0
    for name, size, read in _entries(folder, untrusted.refused, retrained):
        place = _place(name.removeprefix(under), retrained) if name.startswith(under) else None
        if place is None or (place[2] == _OF_MAIN and not of_main):
            continue
        if size > FILE_LIMIT:
            untrusted.refused.append(f"{_shown(name)} has {size:,} bytes (limit {FILE_LIMIT:,})")
            continue
        content = read(FILE_LIMIT + 1)
        if content is None:
            untrusted.refused.append(f"{_shown(name)} cannot be read")
            continue
        total += len(content)
        if total > TOTAL_LIMIT:
            raise ModelyardError(
                f"The untrusted bundle has more than {TOTAL_LIMIT:,} bytes, so it is not read.",
                "Look at the run that wrote it.",
            )
        if len(content) > FILE_LIMIT:  # the directory of an archive can give wrong sizes
            untrusted.refused.append(f"{_shown(name)} is larger than its archive says")
            continue
        model, part, key = place
        if part == "runs":
            untrusted.runs[model] = content
        else:
            found: dict[str, dict[str, bytes]] = getattr(untrusted, part)
            found.setdefault(model, {})[key] = content
    return untrusted


class _Reader:
    """Reads at most ``limit`` bytes of one file or archive member; None when it cannot be read."""

    def __init__(self, path: Path, archive: zipfile.ZipFile | None = None, member: str = "") -> None:
        self._path, self._archive, self._member = path, archive, member

    def __call__(self, limit: int) -> bytes | None:
        try:
            if self._archive is None:
                descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW)
                with os.fdopen(descriptor, "rb") as file:
                    return file.read(limit)
            with self._archive.open(self._member) as file:
                return file.read(limit)
        except _BROKEN:
            return None


def _entries(
    folder: Path, refused: list[str], only: Collection[str] | None = None
) -> Iterator[tuple[str, int, _Reader]]:
    count = 0
    for base, folders, files in os.walk(folder, followlinks=False):
        if only is not None and base == str(folder):  # what others left does not count against the limits
            folders[:] = [name for name in folders if name in only]
        folders.sort()
        for file in sorted(files):
            path = Path(base, file)
            status = path.lstat()
            name = path.relative_to(folder).as_posix()
            count += 1
            if count > _ENTRIES:
                raise ModelyardError(
                    f"The untrusted bundle has more than {_ENTRIES:,} files, so it is not read.",
                    "Look at the run that wrote it.",
                )
            if not stat.S_ISREG(status.st_mode):
                refused.append(f"{_shown(name)} is not a regular file")
            elif file.endswith(".zip"):
                yield from _archived(path, refused)
            else:
                yield name, status.st_size, _Reader(path)


def _archived(path: Path, refused: list[str]) -> Iterator[tuple[str, int, _Reader]]:
    if path.stat().st_size > TOTAL_LIMIT:
        refused.append(f"{_shown(path.name)} has more than {TOTAL_LIMIT:,} bytes")
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > _ENTRIES:
                refused.append(f"{_shown(path.name)} has more than {_ENTRIES:,} members")
                return
            for member in members:
                if member.is_dir():
                    continue
                if stat.S_ISLNK(member.external_attr >> 16):
                    refused.append(f"{_shown(member.filename)} is a link")
                    continue
                yield member.filename, member.file_size, _Reader(path, archive, member.filename)
    except _BROKEN:
        refused.append(f"{_shown(path.name)} is not a valid zip archive")


def _place(name: str, retrained: Mapping[str, Collection[str]] | None = None) -> _Place | None:
    """Where the content of a known name belongs; None for every other name, such as '..' and absolute paths."""
    parts = PurePosixPath(name).parts
    if "\\" in name or len(parts) < 2 or not is_name(parts[0]):
        return None
    model = parts[0]
    if retrained is not None:
        if model not in retrained:
            return None
        if name == f"{model}/{RUN}":
            return model, "runs", RUN
        before, _, pointer = name.partition(f"/{IMPORTS}/")
        if before == model and pointer in retrained[model]:
            return model, "pointers", pointer
    if len(parts) == 2 and parts[1] in _EVIDENCE:
        return model, "evidence", _EVIDENCE[parts[1]]
    if len(parts) == 3 and parts[1] == GENERATED_FOLDER and parts[2] in COPIES:
        return model, "generated", parts[2]
    return None


def _shown(name: str) -> str:
    return repr(name[:80])
