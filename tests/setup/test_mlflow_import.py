"""The registry of an MLflow server as versions of a real repository: a stub on loopback, and the real server."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from modelyard.checkout.guard import check_registry
from modelyard.review.mainline import Mainline
from modelyard.setup.mlflow_import import Imported, import_mlflow
from modelyard.targets.mlflow_server import MLflowServer
from support.mlflow import MLflowStub, mlflow_stub
from support.versions import add_version, opened
from support.yard import commit_all, git, small_repository, tool, write
from targets.conftest import mlflow_server

HOSTILE = 'evil\x1b[2J\u202e\n{"artifact": "0"}'


@pytest.fixture
def stub() -> Iterator[MLflowStub]:
    with mlflow_stub() as served:
        yield served


def imported(folder: Path, url: str, *only: str) -> Imported:
    return import_mlflow(opened(folder), MLflowServer(url), frozenset(only), lambda text: None)


def refs(folder: Path) -> str:
    return git(folder, "for-each-ref", "refs/tags", "refs/heads")


def test_versions_aliases_and_runs_become_tags_and_evidence(stub: MLflowStub, tmp_path: Path) -> None:
    yard = small_repository(tmp_path / "yard")
    head = git(yard, "rev-parse", "HEAD")
    stub.register(
        "spam", 1, {"MLmodel": b"", "model.pkl": b"\x80\x04."}, params={"trees": "5"}, metrics={("auc", 0): 0.7}
    )
    stub.register("spam", 2, {"data/model.lgb": b"tree"}, aliases=("champion", "production"), metrics={("auc", 0): 0.8})
    done = imported(yard, stub.url)
    assert (done.versions, done.known, done.unsafe, done.stages) == (2, 0, 1, ("spam#champion#1",))
    assert [sentence.partition(":")[0] for sentence in done.left_out] == ["spam"] and "production" in done.left_out[0]
    checkout = opened(yard)
    history = checkout.history("spam")
    assert [v.version for v in history.versions] == ["v1.0.0", "v2.0.0"] and history.latest is None
    first = history.versions[0].record
    assert first and first.params == {"trees": "5"} and first.metrics == {"auc": 0.7} and first.imported == stub.url
    assert history.versions[0].at == 1_700_000_000
    champion = history.assigned("champion")
    assert champion and champion.version == "v2.0.0" and checkout.model("spam").champion is None
    filed = json.loads(checkout.evidence.filed("spam/imports/")["spam/imports/spam@v1.0.0.json"])
    assert filed["unsafe"] == ["model.pkl"] and ["model.pkl", 3] in filed["files"] and filed["run"] == "0" * 32
    assert "the sha256 of the artifact" in filed["unknown"]
    assert not [call for call in stub.calls if call.endswith((".pkl", ".lgb"))], "no artifact is fetched"
    Mainline(checkout, None).require_kept()  # an imported version and its alias are at a commit beside main
    assert git(yard, "rev-parse", "HEAD") == head and git(yard, "status", "--porcelain") == ""
    assert check_registry(checkout) == check_registry(opened(small_repository(tmp_path / "other")))
    found = tool(yard, "search", "auc>=0.75").stdout
    assert "v2.0.0" in found and "v1.0.0" not in found and "imported" in found and "archived" not in found


def test_importing_twice_changes_nothing_and_later_adds_what_is_new(stub: MLflowStub, tmp_path: Path) -> None:
    yard = small_repository(tmp_path / "yard")
    stub.register("spam", 1, {}, aliases=("champion",))
    imported(yard, stub.url)
    before = refs(yard)
    again = imported(yard, stub.url)
    assert (again.versions, again.known, again.stages) == (0, 1, ()) and refs(yard) == before
    stub.register("spam", 2, {})
    stub.models[0]["aliases"] = [{"alias": "champion", "version": "2"}]
    later = imported(yard, stub.url)
    assert (later.versions, later.known, later.stages) == (1, 1, ("spam#champion#2",))


def test_hostile_names_and_texts_are_refused_or_made_safe(stub: MLflowStub, tmp_path: Path) -> None:
    yard = small_repository(tmp_path / "yard")
    for name in ("../../etc", "a@v1.0.0", HOSTILE, "x" * 200):
        stub.register(name, 1, {})
    stub.register("spam", 1, {f"{'d' * 10}/x.txt": b""}, aliases=("--all", "a#b"), tags={"mlflow.user": HOSTILE},
                  params={HOSTILE: HOSTILE}, metrics={(HOSTILE, 0): float("nan"), ("auc", 0): 0.5})  # fmt: skip
    stub.versions.append({"name": "spam", "version": "1.5", "source": "file:///etc/passwd"})
    done = imported(yard, stub.url)
    assert done.versions == 1 and len(done.left_out) == 7
    assert all(sentence.isprintable() for sentence in done.left_out)
    [version] = opened(yard).history("spam").versions
    assert version.record and version.record.metrics == {"auc": 0.5} and version.record.artifact == ""
    assert all(name.isprintable() for name in version.record.params)
    assert git(yard, "tag").split() == ["spam@v1.0.0"]


def test_a_version_of_this_repository_is_never_replaced(stub: MLflowStub, tmp_path: Path) -> None:
    yard = small_repository(tmp_path / "yard")
    add_version(yard, "churn", "v1.0.0")
    stub.register("churn", 1, {})
    stub.register("churn", 2, {})
    done = imported(yard, stub.url)
    assert done.versions == 1 and "churn@v1.0.0 exists here and was not imported from this server" in done.left_out[0]
    history = opened(yard).history("churn")
    assert history.latest and history.latest.version == "v1.0.0", "the version that was registered here stays champion"
    write(yard, {"deployments/production/churn.yaml": "model: churn\nversion: v2.0.0\n"})
    commit_all(yard, "deploy what was imported")
    refused = tool(yard, "deploy", "--env", "production", expect=None)
    assert (
        refused.returncode in (1, 4)
        and "v2.0.0 was imported from another registry" in " ".join(refused.stderr.split())
        and not git(yard, "tag", "--list", "churn#*")
    )


def test_the_command_says_what_is_left_out(stub: MLflowStub, tmp_path: Path) -> None:
    yard = small_repository(tmp_path / "yard")
    stub.register("spam", 1, {"model.pkl": b""})
    done = tool(yard, "import", "mlflow", "--url", stub.url)
    assert "1 versions imported" in done.stdout and "may run code" in done.stderr
    refused = tool(yard, "import", "mlflow", "--url", stub.url, "--token", "env:TOKEN", expect=1, TOKEN="s3cret")
    assert "env:TOKEN was not sent" in refused.stderr and not any(stub.authorizations)
    stub.down = True
    assert "MLflow answered 500" in tool(yard, "import", "mlflow", "--url", stub.url, expect=4).stderr


def test_an_import_is_pushed_to_the_remote(stub: MLflowStub, tmp_path: Path) -> None:
    yard = small_repository(tmp_path / "yard")
    git(tmp_path, "clone", "--quiet", "--bare", str(yard), "remote.git")
    git(tmp_path, "clone", "--quiet", str(tmp_path / "remote.git"), "clone")
    stub.register("spam", 1, {})
    imported(tmp_path / "clone", stub.url)
    assert git(tmp_path / "remote.git", "tag") == "spam@v1.0.0"
    assert imported(yard, stub.url).versions == 1, "a clone without that remote knows nothing of it"


def post(url: str, path: str, body: dict[str, Any], method: str = "POST") -> Any:
    asked = urllib.request.Request(
        f"{url}/api/2.0/mlflow/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(asked) as answer:
        return json.load(answer)


def test_the_registry_of_a_real_server_is_imported(tmp_path: Path) -> None:
    yard = small_repository(tmp_path / "yard")
    with mlflow_server(tmp_path) as url:
        server = MLflowServer(url)
        for name in ("spam", "../../etc spam"):
            try:
                post(url, "registered-models/create", {"name": name})
            except urllib.error.HTTPError as error:  # newer servers refuse such a name themselves
                assert name != "spam" and error.code == 400
        for number in (1, 2, 3):
            run = post(url, "runs/create", {"experiment_id": "0", "tags": [{"key": "mlflow.user", "value": "ada"}]})[
                "run"
            ]["info"]
            place = {"run_id": run["run_id"]}
            post(url, "runs/log-batch", place | {
                "params": [{"key": "trees", "value": str(number)}],
                "metrics": [{"key": "auc", "value": 0.7 + number / 100, "timestamp": 1, "step": 0}],
            })  # fmt: skip
            dataset = {"name": "flights", "digest": "e" * 32, "source_type": "local", "source": "{}"}
            post(url, "runs/log-inputs", place | {"datasets": [{"dataset": dataset}]})
            server.upload(run["artifact_uri"], "model/MLmodel", b"flavors: {}")
            server.upload(run["artifact_uri"], "model/data/model.pkl", b"\x80\x04.")
            post(url, "model-versions/create", {"name": "spam", "source": f"{run['artifact_uri']}/model", **place})
        post(url, "registered-models/alias", {"name": "spam", "alias": "champion", "version": "3"})
        done = imported(yard, url)
        assert (done.versions, done.unsafe, done.stages) == (3, 3, ("spam#champion#1",))
        before = refs(yard)
        assert imported(yard, url).known == 3 and refs(yard) == before
    history = opened(yard).history("spam")
    record = history.versions[2].record
    assert record and record.params == {"trees": "3"} and record.metrics == {"auc": pytest.approx(0.73)}
    assert record.data == {"flights": "e" * 32} and history.versions[2].at > 1_700_000_000
    filed = json.loads(opened(yard).evidence.filed("spam/imports/")["spam/imports/spam@v3.0.0.json"])
    assert {path for path, _ in filed["files"]} == {"MLmodel", "data/model.pkl"} and filed["unsafe"] == [
        "data/model.pkl"
    ]


def test_a_thousand_versions_are_imported(stub: MLflowStub, tmp_path: Path) -> None:
    yard = small_repository(tmp_path / "yard")
    for number in range(1, 1001):
        stub.register("spam", number, {"MLmodel": b"", "data/model.lgb": b""}, params={"trees": str(number)})
    assert imported(yard, stub.url).versions == 1000
    assert len(opened(yard).history("spam").versions) == 1000
    assert imported(yard, stub.url).known == 1000
