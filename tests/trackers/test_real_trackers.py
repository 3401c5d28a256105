"""The trackers against MLflow's real server and W&B's real client, which writes offline."""

from __future__ import annotations

import json
import struct
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from modelyard.errors import ModelyardError
from modelyard.manifests.configuration import TrackerSettings
from modelyard.secrets.interface import Secrets
from modelyard.trackers.discovery import open_tracker
from modelyard.trackers.mlflow import MLflowTracker
from modelyard.trackers.wandb import FOLDER, WandbTracker
from support.versions import add_stage, add_version
from support.wandb import wandb_stub
from support.yard import CONFIG, commit_all, small_repository, tool
from targets.conftest import mlflow_server
from trackers.test_trackers import a_run

_BLOCK = 32768


def records(file: Path) -> list[tuple[str, str]]:
    """Kind and text of every record of an offline run, as ``wandb sync`` reads them: LevelDB's log format."""
    from wandb.proto import wandb_internal_pb2

    content, at, parts, found = file.read_bytes(), 7, b"", []
    assert content.startswith(b":W&B")
    while at + 7 <= len(content):
        if _BLOCK - at % _BLOCK < 7:  # no header begins in the last six bytes of a block
            at += _BLOCK - at % _BLOCK
            continue
        _, size, kind = struct.unpack("<IHB", content[at : at + 7])
        parts += content[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last part
            record = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
            record.ParseFromString(parts)
            found.append((record.WhichOneof("record_type"), str(record)))
            parts = b""
    return found


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


def everything(tracker: MLflowTracker, url: str, model: str) -> list[dict[str, Any]]:
    experiment = tracker._experiment(model, create=False)
    return tracker._server.runs(experiment, "attributes.status != 'DELETED'")


def test_a_real_mlflow_takes_a_proposal_once(url: str) -> None:
    settings = TrackerSettings(type="mlflow", url=url, project="acme")
    tracker = open_tracker(settings, Path(), Secrets({}))
    assert isinstance(tracker, MLflowTracker) and tracker.find("churn", ["0" * 32]) == {}
    run = a_run()
    written = tracker.write(run)
    again = open_tracker(settings, Path(), Secrets({}))
    assert again.find("churn", [run.key]) == {run.key: written} == {run.key: again.write(run)}
    many = [run.key, *(f"{i:032x}" for i in range(5))]
    assert again.find("churn", many) == {run.key: written}
    [made] = everything(tracker, url, "churn")
    assert made["info"]["status"] == "FINISHED" and made["info"]["run_name"] == run.name
    latest = {one["key"]: one["value"] for one in made["data"]["metrics"]}
    assert latest["auc.difference.low"] < latest["auc.difference.high"] and latest["auc.fold"] == 0.83
    history = tracker._server.get("metrics/get-history", {"run_id": made["info"]["run_id"], "metric_key": "auc.fold"})
    assert {(one.get("step", 0), one["value"]) for one in history["metrics"]} == {(0, 0.81), (1, 0.83)}
    [data] = made["inputs"]["dataset_inputs"]
    assert data["dataset"]["digest"] == "e" * 32 and data["dataset"]["source_type"] == "dvc"
    number = made["info"]["run_id"]
    place = made["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    with urllib.request.urlopen(f"{url}/api/2.0/mlflow-artifacts/artifacts/{place}/report.md") as answer:
        assert answer.read() == b"# report\n"
    assert written.url.endswith(f"/runs/{number}")


def test_commands_bring_a_real_mlflow_up_to_date(url: str, tmp_path: Path) -> None:
    yard = small_repository(tmp_path / "yard", ("spam",))
    (yard / "modelyard.yaml").write_text(f"{CONFIG}trackers:\n  - {{type: mlflow, url: '{url}'}}\n")
    commit_all(yard, "a tracker")
    add_version(yard, "spam", "v1.0.0")
    add_version(yard, "spam", "v1.1.0")
    add_stage(yard, "spam", "v1.1.0", "staging")
    done = tool(yard, "deprecate", "spam@v1.0.0", "--why", "a leak")
    assert "tracker" not in done.stderr
    tracker = open_tracker(TrackerSettings(type="mlflow", url=url), Path(), Secrets({}))
    assert isinstance(tracker, MLflowTracker)
    found = {}
    for run in everything(tracker, url, "spam"):
        tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
        found[tags["modelyard.version"]] = (tags["modelyard.stages"], tags["modelyard.withdrawn"])
    assert found == {"v1.0.0": ("", "a leak"), "v1.1.0": ("staging", "")}
    tool(yard, "site", "--out", "site")
    assert f"{url}/#/experiments/" in (yard / "site/models/spam.html").read_text()


def test_the_client_of_wandb_writes_an_offline_run(tmp_path: Path) -> None:
    settings = TrackerSettings(type="wandb", project="acme/models")
    tracker = open_tracker(settings, tmp_path, Secrets({}))
    run = a_run()
    written = tracker.write(run)
    assert written.url == f"https://wandb.ai/acme/models/runs/{run.key}"
    assert open_tracker(settings, tmp_path, Secrets({})).find("churn", [run.key, "0"]) == {run.key: written}
    [file] = (tmp_path / FOLDER / "wandb").glob("offline-run-*/*.wandb")
    found = records(file)
    assert {"run", "history", "artifact", "exit"} <= {kind for kind, _ in found}
    whole = "".join(said for _, said in found)
    for said in ("train.trees", "auc.difference.low", "auc.fold", "report.md", "e" * 32, "c" * 40):
        assert said in whole, said
    staged = [path.read_bytes() for path in (tmp_path / FOLDER / "artifacts").rglob("*") if path.is_file()]
    assert b"# report\n" in staged, "wandb sync finds the report beside the run"
    assert b"requirements.txt" not in file.read_bytes() and not list(file.parent.glob("files/*")), (
        "nothing of the machine"
    )


def test_the_client_of_wandb_uploads_a_run_and_a_refused_one_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "k" * 40
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    with wandb_stub(key) as stub:
        settings = TrackerSettings(type="wandb", project="acme/models", url=stub.url, token="env:WANDB_API_KEY")
        run = a_run()
        wrong = open_tracker(settings, tmp_path, Secrets({"WANDB_API_KEY": "w" * 40}))
        with pytest.raises(ModelyardError) as error:
            wrong.write(run)
        assert "did not take the run of churn pull request 7: user is not logged in" in error.value.problem
        assert stub.refused and not stub.runs and wrong.find("churn", [run.key]) == {}, "the next command tries again"
        tracker = open_tracker(settings, tmp_path, Secrets({"WANDB_API_KEY": key}))
        assert isinstance(tracker, WandbTracker)
        written = tracker.write(run)
        assert written.url == f"{stub.url}/acme/models/runs/{run.key}"
        assert tracker.find("churn", [run.key]) == {run.key: written}
        made = stub.runs[run.key]
        assert (made["entity"], made["project"], made["jobType"]) == ("acme", "models", "proposal")
        assert "c" * 40 in made["config"] and "train.trees" in made["config"]
        assert "auc.difference.low" in "".join(stub.streamed) and stub.artifacts == [f"report-{run.key}"]
        stub.streamed.clear()
        tracker.write(
            msgspec.structs.replace(run, name="churn v1.0.0", state="2", tags=run.tags | {"version": "v1.0.0"})
        )
        assert set(stub.runs) == {run.key} and stub.runs[run.key]["displayName"] == "churn v1.0.0"
        assert not any("wandb-history" in said for said in stub.streamed), "no step is appended a second time"
        shown = json.loads(stub.files["wandb-summary.json"])
        assert shown["auc"] == {m.name: m.value for m in run.metrics}["auc"] and "auc.fold" not in shown
    monkeypatch.setattr("modelyard.trackers.wandb._SECONDS", 2)
    for marked in (tmp_path / FOLDER / "wandb").glob("*/*.wandb.sync*"):
        marked.unlink()
    with pytest.raises(ModelyardError, match="no answer in 2 seconds"):
        tracker._upload(run)
