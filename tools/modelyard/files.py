"""Atomic writes of files, and their digests."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from modelyard.errors import ModelyardError

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{8}", re.DOTALL)
_OLD_SECONDS = 3600.0


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file atomically: to a temporary file in the same folder, then by rename.

    Creates missing folders, and removes what killed runs left of the same file. ModelyardError when it cannot be
    written.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise ModelyardError(
            f"{path} cannot be written: {error.strerror}.",
            "Free space or grant write permission, then repeat.",
        ) from error
    with contextlib.suppress(OSError):
        for left in _left_of(path.parent).get(path.name, ()):
            left.unlink(missing_ok=True)


@contextlib.contextmanager
def restored_unless_done(paths: Iterable[Path]) -> Iterator[None]:
    """Gives files their content of the beginning again when the block ends by an exception, also by Ctrl-C."""
    before = {path: path.read_bytes() if path.is_file() else None for path in paths}
    try:
        yield
    except BaseException:
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            elif not path.is_file() or path.read_bytes() != content:
                write_whole(path, content)
        raise


def small_files(root: Path, most: int = 1_000_000) -> Callable[[str], bytes | None]:
    """A function from a path below ``root`` to the file's content; None where there is none, or more than ``most``."""

    def read(path: str) -> bytes | None:
        place = root / path
        inside = not path.startswith(("/", "../"))
        return place.read_bytes() if inside and place.is_file() and place.stat().st_size <= most else None

    return read


def md5_of(path: Path) -> str:
    """The md5 of a file, in hexadecimal, by which DVC names it."""
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal; ModelyardError when it cannot be read."""
    import hashlib

    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelyardError(f"{path} cannot be read: {error.strerror}.", "Run: modelyard retrain MODEL") from error


@cache
def _left_of(folder: Path) -> dict[str, list[Path]]:
    """File name → old temporary files of it in a folder. A folder is listed once a process, for it may be large."""
    found: dict[str, list[Path]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            name = _TEMPORARY.fullmatch(entry.name)
            if name and entry.is_file(follow_symlinks=False) and time.time() - entry.stat().st_mtime > _OLD_SECONDS:
                found.setdefault(name[1], []).append(Path(entry.path))
    return found
