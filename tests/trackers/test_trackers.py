"""Proposals and versions in trackers: a stub of MLflow on loopback, the clone in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.catalog.exchange import exchanged
from modelyard.checkout.checkout import Checkout
from modelyard.checkout.tracking import PENDING, Tracking, run_links
from modelyard.errors import ModelyardError
from modelyard.manifests.configuration import Repository, TrackerSettings
from modelyard.manifests.conversion import parse
from modelyard.manifests.document import ManifestErrors
from modelyard.metrics.folds import FoldMetric, Stability
from modelyard.secrets.interface import Secrets
from modelyard.trackers.discovery import open_tracker
from modelyard.trackers.interface import TrackedRun
from modelyard.trackers.mlflow import MLflowTracker
from modelyard.trackers.runs import ProposedRun, proposal_run
from support.evidence import ARTIFACT, EVALUATION, TRAINING, bundle
from support.listener import listening
from support.memory import MemoryYard, memory_yard
from support.mlflow import MLflowStub, mlflow_stub
from support.yard import CONFIG

PROPOSED = ProposedRun(
    pull=7, commit="c" * 40, branch="feature", outcome="pass", reason="better", report="# report\n", report_sha256="d" * 64,
    url="https://forge.example/pull/7",
)  # fmt: skip
STABILITY = Stability(("a", "b"), (10, 10), (FoldMetric("auc", (0.81, 0.83), 0.82, 0.014),))


@pytest.fixture
def stub() -> Iterator[MLflowStub]:
    with mlflow_stub() as served:
        yield served


def opened(stub: MLflowStub, **more: Any) -> MLflowTracker:
    tracker = open_tracker(TrackerSettings(type="mlflow", url=stub.url, **more), Path(), Secrets({"TOKEN": "s3cret"}))
    assert isinstance(tracker, MLflowTracker)
    return tracker


def a_run(**changes: Any) -> TrackedRun:
    return proposal_run(
        bundle(evaluation=replace(EVALUATION, stability=STABILITY)), msgspec.structs.replace(PROPOSED, **changes)
    )


# --- one proposal is one run ------------------------------------------------------------------------------------------


def test_a_proposal_is_one_run_with_everything_that_a_reader_asks_for(stub: MLflowStub) -> None:
    tracker = opened(stub, project="acme", token="env:TOKEN")
    run = a_run()
    written = tracker.write(run)
    assert set(stub.authorizations) == {"Bearer s3cret"}
    [(number, made)] = stub.runs.items()
    assert stub.experiments == {"1": "acme/churn"} and written.url == f"{stub.url}/#/experiments/1/runs/{number}"
    assert made["info"]["run_name"] == "churn pull request 7" and made["info"]["status"] == "FINISHED"
    tags = {name.removeprefix("modelyard."): value for name, value in made["tags"].items()}
    wanted = {"commit": "c" * 40, "pull": "7", "verdict": "pass", "artifact": ARTIFACT, "branch": "feature"}
    assert wanted.items() <= tags.items() and tags["mlflow.source.git.commit"] == "c" * 40
    assert made["params"] == {"train.trees": "5"}
    auc = EVALUATION.metric("auc")
    assert auc and auc.interval
    metrics = made["metrics"]
    assert metrics["auc", 0] == auc.candidate and metrics["auc.champion", 0] == auc.champion
    ends = metrics["auc.difference.low", 0], metrics["auc.difference.high", 0]
    assert ends == (auc.interval.low, auc.interval.high)
    assert (metrics["auc.fold", 0], metrics["auc.fold", 1], metrics["auc.folds.mean", 0]) == (0.81, 0.83, 0.82)
    [data] = made["inputs"]
    assert (data["dataset"]["name"], data["dataset"]["digest"]) == ("data/flights", "e" * 32)
    assert json.loads(data["dataset"]["source"]) == {"path": "data/flights", "md5": "e" * 32}
    assert stub.files == {f"{number}/artifacts/report.md": b"# report\n"}


def test_user_and_password_go_as_basic_authentication(stub: MLflowStub) -> None:
    settings = TrackerSettings(type="mlflow", url=stub.url, token="env:TOKEN")
    open_tracker(settings, Path(), Secrets({"TOKEN": "ada:pass:word"})).find("churn", ["0"])
    assert set(stub.authorizations) == {"Basic YWRhOnBhc3M6d29yZA=="}


def test_the_interval_of_a_first_version_is_that_of_its_own_value() -> None:
    [auc] = [metric for metric in EVALUATION.metrics if metric.name == "auc"]
    first = replace(EVALUATION, champion=None, metrics=(replace(auc, champion=None, difference=None),))
    run = proposal_run(bundle(evaluation=first), PROPOSED)
    assert {metric.name for metric in run.metrics} == {"auc", "auc.low", "auc.high"}


def test_a_proposal_without_evidence_is_a_failed_run(stub: MLflowStub) -> None:
    empty = bundle(training=None, evaluation=None, drift=None, scan=None)
    opened(stub).write(proposal_run(empty, msgspec.structs.replace(PROPOSED, outcome="error")))
    [made] = stub.runs.values()
    assert made["info"]["status"] == "FAILED" and made["tags"]["modelyard.verdict"] == "error" and not made["metrics"]


def test_writing_twice_changes_nothing_and_a_half_written_run_is_completed(stub: MLflowStub) -> None:
    run = a_run()
    tracker = opened(stub)
    tracker.write(run)
    before = msgspec.json.encode([stub.runs["0" * 32]["tags"], stub.files, stub.runs["0" * 32]["inputs"]])
    opened(stub).write(run)
    assert len(stub.runs) == 1
    assert msgspec.json.encode([stub.runs["0" * 32]["tags"], stub.files, stub.runs["0" * 32]["inputs"]]) == before
    del stub.runs["0" * 32]["tags"]["modelyard.state"]
    assert opened(stub).find("churn", [run.key])[run.key].state == ""
    assert opened(stub).write(run).state == run.state and len(stub.runs) == 1


text = st.text(min_size=1, max_size=300)


@given(st.dictionaries(text, st.one_of(text, st.floats(), st.integers()), max_size=8), text, text)
def test_any_names_become_names_that_trackers_take(params: dict[str, Any], metric: str, path: str) -> None:
    from modelyard.evidence.training import DataInput

    training = replace(TRAINING, params=params, inputs=(DataInput(path, "e" * 32),))
    evaluation = replace(EVALUATION, metrics=(replace(EVALUATION.metrics[0], name=metric, candidate=float("nan")),))
    run = proposal_run(bundle(training=training, evaluation=evaluation), PROPOSED)
    names = [*run.params, *(path.replace("/", "_") for path in run.inputs), *(one.name for one in run.metrics)]
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-. ")
    assert all(name and len(name) <= 250 and set(name) <= allowed and name.strip(" .") == name for name in names)
    assert all(len(value) <= 500 and value.isprintable() for value in run.tags.values())
    assert all(one.value == one.value for one in run.metrics)
    assert msgspec.json.decode(msgspec.json.encode(run), type=TrackedRun) == run


def test_what_is_too_much_is_left_out_and_said() -> None:
    training = replace(TRAINING, params={f"p{i}": i for i in range(500)})
    run = proposal_run(bundle(training=training), PROPOSED)
    assert len(run.params) == 300 and run.tags["left_out"] == "200 params"


# --- events of OpenLineage ---------------------------------------------------------------------------------------------


def posted_events(root: Path) -> list[dict[str, Any]]:
    """What OpenLineage's receiver gets of a proposal, of one without evidence, and of the version that it became."""
    with listening() as receiver:
        settings = TrackerSettings(type="openlineage", url=receiver.url, token="env:KEY")
        tracker = open_tracker(settings, root, Secrets({"KEY": "s3cret"}))
        run = a_run()
        failed = msgspec.structs.replace(run, key="1", failed=True)
        tags = run.tags | {"version": "v1.0.0", "stages": "production"}
        for written in (run, failed, msgspec.structs.replace(run, tags=tags, at=1_700_000_000)):
            assert tracker.write(written).state == run.state and tracker.find("churn", [run.key]) == {}
        assert {path for path, _ in receiver.posted} == {"/api/v1/lineage"}
        assert set(receiver.authorizations) == {"Bearer s3cret"}
        return [event for _, event in receiver.posted]


def test_a_receiver_of_openlineage_gets_proposals_and_versions_as_events(yard: MemoryYard) -> None:
    proposal, failed, version = posted_events(yard.checkout.root)
    assert (proposal["eventType"], failed["eventType"], version["eventType"]) == ("COMPLETE", "FAIL", "COMPLETE")
    assert proposal["job"]["name"] == "propose churn" and proposal["outputs"] == []
    assert len({event["run"]["runId"] for event in (proposal, failed, version)}) == 3
    [data] = version["inputs"]
    assert (data["name"], data["facets"]["version"]["datasetVersion"]) == ("data/flights", "e" * 32)
    [output] = version["outputs"]
    assert (output["name"], output["facets"]["version"]["datasetVersion"]) == ("models/churn", "v1.0.0")
    stands = {tag["key"]: tag["value"] for tag in output["facets"]["tags"]["tags"]}
    assert stands == {"stages": "production", "withdrawn": "", "archived": "", "verdict": "pass"}
    assert version["eventTime"] == "2023-11-14T22:13:20Z" and version["job"]["name"] == "train churn"
    tags = {tag["key"]: tag["value"] for tag in proposal["run"]["facets"]["tags"]["tags"]}
    assert (tags["verdict"], tags["commit"], tags["pull"]) == ("pass", "c" * 40, "7")


def test_an_event_of_a_version_is_of_the_run_that_lineage_shows_and_is_sent_once(
    yard: MemoryYard,
) -> None:
    with listening() as receiver:
        text = f"{CONFIG}trackers:\n  - {{type: openlineage, url: '{receiver.url}'}}\n"
        yard.commit({"modelyard.yaml": text}, "a receiver")
        yard.reopen()
        yard.add_version("v1.0.0", params={"trees": 1}, pull=3)
        assert record(yard.checkout) == [] == record(yard.checkout)
        [(_, event)] = receiver.posted
        shown = json.loads(exchanged(yard.view(), "v1.0.0", "openlineage"))
        assert event["run"]["runId"] == shown["run"]["runId"] and event["eventTime"] == shown["eventTime"]
        assert {name: event["job"][name] for name in ("namespace", "name")} == {
            name: shown["job"][name] for name in ("namespace", "name")
        }
        yard.add_stage("v1.0.0", "production")
        receiver.code = 503
        [sentence] = record(yard.checkout)
        assert "openlineage was not brought up to date" in sentence and "503" in sentence
        receiver.code = 201
        assert record(yard.checkout) == [] == record(yard.checkout)
        assert len(receiver.posted) == 3, "the refused event was sent again, once"
        [stages] = [
            t["value"] for t in receiver.posted[2][1]["outputs"][0]["facets"]["tags"]["tags"] if t["key"] == "stages"
        ]
        assert stages == "production"


# --- versions, stages, archives ---------------------------------------------------------------------------------------


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stub: MLflowStub) -> MemoryYard:
    made = memory_yard(tmp_path, monkeypatch)
    made.commit({"modelyard.yaml": f"{CONFIG}trackers:\n  - {{type: mlflow, url: '{stub.url}'}}\n"}, "trackers")
    made.reopen()
    return made


def record(checkout: Checkout) -> list[str]:
    said: list[str] = []
    Tracking(checkout, said.append).versions(["churn"])
    return said


def shown(stub: MLflowStub, name: str) -> dict[str, str]:
    return {
        run["tags"].get("modelyard.version", ""): run["tags"].get(f"modelyard.{name}", "") for run in stub.runs.values()
    }


def test_a_version_a_stage_and_an_archive_are_recorded_once(yard: MemoryYard, stub: MLflowStub) -> None:
    yard.add_version("v1.0.0", metrics={"auc": 0.7}, params={"trees": 1}, pull=3)
    yard.add_version("v1.1.0", metrics={"auc": 0.8}, params={"trees": 2}, pull=4)
    assert record(yard.checkout) == []
    assert set(shown(stub, "stages").values()) == {""} and set(shown(stub, "tag")) == {"v1.0.0", "v1.1.0"}
    assert [run["metrics"]["auc", 0] for run in stub.runs.values()] == [0.7, 0.8]
    calls = len(stub.calls)
    record(yard.checkout)
    assert {call.rpartition("/")[2] for call in stub.calls[calls:]} == {"get-by-name", "search"}, "nothing is written"
    yard.add_stage("v1.1.0", "production")
    record(yard.checkout)
    assert shown(stub, "stages") == {"v1.0.0": "", "v1.1.0": "production"}
    yard.add_stage("v1.0.0", "production")
    record(yard.checkout)
    assert shown(stub, "stages") == {"v1.0.0": "production", "v1.1.0": ""}
    commit = yard.view().version("v1.0.0").commit
    yard.tag("churn@deprecated", commit, 'Deprecating artifact churn\n\n{"why": "replaced by fraud"}\n')
    record(yard.checkout)
    assert set(shown(stub, "archived").values()) == {"replaced by fraud"} and len(stub.runs) == 2
    links = run_links(yard.checkout.evidence.filed("churn/runs/"))
    assert links["churn", "v1.1.0"] == {"MLflow": f"{stub.url}/#/experiments/1/runs/{1:032x}"}


def test_the_version_of_a_proposal_continues_its_run(yard: MemoryYard, stub: MLflowStub) -> None:
    run = a_run()
    assert Tracking(yard.checkout, pytest.fail).proposal(lambda: run) == {
        "MLflow": f"{stub.url}/#/experiments/1/runs/{0:032x}"
    }
    data = {entry.path: entry.md5 for entry in TRAINING.inputs}
    yard.add_version("v1.0.0", artifact=ARTIFACT, params=TRAINING.params, data=data, pull=7)
    record(yard.checkout)
    [made] = stub.runs.values()
    assert made["info"]["run_name"] == "churn v1.0.0" and made["tags"]["modelyard.pull_url"] == PROPOSED.url


def test_a_tracker_that_is_down_is_said_in_one_line_and_asked_again_by_the_next_command(
    yard: MemoryYard, stub: MLflowStub
) -> None:
    yard.add_version("v1.0.0")
    stub.down = True
    said: list[str] = []
    tracking = Tracking(yard.checkout, said.append)
    assert tracking.proposal(a_run) == {}
    tracking.versions(["churn"])
    assert len(said) == 1 and "mlflow was not brought up to date" in said[0] and "500" in said[0]
    assert [path.startswith(PENDING) for path in yard.checkout.evidence.filed(PENDING)] == [True]
    stub.down = False
    assert record(yard.checkout) == []
    assert {run["info"]["run_name"] for run in stub.runs.values()} == {"churn pull request 7", "churn v1.0.0"}
    assert yard.checkout.evidence.filed(PENDING) == {}


def test_an_adapter_with_a_fault_of_its_own_stops_nothing(yard: MemoryYard, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.add_version("v1.0.0")

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(MLflowTracker, "find", broken)
    [sentence] = record(yard.checkout)
    assert "ZeroDivisionError" in sentence


def test_a_token_goes_only_to_the_host_that_main_allows(yard: MemoryYard, stub: MLflowStub) -> None:
    text = f"{CONFIG}trackers:\n  - {{type: mlflow, url: '{stub.url}', token: 'env:MLFLOW_TOKEN'}}\n"
    yard.commit({"modelyard.yaml": text}, "a token")
    yard.reopen()
    yard.add_version("v1.0.0")
    [sentence] = record(yard.checkout)
    assert "env:MLFLOW_TOKEN was not sent" in sentence and not stub.calls


@pytest.mark.parametrize(
    "settings", ["{type: mlflow, url: 'ftp://x'}", "{type: wandb, project: '../x/'}", "{url: 'http://x'}"]
)
def test_settings_are_checked(settings: str) -> None:
    with pytest.raises(ManifestErrors):
        parse(Repository, f"{CONFIG}trackers:\n  - {settings}\n".encode(), "modelyard.yaml")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (TrackerSettings(type="mlflow"), "has no url"),
        (TrackerSettings(type="openlineage"), "has no url"),
        (TrackerSettings(type="wandb"), "has no project"),
        (TrackerSettings(type="wandb", project="a/b/c"), "not ENTITY/PROJECT"),
        (TrackerSettings(type="wandb", project="a", url="https://w.example"), "a url and no token"),
        (TrackerSettings(type="wandb", project="a", token="env:X"), "X is not set"),
        (TrackerSettings(type="neptune"), "is not installed"),
    ],
)
def test_a_tracker_that_cannot_be_opened_says_why(settings: TrackerSettings, problem: str) -> None:
    with pytest.raises(ModelyardError, match=problem):
        open_tracker(settings, Path(), Secrets({}))
