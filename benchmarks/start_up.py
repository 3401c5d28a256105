"""What runs at each keystroke and at the head of each job: ``--help``, ``status``, ``affected``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from clock import ENVIRONMENT, Figure, median, medians, modelyard, process
from support.yard import commit_all, git, small_repository, tool, write


def start_up(scratch: Path) -> list[Figure]:
    """``--help`` and ``status`` against importing click."""
    models = tuple(f"model-{i:03}" for i in range(50))
    yard = small_repository(scratch / "fifty", models)
    record = '{"artifact":"' + "a" * 64 + '","verdict":"pass"}'
    for i, name in enumerate(models):
        date = {"GIT_COMMITTER_DATE": f"{1_700_000_000 + i} +0000"}
        for tag in (f"{name}@v1.0.0", f"{name}#staging#1"):
            subprocess.run(
                ["git", "tag", "-a", tag, "-m", f"headline\n\n{record}"], cwd=yard, env=ENVIRONMENT | date, check=True
            )
    git(yard, "gc", "--quiet")  # as in a clone
    click = process([sys.executable, "-c", "import click"], yard)
    floor, usage, status = medians([click, modelyard(yard, "--help"), modelyard(yard, "status")], 25)
    return [
        Figure("modelyard --help / import click", usage / floor, 2.5),
        Figure("modelyard status, 50 models / import click", status / floor, 2.5),
    ]


def affected(scratch: Path) -> list[Figure]:
    """``affected`` against 2 × git diff + the interpreter's start + 100 ms."""
    yard = small_repository(scratch / "many", tuple(f"model-{i:03}" for i in range(500)))
    git(yard, "switch", "--quiet", "--create", "change")
    write(
        yard,
        {"data/flights.dvc": "outs:\n- {md5: b.dir, path: flights}\n", "models/model-007/params.yaml": "train: {}\n"},
    )
    commit_all(yard, "change")
    git(yard, "gc", "--quiet")  # as in a clone
    diff = median(process(["git", "diff", "--name-only", "main...change"], yard))
    start = median(process([sys.executable, "-c", "pass"], yard))
    found = json.loads(tool(yard, "affected", "--base", "main", "--json").stdout)["include"]
    assert len(found) == 500, "every model reads the flights"
    everything = median(modelyard(yard, "affected", "--base", "main", "--json"))
    git(yard, "switch", "--quiet", "--create", "single", "main")
    write(yard, {"models/model-007/params.yaml": "train: {}\n"})
    commit_all(yard, "one model")
    git(yard, "gc", "--quiet")
    single = median(modelyard(yard, "affected", "--base", "main", "--json"))
    bound = 2 * diff + start + 0.1
    return [
        Figure("affected, 500 models, one touched / bound", single / bound, 1.0),
        Figure("affected, 500 models, all touched by data / bound", everything / bound, 1.0),
    ]
