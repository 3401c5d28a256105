"""Commands of a page of the documentation, played as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from support.yard import IDENTITY


def play(folder: Path, commands: Sequence[str]) -> Path:
    """Runs every command in a shell, with modelyard on the PATH; the folder that the last ``cd`` leads to."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in commands:
        if command.startswith("cd "):
            folder = folder / command.removeprefix("cd ")
            continue
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=os.environ | IDENTITY | {"PATH": path}, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return folder
