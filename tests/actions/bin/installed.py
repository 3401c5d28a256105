"""Fails unless a requirements file is locked, or names the modelyard that is installed here and nothing else."""

import re
import sys
from importlib.metadata import version
from pathlib import Path

for name in sys.argv[1:]:
    lines = [line for line in Path(name).read_text(encoding="utf-8").splitlines() if line and line[0] not in "# "]
    if name == "toolkit.txt":
        if len(lines) != 1 or not re.match(rf"modelyard(=={re.escape(version('modelyard'))}| @ git\+)", lines[0]):
            sys.exit(f"the tests can not install {lines}")
    elif not lines or not all(re.match(r"[\w.-]+==", line) for line in lines):
        sys.exit(f"{name} is not a lock")
