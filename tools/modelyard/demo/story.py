"""The demo: a champion, a better proposal, a proposal with leakage, a merge, a promotion, traffic, monitoring."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from modelyard.demo.stage import APPROVAL, AUTHOR, MODEL, Stage, clean_stage, first_champion, measure
from modelyard.demo.traffic import send, write_ground_truth
from modelyard.manifests.repository import ModelRepository
from modelyard.predictions.layout import Layout
from modelyard.tables.file import read_table

FLIGHTS_SENT = 2000
_STEPS = 40


def play(folder: Path, keep: bool, say: Callable[[str], None]) -> None:
    """Runs the demo in ``folder``, where it replaces an earlier one. Without ``keep``, all processes end."""
    begun = time.monotonic()
    folder = folder.resolve()
    repository = clean_stage(folder)
    stage = Stage(repository, _STEPS, say)
    try:
        first_champion(stage)
        _better_proposal(stage)
        _leaked_proposal(stage)
        _merge_and_promote(stage)
        _traffic(stage, say)
    except BaseException:
        stage.stop_servers()
        raise
    if not keep:
        stage.stop_servers()
    _print_summary(repository, keep, time.monotonic() - begun, say)


def _better_proposal(stage: Stage) -> None:
    stage.chapter("3. A proposal: flights of April to July, and more trees")
    stage.git("switch", "--quiet", "--create", "spring-flights")
    stage.python("data/import_nycflights13.py", "2013-04", "2013-05", "2013-06", "2013-07")
    stage.dvc("add", "data/flights", "data/weather")
    params = stage.repository / f"models/{MODEL}/params.yaml"
    text = params.read_text(encoding="utf-8")
    text = text.replace('["2013-01", "2013-02"]', '["2013-01", "2013-02", "2013-03", "2013-04", "2013-05"]')
    # Thirty days of one month are too few to say that the groups are treated alike, so two months are held out.
    text = text.replace('holdout_months: ["2013-03"]', 'holdout_months: ["2013-06", "2013-07"]').replace(
        "trees: 300", "trees: 400"
    )
    params.write_text(text, encoding="utf-8")
    stage.git("add", "--all")
    stage.git("commit", "--quiet", "-m", "Train on spring, with more trees")
    stage.modelyard("affected", "--base", "main", "--json")
    measure(stage, expect=0, show=True)


def _leaked_proposal(stage: Stage) -> None:
    stage.chapter("4. A proposal with leakage: it uses the departure delay, which is known only after take-off")
    stage.git("switch", "--quiet", "main")
    stage.git("switch", "--quiet", "--create", "use-departure-delay")
    manifest = stage.repository / f"models/{MODEL}/model.yaml"
    text = manifest.read_text(encoding="utf-8")
    leak = "    - {name: dep_delay, type: float, nullable: true, description: minutes late at departure}\n"
    manifest.write_text(text.replace("\nevaluation:", f"{leak}\nevaluation:", 1), encoding="utf-8")
    stage.git("commit", "--quiet", "--all", "-m", "Use the departure delay")
    stage.modelyard("affected", "--base", "main", "--json")
    measure(stage, expect=1, show=True)
    reports = stage.repository / ".modelyard" / "evidence" / MODEL
    refused = stage.repository.parent / "refused"
    refused.mkdir()
    for name in ("report.md", "report.html"):
        shutil.copyfile(reports / name, refused / name)


def _merge_and_promote(stage: Stage) -> None:
    stage.chapter("5. The better proposal is approved and merged; a second pull request promotes it to production")
    stage.git("switch", "--quiet", "main")
    stage.act_as("Merge Bot")
    stage.git("merge", "--quiet", "--no-ff", "spring-flights", "-m", f"Train on spring, with more trees\n\n{APPROVAL}")
    stage.modelyard("retrain", MODEL)
    stage.modelyard("register", MODEL, show=True)
    stage.modelyard("deploy", "--env", "staging")
    stage.act_as(AUTHOR)
    stage.git("switch", "--quiet", "--create", "promote-v1.1.0")
    file = stage.repository / f"deployments/production/{MODEL}.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("v1.0.0", "v1.1.0"), encoding="utf-8")
    subject = f"Promote {MODEL} v1.1.0 to production"
    stage.git("commit", "--quiet", "--all", "-m", subject)
    stage.modelyard("validate")
    stage.modelyard("deploy", "--plan", "--env", "production", show=True)
    stage.git("switch", "--quiet", "main")
    stage.act_as("Merge Bot")
    stage.git("merge", "--quiet", "--no-ff", "promote-v1.1.0", "-m", f"{subject}\n\n{APPROVAL}")
    stage.modelyard("deploy", "--env", "production", show=True)


def _traffic(stage: Stage, say: Callable[[str], None]) -> None:
    stage.chapter(f"6. {FLIGHTS_SENT:,} flights of August are sent to the production server")
    august = stage.repository.parent / "august"
    shutil.copytree(
        stage.repository, august, ignore=shutil.ignore_patterns(".git", "cache", "local", "evidence", "tmp")
    )
    stage.python("data/import_nycflights13.py", "2013-08", folder=august)
    model_folder = august / "models" / MODEL
    (model_folder / "params.yaml").write_text(
        json.dumps({"split": {"train_months": [], "holdout_months": ["2013-08"]}}), encoding="utf-8"
    )
    stage.python("src/ingest.py", folder=model_folder)
    stage.python("src/featurize.py", folder=model_folder)
    repository = ModelRepository(stage.repository)
    environment = repository.environment("production")
    month, model = read_table(model_folder / "data" / "holdout.parquet"), repository.model(MODEL)
    flights = month.take(np.unique(np.linspace(0, month.rows - 1, FLIGHTS_SENT).astype(np.int64)))
    answered = send(flights, model, environment.host, environment.port, at_once=1)
    until = datetime.fromtimestamp(time.time() + 1, UTC).isoformat()
    say(f"    {answered:,} requests were answered and logged")
    stage.modelyard("status", show=True)

    stage.chapter("7. The labels arrive: the version is monitored, and its predictions become labelled training data")
    write_ground_truth(flights, model, stage.repository.parent / "ground_truth.csv")
    when = ("--env", "production", "--window", "1h", "--until", until, "--ground-truth", "../ground_truth.csv")
    stage.modelyard("monitor", MODEL, *when, "--html", "../august.html", "--file", expect=(0, 1, 3), show=True)
    stage.modelyard("feedback", "collect", MODEL, *when, show=True)


def _print_summary(repository: Path, keep: bool, seconds: float, say: Callable[[str], None]) -> None:
    def shown(path: Path) -> str:
        return os.path.relpath(path) if len(os.path.relpath(path)) < len(str(path)) else str(path)

    evidence = repository / ".modelyard"
    say(f"\nThe demo took {seconds:.0f} s. Its files and some commands to try:")
    say(f"  the refused proposal   {shown(repository.parent / 'refused' / 'report.html')}")
    say(f"  its comment            {shown(repository.parent / 'refused' / 'report.md')}")
    say(f"  the window of August   {shown(repository.parent / 'august.html')}")
    say(f"  the prediction log     {shown(evidence / 'local' / 'production' / 'log' / MODEL)}")
    say(f"  cd {shown(repository)}")
    say("    modelyard status flight-delay     which version serves, since when, and why")
    say("    modelyard site                    HTML pages of metrics, rollouts, lineage and card")
    say("    modelyard lineage --of data/flights.dvc       which versions used these data")
    say("    git show modelyard/feedback/flight-delay      the proposal with August's labelled flights")
    say("    git log --oneline --graph         every merged change")
    say("    git tag -n1                       every version and every deployment")
    say("    git ls-tree -r --name-only modelyard/evidence")
    if keep:
        report = Layout.of(repository, "production").read_report()
        say(f"  production serves on   http://{report.host}:{report.port}/v2 (stop it: kill {report.pid})")
