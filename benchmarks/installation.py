"""What the jobs of CI install, and a whole pull request with its installations, beside pip and the classic recipe."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from clock import ENVIRONMENT, Figure, medians, modelyard, process
from peers import PINS
from pull_request import COMMANDS, DVC, MODEL, evidently_flow, proposal
from support.yard import tool

ROOT = Path(__file__).parents[1]
JOBS = ("planning", "measuring", "reporting", "deploying", "serving")
PULL_REQUEST = ("planning", "measuring", "reporting")
"""The jobs of a pull request."""
JOBS_RUN = (
    *COMMANDS[:3], ("run", MODEL, "--no-push", "--base", "HEAD~1"), ("gate", MODEL), ("report", MODEL),
)  # fmt: skip
"""What these jobs run. The pipeline is up to date, so ``run`` trains nothing; the last job judges and renders again."""
ROUNDS = 3
SECONDS = 15.0
"""What a pull request may take besides its training, with its installations, on two quiet cores."""


def installation(scratch: Path) -> list[Figure]:
    """Each job against what every job installed once (the demo's extras, with pip), and the whole pull request."""
    requirements = _requirements(scratch)
    every = [str(ROOT / "requirements/run.txt"), "--require-hashes", "--no-deps"]
    cold, warm, size = _by_pip(scratch / "every", ["--requirement", *every])
    _print("every job, pip", cold, warm, size)
    figures, ours = [], {}
    for job in JOBS:
        seconds = [_by_uv(requirements, job, scratch / "job", scratch / f"cache-{job}") for _ in range(ROUNDS)]
        ours[job] = min(seconds[1:])
        of_job = _size(scratch / "job")
        _print(f"{job}, uv", seconds[0], ours[job], of_job)
        figures += [
            Figure(f"{job}: seconds with uv / every extra with pip, filled caches", ours[job] / warm, 1.0),
            Figure(f"{job}: bytes / every extra", of_job / size, 1.0),
        ]
    recipe_cold, recipe_warm, size = _by_pip(scratch / "recipe", ["dvc", *PINS["evidently"]])
    _print("the classic recipe, pip", recipe_cold, recipe_warm, size)

    yard = proposal(scratch)
    steps = [modelyard(yard, *arguments) for arguments in JOBS_RUN]
    recipe = [process([*DVC, part, "diff", "HEAD~1"], yard) for part in ("metrics", "plots")]
    recipe.append(process(evidently_flow(scratch, yard), yard))
    times = medians([*steps, *recipe], ROUNDS)
    own, classic = sum(times[: len(steps)]), sum(times[len(steps) :])
    whole = own + sum(ours[job] for job in PULL_REQUEST)
    for what, took in (
        ("its installations", whole - own), ("its commands", own), ("the recipe's commands", classic),
    ):  # fmt: skip
        print(f"{'a pull request: ' + what:64} {took:.1f} s")
    return [
        *figures,
        Figure("a whole pull request / the classic recipe, filled caches", whole / (recipe_warm + classic), 1 / 10),
        Figure("a whole pull request / the classic recipe, the recipe's cache empty", whole / (recipe_cold + classic)),
        Figure(f"a whole pull request / {SECONDS:g} s", whole / SECONDS, 1.0),
    ]


def _requirements(scratch: Path) -> Path:
    """The requirement files of a new repository, as ``init`` writes them."""
    tool(scratch, "init", "new")
    return scratch / "new/requirements"


def _by_pip(folder: Path, arguments: Sequence[str]) -> tuple[float, float, int]:
    """Seconds with an empty and with a filled cache, and bytes, of an installation into a new environment."""
    cache = {"PIP_CACHE_DIR": str(folder.with_name(f"{folder.name}-cache"))}
    seconds = []
    for _ in range(2):
        shutil.rmtree(folder, ignore_errors=True)
        _timed([sys.executable, "-m", "venv", str(folder)], {})
        bare = _size(folder)
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        seconds.append(_timed([*pip, *arguments], cache))
    return seconds[0], seconds[1], _size(folder) - bare


def _by_uv(requirements: Path, job: str, folder: Path, cache: Path) -> float:
    """Seconds of a job's installation into a new folder. It is linked from the cache, as uv does by itself."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--require-hashes", "--no-deps"]
    place = ["--target", str(folder), "--requirement", str(requirements / f"{job}.txt")]
    return _timed([*command, *place], {"UV_CACHE_DIR": str(cache)})


def _timed(command: list[str], environment: dict[str, str]) -> float:
    begun = time.perf_counter()
    done = subprocess.run(command, env=ENVIRONMENT | environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - begun


def _size(folder: Path) -> int:
    files = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return sum(file.lstat().st_size for file in files)


def _print(what: str, cold: float, warm: float, size: int) -> None:
    print(f"{what + ': cold, warm, MB':64} {cold:.1f} s {warm:.1f} s {size / 1e6:.0f} MB", flush=True)
