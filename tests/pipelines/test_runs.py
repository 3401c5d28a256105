"""A retraining on an engine: submitted once, found again, waited for, cancelled; its results come back through DVC."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.candidate import engine_run
from modelyard.candidate.engine_run import train_on
from modelyard.checkout.checkout import Checkout
from modelyard.errors import ModelyardError, UsageError
from modelyard.manifests.configuration import EngineSettings
from modelyard.pipelines.runs import EngineRun, RunRequest, State, follow, open_service
from modelyard.secrets.interface import Secrets
from pipelines.conftest import outputs
from support.engines import EngineStub, engine_server
from support.yard import commit_all, git, tool

REQUEST = RunRequest("churn", "c" * 40, "https://git.example/models.git")
COMPILED = b"""\
pipelineInfo: {name: churn}
root: {inputDefinitions: {parameters: {commit: {parameterType: STRING}, repository: {parameterType: STRING}}}}
"""
STATES = {
    "kubeflow": ["PENDING", "RUNNING", "RUNNING", "SUCCEEDED"],
    "argo": ["Pending", "Running", "Running", "Succeeded"],
}
FAILED = {"kubeflow": ["RUNNING", "FAILED"], "argo": ["Running", "Failed"]}
KINDS = pytest.mark.parametrize("kind", ["kubeflow", "argo"])


class Said(list[str]):
    def __call__(self, text: str) -> None:
        self.append(text)


def settings(kind: str, url: str, **more: str) -> EngineSettings:
    return EngineSettings(name="cluster", type=kind, url=url, namespace="models", token="env:TOKEN", **more)


def service(kind: str, stub: EngineStub) -> Any:
    return open_service(settings(kind, stub.url), Secrets({"TOKEN": "s3cret"}))


@KINDS
def test_a_run_is_submitted_once_and_found_again(kind: str) -> None:
    with engine_server(EngineStub(STATES[kind]), kind) as stub:
        said = Said()
        run = follow(service(kind, stub), REQUEST, lambda: COMPILED, said, lambda: None)
        assert run.state == "succeeded" and len(stub.runs) == 1
        assert said[0].startswith("Submitted churn at cccccccccc. http") and "steps are done" in said[-1]
        assert len(said) == len(set(said)), "a state that stays is said once"
        again = follow(service(kind, stub), REQUEST, pytest.fail, Said(), lambda: None)
        assert again.id == run.id and len(stub.runs) == 1
        other = RunRequest("churn", "d" * 40, REQUEST.repository)
        follow(service(kind, stub), other, lambda: COMPILED, Said(), lambda: None)
        assert len(stub.runs) == 2 and stub.authorizations == {"Bearer s3cret"}


@KINDS
def test_a_command_that_was_stopped_finds_its_run_and_one_that_is_told_to_cancels_it(kind: str) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with engine_server(EngineStub(STATES[kind]), kind) as stub:
        said = Said()
        with pytest.raises(KeyboardInterrupt):
            follow(service(kind, stub), REQUEST, lambda: COMPILED, said, interrupted)
        assert not stub.cancelled and said[-1] == "The run goes on; the same command waits for it."
        with pytest.raises(KeyboardInterrupt):
            follow(service(kind, stub), REQUEST, pytest.fail, said, interrupted, cancel=True)
        assert len(stub.cancelled) == 1 and len(stub.runs) == 1
        found = service(kind, stub).find(REQUEST)
        assert found.state == "cancelled"


@KINDS
def test_a_failed_run_is_told_and_the_next_command_submits_anew(kind: str) -> None:
    with engine_server(EngineStub(FAILED[kind]), kind) as stub:
        with pytest.raises(ModelyardError, match="The run of churn at cccccccccc failed") as error:
            follow(service(kind, stub), REQUEST, lambda: COMPILED, Said(), lambda: None)
        assert stub.url in error.value.remedy
        stub.states = STATES[kind]
        assert follow(service(kind, stub), REQUEST, lambda: COMPILED, Said(), lambda: None).state == "succeeded"
        assert len(stub.runs) == 2


def test_argo_gets_every_parameter_as_metaflow_reads_it() -> None:
    with engine_server(EngineStub(STATES["argo"]), "argo") as stub:
        service("argo", stub).submit(REQUEST, b"")
        given = {one["name"]: one["value"] for one in stub.runs[0]["spec"]["arguments"]["parameters"]}
        assert given == {"repository": f'"{REQUEST.repository}"', "commit": f'"{REQUEST.commit}"'}


@pytest.mark.parametrize(
    ("kind", "more", "match"),
    [
        ("kubeflow", {"url": ""}, "has no url"),
        ("argo", {"namespace": ""}, "has no namespace"),
        ("airflow", {}, "not installed"),
    ],
)
def test_an_engine_that_lacks_something_is_refused(kind: str, more: dict[str, str], match: str) -> None:
    whole = {"url": "http://127.0.0.1:9", "namespace": "models"} | more
    with pytest.raises(ModelyardError, match=match):
        open_service(EngineSettings(name="cluster", type=kind, **whole), Secrets({}))


@KINDS
def test_a_server_that_is_gone_or_refuses_is_one_sentence(kind: str) -> None:
    gone = open_service(settings(kind, "http://127.0.0.1:9"), Secrets({"TOKEN": "s3cret"}))
    with pytest.raises(ModelyardError, match="does not answer") as error:
        gone.find(REQUEST)
    assert "s3cret" not in error.value.problem + error.value.remedy
    with engine_server(EngineStub(STATES[kind]), kind) as stub, pytest.raises(ModelyardError, match="answered 404"):
        service(kind, stub).look("none")


def test_what_is_no_specification_is_not_submitted() -> None:
    with engine_server(EngineStub(STATES["kubeflow"]), "kubeflow") as stub:
        for compiled in (b"", b"[]", b"a: 1"):
            with pytest.raises(ModelyardError, match="no specification of Kubeflow"):
                service("kubeflow", stub).submit(REQUEST, compiled)
        assert stub.runs == []


class Scripted:
    """An engine whose runs pass through given states; the person is stopped at given looks."""

    compiles = False

    def __init__(self, states: list[State], stops: set[int]) -> None:
        self.states, self.stops, self.looks = states, stops, 0
        self.runs: list[EngineRun] = []

    def find(self, request: RunRequest) -> EngineRun | None:
        return self.runs[-1] if self.runs else None

    def submit(self, request: RunRequest, compiled: bytes) -> EngineRun:
        assert not self.runs or self.runs[-1].state in ("failed", "cancelled"), "never two at a time"
        self.runs.append(EngineRun(str(len(self.runs)), "waiting"))
        return self.runs[-1]

    def look(self, id: str) -> EngineRun:
        self.looks += 1
        if self.looks in self.stops:
            raise KeyboardInterrupt
        state = self.states[min(self.looks, len(self.states)) - 1]
        self.runs[-1] = EngineRun(id, state)
        return self.runs[-1]

    def cancel(self, id: str) -> None:
        self.runs[-1] = EngineRun(id, "cancelled")


@given(
    st.lists(st.sampled_from(["waiting", "running", "failed", "cancelled"]), max_size=6),
    st.sets(st.integers(1, 6)),
    st.booleans(),
)
def test_whoever_repeats_the_command_ends_with_one_run_that_succeeded(
    states: list[State], stops: set[int], cancel: bool
) -> None:
    engine = Scripted([*states, "succeeded"], stops)
    for _ in range(20):
        try:
            run = follow(engine, REQUEST, lambda: b"", Said(), lambda: None, cancel=cancel)
            break
        except (KeyboardInterrupt, ModelyardError):
            continue
    assert run.state == "succeeded" and engine.runs[-1] == run
    before = len(engine.runs)
    follow(engine, REQUEST, lambda: b"", Said(), pytest.fail)
    assert len(engine.runs) == before


@pytest.fixture
def pushed(yard: Path, tmp_path: Path) -> Iterator[tuple[Path, EngineStub]]:
    """A repository with a remote, and an engine that does what its steps would do: a clone that runs every stage."""
    git(tmp_path, "clone", "--quiet", "--bare", str(yard), "origin.git")
    git(yard, "remote", "add", "origin", str(tmp_path / "origin.git"))

    def work(run: dict[str, Any]) -> None:
        parameters = run["runtime_config"]["parameters"]
        shutil.rmtree(tmp_path / "step", ignore_errors=True)
        git(tmp_path, "clone", "--quiet", parameters["repository"], "step")
        git(tmp_path / "step", "checkout", "--quiet", parameters["commit"])
        for stage in ("prepare", "train-model", "count"):
            tool(tmp_path / "step", "run", "churn", "--stage", stage)

    with engine_server(EngineStub(STATES["kubeflow"], work), "kubeflow") as stub:
        config = yard / "modelyard.yaml"
        config.write_text(config.read_text() + f"engines: [{{name: cluster, type: kubeflow, url: {stub.url!r}}}]\n")
        commit_all(yard, "An engine")
        yield yard, stub


def test_the_results_come_back_and_nothing_is_run_here(
    pushed: tuple[Path, EngineStub], reproduced: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard, stub = pushed
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    monkeypatch.setattr(engine_run, "compiled_pipeline", lambda text: COMPILED)
    monkeypatch.setattr(engine_run, "_SECONDS", 0)
    view = Checkout(yard).model("churn")
    with pytest.raises(UsageError, match="on no branch of the remote") as error:
        train_on(view, "cluster", Said(), cancel=False)
    assert "git push" in error.value.remedy
    git(yard, "push", "--quiet", "origin", "HEAD:main")
    with pytest.raises(UsageError, match="no engine 'clutser'") as error:
        train_on(view, "clutser", Said(), cancel=False)
    assert "Did you mean 'cluster'?" in error.value.remedy
    said = Said()
    train_on(view, "cluster", said, cancel=False)
    assert len((tmp_path / "ran").read_text().split()) == 3, "each stage once, on the engine"
    assert outputs(yard) == reproduced and len(stub.runs) == 1
    (yard / "models/churn/dvc.yaml").write_text((yard / "models/churn/dvc.yaml").read_text() + "# ours\n")
    with pytest.raises(UsageError, match="not committed"):
        train_on(view, "cluster", said, cancel=False)


def test_kfp_compiles_what_is_submitted_and_its_own_client_sends_the_same(
    yard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stub takes both, so it is no easier on us than on KFP's client."""
    from modelyard.manifests.repository import ModelRepository
    from modelyard.pipelines.compiled import compiled_pipeline
    from modelyard.pipelines.exported import export

    compiled = compiled_pipeline(export(ModelRepository(yard), "churn", "kubeflow"))
    (tmp_path / "pipeline.yaml").write_bytes(compiled)
    with engine_server(EngineStub(STATES["kubeflow"]), "kubeflow") as stub:
        plain = open_service(EngineSettings(name="cluster", type="kubeflow", url=stub.url), Secrets({}))
        plain.submit(REQUEST, compiled)
        script = (
            f"import kfp; c = kfp.Client(host={stub.url!r}); e = c.get_experiment(experiment_name='churn');"
            "c.run_pipeline(e.experiment_id, 'theirs', pipeline_package_path='pipeline.yaml',"
            f" params={{'repository': {REQUEST.repository!r}, 'commit': {REQUEST.commit!r}}})"
        )
        python = Path(sys.prefix) / "pipelines/bin/python"
        done = subprocess.run([python, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        ours, theirs = stub.runs
        for part in ("pipeline_spec", "experiment_id"):
            assert ours[part] == theirs[part]
        assert ours["runtime_config"]["parameters"] == theirs["runtime_config"]["parameters"]
        found = plain.find(REQUEST)
        assert found is not None and found.id == ours["run_id"]
