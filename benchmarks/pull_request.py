"""modelyard's own share of the pull-request job, beside the training and beside the classic recipe."""

from __future__ import annotations

import sys
from pathlib import Path

from clock import Figure, medians, modelyard, process
from peers import peer
from support.yard import commit_all, tool

MODEL = "flight-delay"
MONTHS = ("2013-01", "2013-02", "2013-03")
DVC = (sys.executable, "-m", "dvc")
ROUNDS = 5
COMMANDS = (
    ("validate",), ("owners", "--check"), ("affected", "--base", "HEAD~1"), ("evaluate", MODEL), ("drift", MODEL),
    ("scan", MODEL), ("gate", MODEL), ("report", MODEL),
)  # fmt: skip
"""What propose.yml calls around ``retrain``."""


def pull_request(scratch: Path) -> list[Figure]:
    """All that modelyard's commands take in the job without ``dvc repro``; the recipe tells less: no intervals, no
    slices, no gate.
    """
    yard = proposal(scratch)
    folder = yard / "models" / MODEL
    repro = process([*DVC, "repro", "--quiet", "--force", f"models/{MODEL}/dvc.yaml"], yard)
    train = process([sys.executable, "src/train.py"], folder)
    retrain = modelyard(yard, "retrain", MODEL, "--force")
    evidently = process(evidently_flow(scratch, yard), yard)
    recipe = [process([*DVC, part, "diff", "HEAD~1"], yard) for part in ("metrics", "plots")]
    own = [modelyard(yard, *arguments) for arguments in COMMANDS]
    training, alone, whole, report, *times = medians([train, repro, retrain, evidently, *recipe, *own], ROUNDS)
    added = max(whole - alone, 0.0) + sum(times[2:])
    return [
        Figure("modelyard's share of the job / the classic recipe", added / (report + sum(times[:2])), 1 / 3),
        Figure("modelyard's share of the job / dvc repro --force", added / alone, 1.0),
        Figure("modelyard's share of the job / the train stage alone", added / training),
    ]


def proposal(scratch: Path) -> Path:
    """A repository with a registered champion and, at HEAD, a candidate that differs by its seed."""
    yard = scratch / "flights"
    tool(scratch, "init", "flights", "--answer", "ci=none")
    (scratch / "storage").mkdir()
    process([sys.executable, "data/import_nycflights13.py", *MONTHS], yard)()
    process([*DVC, "add", "-q", "data/flights", "data/weather", "data/planes.parquet"], yard)()
    folder = yard / "models" / MODEL
    with (folder / "dvc.yaml").open("a") as file:
        file.write("plots:\n  - roc.csv: {x: fpr, y: tpr}\n")
    _curve(folder, 0)
    tool(yard, "owners", "--write")
    commit_all(yard, "flights")
    tool(yard, "retrain", MODEL, "--commit")
    for command in ("evaluate", "drift", "scan", "gate", "report", "register"):
        tool(yard, command, MODEL)
    (scratch / "champion.parquet").write_bytes((folder / "predictions.parquet").read_bytes())
    params = folder / "params.yaml"
    params.write_text(params.read_text().replace("seed: 7", "seed: 8"))
    _curve(folder, 1)
    commit_all(yard, "another seed")
    tool(yard, "retrain", MODEL, "--commit")
    return yard


def _curve(folder: Path, shift: int) -> None:
    rows = [f"{i / 200},{(i + shift) / 201}" for i in range(200)]
    (folder / "roc.csv").write_text("\n".join(["fpr,tpr", *rows, ""]))


def evidently_flow(scratch: Path, yard: Path) -> list[str]:
    """Evidently's report of the same content: drift of the training data's columns, quality of both versions."""
    script, folder = Path(__file__).with_name("peer_evidently.py"), yard / "models" / MODEL
    files = [folder / "data/train.parquet", folder / "data/holdout.parquet", scratch / "champion.parquet",
             folder / "predictions.parquet", scratch / "evidently.html"]  # fmt: skip
    return [peer("evidently"), str(script), "flow", *map(str, files)]
