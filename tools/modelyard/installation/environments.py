"""Environments of foreign tools, whose pins exclude ours: made by uv, kept for every checkout of this user."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

from modelyard.errors import ModelyardError, missing_extra

_MADE = "made"
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")
"""Variables that a tool gets. It gets no other, so that no secret of the job reaches it."""

_QUIET = {"DO_NOT_TRACK": "1", "WHYLOGS_NO_ANALYTICS": "True"}
"""Tools send nothing about their use anywhere."""


def folder_of_tool(name: str, requirements: Sequence[str]) -> Path:
    """The folder of a tool's environment: another one for other requirements, or for another Python."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    said = "\n".join([*requirements, sys.version])
    return Path(base, "modelyard", "tools", f"{name}-{hashlib.sha256(said.encode()).hexdigest()[:12]}")


def is_installed(name: str, requirements: Sequence[str]) -> bool:
    """Whether the whole environment of a tool is there."""
    return (folder_of_tool(name, requirements) / _MADE).is_file()


def install_tool(name: str, requirements: Sequence[str]) -> Path:
    """Makes the environment of a tool where it is missing, and returns its folder.

    It is made beside its place and renamed, so a killed run leaves no half of it. ModelyardError when uv is missing, or
    cannot install the requirements.
    """
    folder = folder_of_tool(name, requirements)
    if is_installed(name, requirements):
        return folder
    try:
        import uv
    except ImportError as error:
        raise missing_extra("tools", "uv") from error
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        _uv(uv.find_uv_bin(), name, "venv", "--quiet", "--clear", "--python", sys.executable, str(scratch))
        _uv(uv.find_uv_bin(), name, "pip", "install", "--quiet", "--python", str(_python(scratch)), *requirements)
        (scratch / _MADE).touch()
        shutil.rmtree(folder, ignore_errors=True)  # what somebody removed in part
        with suppress(OSError):  # another run was first
            scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def run_tool(name: str, requirements: Sequence[str], program: Path, arguments: Sequence[Path], seconds: float) -> None:
    """Runs a Python program in the environment of a tool; ModelyardError when it is missing, fails or takes too long.

    Python is isolated, and the program gets few variables of this process and no secret.
    """
    if not is_installed(name, requirements):
        raise ModelyardError(
            f"The environment of {name} is not on this machine.", f"Make it with: modelyard tools install {name}"
        )
    python = _python(folder_of_tool(name, requirements))
    passed = {key: os.environ[key] for key in _PASSED if key in os.environ} | _QUIET
    try:
        done = subprocess.run(
            [str(python), "-I", str(program), *map(str, arguments)],
            env=passed, cwd=arguments[0].parent, capture_output=True, text=True, errors="replace", check=False,
            timeout=seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ModelyardError(
            f"{name} did not end within {seconds:g} seconds and was stopped.", "Try a shorter window."
        ) from error
    except OSError as error:
        raise ModelyardError(
            f"The Python of {name} in {python.parent.parent} cannot be started: {error.strerror}.",
            "Remove that folder and make it again: modelyard tools install " + name,
        ) from error
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise ModelyardError(
            f"{name} failed: {said[-1][:300].rstrip('.') if said else f'it ended with {done.returncode}'}.",
            f"Its environment is {python.parent.parent}.",
        )


def said_by_uv(stderr: str) -> list[str]:
    """The lines of uv's error, without the frame that it draws around them."""
    return [line.strip(" ×╰─▶│├") for line in stderr.splitlines() if line.strip()]


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _uv(uv: str, name: str, *arguments: str) -> None:
    done = subprocess.run([uv, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        said = said_by_uv(done.stderr)
        raise ModelyardError(
            f"The environment of {name} cannot be made: {' '.join(said[-2:])[:500] or 'uv said nothing'}",
            "Let uv reach an index that has it (UV_DEFAULT_INDEX).",
        )
