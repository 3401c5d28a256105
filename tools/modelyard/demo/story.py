"""The story: a champion, a better proposal, a leaked one, a merge, a promotion, traffic."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from modelyard.demo.stage import Stage, free_ports
from modelyard.demo.traffic import send
from modelyard.errors import UsageError
from modelyard.manifests.repository import ModelRepository
from modelyard.serving.layout import Layout
from modelyard.tables import read_table

MODEL = "flight-delay"
FLIGHTS_SENT = 2000
_MARK = ".modelyard-demo"
_STEPS = 38
_AUTHOR, _REVIEWER = "Ada Author", "Grace Reviewer"
_APPROVAL = f"Approved-by: {_REVIEWER} <grace@example.org>"


def play(folder: Path, keep: bool, say: Callable[[str], None]) -> None:
    """Plays everything in ``folder`` (replacing an earlier demo); leaves no process behind unless ``keep``."""
    begun = time.monotonic()
    folder = folder.resolve()
    repository = _clean_stage(folder)
    stage = Stage(repository, _STEPS, say)
    try:
        _first_champion(stage)
        _better_proposal(stage)
        _leaked_proposal(stage)
        _merge_and_promote(stage)
        _traffic(stage, say)
    except BaseException:
        stage.stop_servers()
        raise
    if not keep:
        stage.stop_servers()
    _farewell(repository, keep, time.monotonic() - begun, say)


def _first_champion(stage: Stage) -> None:
    stage.chapter("1. A new model repository, and real flights of January to March 2013")
    stage.act_as(_AUTHOR)
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
    _measure(stage, expect=0)
    stage.modelyard("register", MODEL, show=True)
    deployment = (root / f"deployments/staging/{MODEL}.yaml").read_text(encoding="utf-8")
    production_file = root / f"deployments/production/{MODEL}.yaml"
    production_file.write_text(
        deployment.replace("latest # staging follows every registered version", "v1.0.0"), encoding="utf-8"
    )
    stage.git("add", "--all")
    stage.git("commit", "--quiet", "-m", f"Promote {MODEL} v1.0.0 to production\n\n{_APPROVAL}")
    for environment in ("staging", "production"):
        stage.serve(environment)
    stage.modelyard("deploy", show=True)


def _better_proposal(stage: Stage) -> None:
    stage.chapter("3. A proposal: flights of April to June, and more trees")
    stage.git("switch", "--quiet", "--create", "spring-flights")
    stage.python("data/import_nycflights13.py", "2013-04", "2013-05", "2013-06")
    stage.dvc("add", "data/flights", "data/weather")
    params = stage.repository / f"models/{MODEL}/params.yaml"
    text = params.read_text(encoding="utf-8")
    text = text.replace('["2013-01", "2013-02"]', '["2013-01", "2013-02", "2013-03", "2013-04", "2013-05"]')
    text = text.replace('holdout_months: ["2013-03"]', 'holdout_months: ["2013-06"]').replace(
        "trees: 300", "trees: 400"
    )
    params.write_text(text, encoding="utf-8")
    stage.git("add", "--all")
    stage.git("commit", "--quiet", "-m", "Learn from spring, with more trees")
    stage.modelyard("affected", "--base", "main", "--json")
    _measure(stage, expect=0, show=True)


def _leaked_proposal(stage: Stage) -> None:
    stage.chapter("4. A proposal that looks brilliant: it learns from the departure delay, known only after take-off")
    stage.git("switch", "--quiet", "main")
    stage.git("switch", "--quiet", "--create", "use-departure-delay")
    manifest = stage.repository / f"models/{MODEL}/model.yaml"
    text = manifest.read_text(encoding="utf-8")
    leak = "    - {name: dep_delay, type: float, nullable: true, description: minutes late at departure}\n"
    manifest.write_text(text.replace("\nevaluation:", f"{leak}\nevaluation:", 1), encoding="utf-8")
    stage.git("commit", "--quiet", "--all", "-m", "Use the departure delay")
    stage.modelyard("affected", "--base", "main", "--json")
    _measure(stage, expect=1, show=True)
    reports = stage.repository / ".modelyard" / "evidence" / MODEL
    refused = stage.repository.parent / "refused"
    refused.mkdir()
    for name in ("report.md", "report.html"):
        shutil.copyfile(reports / name, refused / name)


def _merge_and_promote(stage: Stage) -> None:
    stage.chapter("5. The good proposal is approved and merged; production follows by a second pull request")
    stage.git("switch", "--quiet", "main")
    stage.act_as("Merge Bot")
    stage.git(
        "merge", "--quiet", "--no-ff", "spring-flights", "-m", f"Learn from spring, with more trees\n\n{_APPROVAL}"
    )
    stage.modelyard("retrain", MODEL)
    stage.modelyard("register", MODEL, show=True)
    stage.modelyard("deploy", "--env", "staging")
    stage.act_as(_AUTHOR)
    stage.git("switch", "--quiet", "--create", "promote-v1.1.0")
    file = stage.repository / f"deployments/production/{MODEL}.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("v1.0.0", "v1.1.0"), encoding="utf-8")
    subject = f"Promote {MODEL} v1.1.0 to production"
    stage.git("commit", "--quiet", "--all", "-m", subject)
    stage.modelyard("validate")
    stage.modelyard("deploy", "--plan", "--env", "production", show=True)
    stage.git("switch", "--quiet", "main")
    stage.act_as("Merge Bot")
    stage.git("merge", "--quiet", "--no-ff", "promote-v1.1.0", "-m", f"{subject}\n\n{_APPROVAL}")
    stage.modelyard("deploy", "--env", "production", show=True)


def _traffic(stage: Stage, say: Callable[[str], None]) -> None:
    stage.chapter(f"6. {FLIGHTS_SENT:,} flights of July are sent to the production server; their outcomes are known")
    july = stage.repository.parent / "july"
    shutil.copytree(stage.repository, july, ignore=shutil.ignore_patterns(".git", "cache", "local", "evidence", "tmp"))
    stage.python("data/import_nycflights13.py", "2013-07", folder=july)
    model_folder = july / "models" / MODEL
    (model_folder / "params.yaml").write_text(
        json.dumps({"split": {"train_months": [], "holdout_months": ["2013-07"]}}), encoding="utf-8"
    )
    stage.python("src/ingest.py", folder=model_folder)
    stage.python("src/featurize.py", folder=model_folder)
    repository = ModelRepository(stage.repository)
    environment = repository.environment("production")
    traffic = send(
        read_table(model_folder / "data" / "holdout.parquet"),
        FLIGHTS_SENT,
        repository.model(MODEL),
        environment.host,
        environment.port,
        Layout.of(stage.repository, "production").logs / MODEL,
    )
    answered = ", ".join(f"{rows:,} by {version}" for version, rows in traffic.versions.items())
    say(f"    {traffic.requests:,} requests, {traffic.logged:,} logged ({answered})")
    quality = f"AUC {traffic.auc:.4f}" if traffic.auc is not None else "AUC undefined"
    say(f"    {traffic.base_rate:.1%} of them arrived late; realised {quality}")
    stage.modelyard("status", show=True)


def _measure(stage: Stage, expect: int, show: bool = False) -> None:
    """What the propose workflow calls for one model."""
    stage.modelyard("retrain", MODEL, "--commit")
    stage.modelyard("evaluate", MODEL)
    stage.modelyard("drift", MODEL)
    stage.modelyard("scan", MODEL)
    stage.modelyard("gate", MODEL, expect=expect)
    stage.modelyard("report", MODEL, "--file", show=show)


def _farewell(repository: Path, keep: bool, seconds: float, say: Callable[[str], None]) -> None:
    def shown(path: Path) -> str:
        return os.path.relpath(path) if len(os.path.relpath(path)) < len(str(path)) else str(path)

    evidence = repository / ".modelyard"
    say(f"\nPlayed in {seconds:.0f} s. Look further:")
    say(f"  the refused proposal   {shown(repository.parent / 'refused' / 'report.html')}")
    say(f"  its comment            {shown(repository.parent / 'refused' / 'report.md')}")
    say(f"  the prediction log     {shown(evidence / 'local' / 'production' / 'log' / MODEL)}")
    say(f"  cd {shown(repository)}")
    say("    modelyard status flight-delay     which version serves, since when, why")
    say("    modelyard site                    the same as pages: metrics, rollouts, lineage, card")
    say("    modelyard lineage --of data/flights.dvc       which versions saw this data")
    say("    git log --oneline --graph         every change, merged")
    say("    git tag -n1                       every version and every stage")
    say("    git ls-tree -r --name-only modelyard/evidence")
    if keep:
        report = Layout.of(repository, "production").read_report()
        say(f"  production serves on   http://{report.host}:{report.port}/v2 (stop it: kill {report.pid})")


def _clean_stage(folder: Path) -> Path:
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
