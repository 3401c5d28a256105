"""Fails unless a requirements file pins the modelyard that is installed here, and nothing else."""

import sys
from importlib.metadata import version
from pathlib import Path

lines = [line for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
if lines != [f"modelyard[all]=={version('modelyard')}"]:
    sys.exit(f"the tests can not install {lines}")
