"""How every story begins: an empty stage, real flights, and a first champion that serves."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

from modelyard.demo.stage import Stage, free_ports
from modelyard.errors import UsageError
from modelyard.predictions.layout import Layout

MODEL = "flight-delay"
AUTHOR, _REVIEWER = "Ada Author", "Grace Reviewer"
APPROVAL = f"Approved-by: {_REVIEWER} <grace@example.org>"
_MARK = ".modelyard-demo"


def first_champion(stage: Stage) -> None:
    """Builds the repository, trains v1.0.0 and lets two servers answer with it."""
    stage.chapter("1. A new model repository, and real flights of January to March 2013")
    stage.act_as(AUTHOR)
    staging, production = free_ports(2)
    root = stage.repository
    root.parent.joinpath("storage").mkdir()
    answers = {"ci": "none", "owner": "@flight-ops", "staging_port": staging, "production_port": production}
    options = [part for key, value in answers.items() for part in ("--answer", f"{key}={value}")]
    stage.repository = root.parent
    stage.modelyard("init", "repository", *options)
    stage.repository = root
    stage.python("data/import_nycflights13.py", "2013-01", "2013-02", "2013-03")
    stage.dvc("add", "data/flights", "data/weather", "data/planes.parquet")
    stage.git("add", "--all")
    stage.git("commit", "--quiet", "-m", "Flights of January to March")
    stage.modelyard("validate")

    stage.chapter("2. January and February train the first champion; March judges it")
    measure(stage, expect=0)
    stage.modelyard("register", MODEL, show=True)
    deployment = (root / f"deployments/staging/{MODEL}.yaml").read_text(encoding="utf-8")
    production_file = root / f"deployments/production/{MODEL}.yaml"
    production_file.write_text(
        deployment.replace("latest # staging follows every registered version", "v1.0.0"), encoding="utf-8"
    )
    stage.git("add", "--all")
    stage.git("commit", "--quiet", "-m", f"Promote {MODEL} v1.0.0 to production\n\n{APPROVAL}")
    for environment in ("staging", "production"):
        stage.serve(environment)
    stage.modelyard("deploy", show=True)


def measure(stage: Stage, expect: int, show: bool = False) -> None:
    """What the propose workflow calls for one model."""
    stage.modelyard("retrain", MODEL, "--commit")
    stage.modelyard("evaluate", MODEL)
    stage.modelyard("drift", MODEL)
    stage.modelyard("scan", MODEL)
    stage.modelyard("gate", MODEL, expect=expect)
    stage.modelyard("report", MODEL, "--file", show=show)


def clean_stage(folder: Path) -> Path:
    """An empty stage; refuses a folder that is not an earlier demo's."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).is_file():
            raise UsageError(f"{folder} is not empty and was not made by an earlier demo.", "Name a new folder.")
        for environment in ("staging", "production"):
            _stop_kept_server(Layout.of(folder / "repository", environment))
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()
    return folder / "repository"


def _stop_kept_server(layout: Layout) -> None:
    """Ends a server that an earlier ``demo --keep`` left; the lock proves that it lives and is this folder's."""
    if not layout.server_is_up():
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(layout.read_report().pid, signal.SIGTERM)
    deadline = time.monotonic() + 15
    while layout.server_is_up() and time.monotonic() < deadline:
        time.sleep(0.05)
