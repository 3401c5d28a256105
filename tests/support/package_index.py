"""A package index of a test: the toolkit's own wheel, and the packages of requirement files, in a folder."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from support.yard import IDENTITY

ROOT = Path(__file__).parents[2]


def said(*command: str, cwd: Path = ROOT, environment: dict[str, str] | None = None) -> str:
    """What a command prints; fails the test when it ends otherwise than with 0."""
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | IDENTITY | (environment or {}), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def add_toolkit(index: Path, source: Path = ROOT) -> None:
    """Builds the wheel of a checkout of the toolkit into the index."""
    said(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(index), cwd=source)
    _list(index)


def add_packages(index: Path, python: Path, files: Sequence[Path], *options: str) -> None:
    """Downloads the packages of requirement files into the index, with the pip of ``python``."""
    more = index / "more"
    parts = [part for file in files for part in ("--requirement", str(file))]
    download = ("-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", *options)
    said(str(python), *download, "-d", str(more), *parts)
    for archive in more.iterdir():
        archive.rename(index / archive.name)
    more.rmdir()
    _list(index)


def _list(index: Path) -> None:
    """Writes the index's pages (PEP 503)."""
    shutil.rmtree(index / "simple", ignore_errors=True)
    for archive in index.glob("*.[wt]*"):
        name = re.sub(r"[-_.]+", "-", re.split(r"-\d", archive.name)[0]).lower()
        page = index / "simple" / name / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        with page.open("a") as file:
            file.write(f'<a href="../../{archive.name}#sha256={digest}">{archive.name}</a><br>\n')
