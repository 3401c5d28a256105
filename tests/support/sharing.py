"""Folders that are made once in a session, by whichever worker asks first, and read by all."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def shared_folder(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Path:
    """The folder of this name, which ``build`` filled. Read only: a test that changes it takes ``copied``."""
    base = factory.getbasetemp()
    base = base.parent if base.name.startswith("popen-") else base
    folder = base / name
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (base / f"{name}.done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            build(folder)
            (base / f"{name}.done").touch()
    return folder


def copied(folder: Path, place: Path) -> Path:
    """A copy of a shared folder, to be changed."""
    shutil.copytree(folder, place, symlinks=True, dirs_exist_ok=True)
    return place
