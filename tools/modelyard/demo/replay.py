"""The replay of the flights of 2013: each month is served, labelled, monitored, retrained, judged and promoted.

One column is the first champion (trained on January and February, judged on March) without retraining. In the other,
each month's candidate replaces the champion when the gate passes. All figures are results of the commands.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modelyard.checkout.checkout import Checkout
from modelyard.demo.months import Month, replay_chart
from modelyard.demo.stage import APPROVAL, AUTHOR, MODEL, Stage, clean_stage, first_champion
from modelyard.demo.traffic import send, write_ground_truth
from modelyard.documents import encode
from modelyard.errors import UsageError
from modelyard.files import write_whole
from modelyard.manifests.repository import ModelRepository
from modelyard.metrics.scores import auc
from modelyard.predictions.layout import Layout
from modelyard.report.html.pictures import standalone
from modelyard.scoring.scorer import loaded
from modelyard.tables.file import read_table
from modelyard.tables.table import Table

_BEGINNING, _A_MONTH, _A_PROMOTION = 12, 11, 4
_FIRST = 4


def months_of(span: str) -> range:
    """The months of a span such as ``4..12``. April is the first: the first champion is judged on March."""
    first, dots, last = span.partition("..")
    try:
        months = range(int(first), int(last if dots else first) + 1)
    except ValueError:
        months = range(0)
    if not months or months[0] < _FIRST or months[-1] > 12:
        raise UsageError(
            f"--months {span} is not a valid span of months.", "Write a span such as 4..12; April is the first month."
        )
    return months


def replay(folder: Path, months: range, say: Callable[[str], None]) -> list[Month]:
    """Replays the months in ``folder``, and writes replay.json and replay.svg there. An earlier replay is replaced."""
    folder = folder.resolve()
    repository = clean_stage(folder)
    stage = Stage(repository, _BEGINNING + len(months) * (_A_MONTH + _A_PROMOTION), say)
    found: list[Month] = []
    try:
        first_champion(stage)
        static = folder / "v1.0.0.txt"
        static.write_bytes((repository / "models" / MODEL / "model.txt").read_bytes())
        for month in months:
            stage.chapter(f"2013-{month:02}")
            found.append(_month(stage, folder, month, static))
    finally:
        stage.stop_servers()
    write_whole(folder / "replay.json", encode(found, indent=1) + b"\n")
    write_whole(folder / "replay.svg", standalone(replay_chart(found)).encode())
    return found


def _month(stage: Stage, folder: Path, month: int, static: Path) -> Month:
    branch = f"after-2013-{month:02}"
    _new_data(stage, branch, month)
    repository = ModelRepository(stage.repository)
    model = repository.model(MODEL)
    flights = read_table(repository.model_folder(MODEL) / model.files.holdout)
    shutil.rmtree(repository.model_folder(MODEL) / "data")  # DVC did not write it, so DVC would not replace it
    stage.git("switch", "--quiet", "main")
    window, version = _serve_and_monitor(stage, folder, flights, month)
    realised = next(m for m in window["monitoring"]["realised"]["metrics"] if m["name"] == "auc")
    with loaded(model, static, folder) as scorer:
        static_auc = auc(flights.numbers(model.contract.label), scorer.score_table(flights))
    stage.git("switch", "--quiet", branch)
    begun = time.monotonic()
    stage.modelyard("retrain", MODEL, "--commit")
    seconds = time.monotonic() - begun
    for command in ("evaluate", "drift", "scan"):
        stage.modelyard(command, MODEL)
    verdict = json.loads(stage.modelyard("gate", MODEL, "--json", expect=(0, 1, 3)))
    stage.modelyard("report", MODEL, "--file")
    judged = [check for check in verdict["checks"] if check["level"] != "advisory"]
    blocking = [check["id"] for check in judged if check["outcome"] in ("fail", "error")]
    undecided = [check["id"] for check in judged if check["outcome"] == "inconclusive"]
    candidate = "" if blocking or undecided else _merge_and_promote(stage, branch, month)
    if not candidate:
        stage.git("switch", "--quiet", "main")
        stage.skip(_A_PROMOTION)
    return Month(
        f"2013-{month:02}",
        flights.rows,
        version,
        float(static_auc or 0.0),
        realised["candidate"],
        (realised["interval"]["low"], realised["interval"]["high"]),
        tuple(c["id"] for c in window["verdict"]["checks"] if c["outcome"] == "fail"),
        candidate,
        tuple(blocking),
        tuple(undecided),
        round(seconds, 1),
    )


def _new_data(stage: Stage, branch: str, month: int) -> None:
    """A branch that trains on all earlier months and is judged on this one. Its features are computed already."""
    stage.act_as(AUTHOR)
    stage.git("switch", "--quiet", "--create", branch, "main")
    names = [f"2013-{number:02}" for number in range(1, month + 1)]
    stage.python("data/import_nycflights13.py", *names)
    stage.dvc("add", "data/flights", "data/weather")
    _split(stage.repository / f"models/{MODEL}/params.yaml", names[:-1], names[-1])
    stage.git("add", "--all")
    stage.git("commit", "--quiet", "-m", f"Train up to {names[-2]}, judge on {names[-1]}")
    for script in ("src/ingest.py", "src/featurize.py"):
        stage.python(script, folder=stage.repository / "models" / MODEL)


def _split(params: Path, train: Sequence[str], holdout: str) -> None:
    lines = params.read_text(encoding="utf-8").splitlines()
    for i, line in enumerate(lines):
        if line.strip().startswith("train_months:"):
            lines[i] = f"  train_months: {json.dumps(list(train))}"
        elif line.strip().startswith("holdout_months:"):
            lines[i] = f"  holdout_months: {json.dumps([holdout])}"
    params.write_text("\n".join([*lines, ""]), encoding="utf-8")


def _serve_and_monitor(stage: Stage, folder: Path, flights: Table, month: int) -> tuple[dict[str, Any], str]:
    """Sends every flight of the month, then delivers the labels and monitors the window.

    The window, and its version.
    """
    repository = ModelRepository(stage.repository)
    model = repository.model(MODEL)
    report = Layout.of(stage.repository, "production").read_report()
    begun = time.time()
    send(flights, model, report.host, report.port, at_once=500)
    ended = time.time() + 1
    ground_truth = folder / f"labels-{month:02}.csv"
    write_ground_truth(flights, model, ground_truth)
    until = datetime.fromtimestamp(ended, UTC).isoformat()
    output = stage.modelyard(
        "monitor", MODEL, "--env", "production", "--window", f"{ended - begun + 1:.3f}s", "--until", until,
        "--ground-truth", str(ground_truth), "--file", "--json", expect=(0, 1, 3),
    )  # fmt: skip
    window = json.loads(output)
    return window, window["monitoring"]["version"]


def _merge_and_promote(stage: Stage, branch: str, month: int) -> str:
    """Merges the reviewed branch, registers it, and promotes it to production by a second change. The version."""
    stage.git("switch", "--quiet", "main")
    stage.act_as("Merge Bot")
    stage.git("merge", "--quiet", "--no-ff", branch, "-m", f"Train on the months before 2013-{month:02}\n\n{APPROVAL}")
    stage.modelyard("retrain", MODEL)
    stage.modelyard("register", MODEL)
    stage.modelyard("deploy", "--env", "staging")
    latest = Checkout(stage.repository).history(MODEL).latest
    version = latest.version if latest else ""
    file = stage.repository / f"deployments/production/{MODEL}.yaml"
    lines = file.read_text(encoding="utf-8").splitlines()
    lines = [f"version: {version}" if line.startswith("version:") else line for line in lines]
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")
    stage.git("commit", "--quiet", "--all", "-m", f"Promote {MODEL} {version} to production\n\n{APPROVAL}")
    stage.modelyard("deploy", "--env", "production")
    return version
