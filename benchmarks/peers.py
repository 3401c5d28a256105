"""The peers, each in an environment of its own: they cannot share ours (Evidently does not import beside pandas 3)."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "build" / "peers"
PINS = {
    "evidently": ("evidently==0.7.23", "pandas<3", "pyarrow==26.0.1"),
}


def peer(name: str) -> str:
    """The interpreter of a peer's environment, made where it is missing."""
    folder = FOLDER / name
    python = folder / "bin" / "python"
    pins = folder / "pins.txt"
    wanted = "\n".join(PINS[name])
    if not pins.exists() or pins.read_text() != wanted:
        print(f"Making an environment for {name} …", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PINS[name]], check=True, capture_output=True)
        pins.write_text(wanted)
    return str(python)
