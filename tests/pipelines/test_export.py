"""The generated files, and single stages run in clones that share nothing but the remote."""

from __future__ import annotations

import ast
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model, Resources
from modelyard.manifests.names import MODEL_PATTERN
from modelyard.manifests.pipeline import Pipeline, Stage, read_pipeline
from modelyard.manifests.repository import ModelRepository
from modelyard.pipelines.exported import stale_exports
from modelyard.pipelines.generated import quoted
from modelyard.pipelines.interface import engine_named, plan_of
from pipelines.conftest import DVC_YAML, cloned, outputs
from support.yard import MODEL_YAML, tool

GOLDEN = Path(__file__).parent / "golden"
ENGINES = ["kubeflow", "metaflow", "tfx"]


def manifest(**resources: object) -> Model:
    model = parse(Model, MODEL_YAML.format(name="churn").encode(), "models/churn/model.yaml")
    return msgspec.structs.replace(model, resources=msgspec.convert(resources, Resources))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_generated_file(engine: str) -> None:
    model = manifest(cpu=2.5, memory="4Gi", gpu=1, image="registry.example/churn:1")
    pipeline = read_pipeline(DVC_YAML.encode(), "models/churn/dvc.yaml")
    text = engine_named(engine).render(plan_of(model, pipeline))
    compile(text, f"{engine}.py", "exec")
    file = GOLDEN / f"{engine}.py.txt"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        pytest.fail(f"{file} was written: look at it, and commit it")
    assert text == file.read_text()


def test_every_step_comes_after_what_it_reads() -> None:
    plan = plan_of(manifest(), read_pipeline(DVC_YAML.encode(), "models/churn/dvc.yaml"))
    assert {step.stage: step.after for step in plan.steps} == {
        "prepare": (), "train-model": ("step_prepare",), "count": ("step_prepare",),
    }  # fmt: skip
    assert plan.steps[0].stage == "prepare"


_PATHS = st.frozensets(st.sampled_from(["a", "a/b", "c", "d", "."]), max_size=2)
_NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(lambda n: n[:5] != "ds://")


@given(
    st.dictionaries(_NAMES, st.tuples(_PATHS, _PATHS), min_size=1, max_size=5),
    st.from_regex(MODEL_PATTERN, fullmatch=True),
)
def test_any_pipeline_is_python_or_is_refused(
    stages: dict[str, tuple[frozenset[str], frozenset[str]]], model: str
) -> None:
    """Whatever stands in dvc.yaml, no stage's name or path becomes code, and each name comes back equal."""
    pipeline = Pipeline(tuple(Stage(f"{name}\n\"'", reads, writes) for name, (reads, writes) in stages.items()))
    named = msgspec.structs.replace(manifest(image="churn"), name=model)
    try:
        plan = plan_of(named, pipeline)
    except ModelyardError as error:
        assert "circle" in error.problem
        return
    done: set[str] = set()
    for step in plan.steps:
        assert step.name.isidentifier() and set(step.after) <= done
        done.add(step.name)
    assert len(done) == len(stages)
    for engine in ENGINES:
        assert calls_of(engine_named(engine).render(plan)) == [(model, step.stage) for step in plan.steps]


def calls_of(text: str) -> list[tuple[str, str]]:
    """The model and the stage of each call of run_stage, as Python reads the generated file."""
    compile(text, "generated", "exec")
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "run_stage":
            named = {keyword.arg: keyword.value for keyword in node.keywords}
            last = [named["model"], named["stage"]] if named else node.args[-2:]
            found.append((ast.literal_eval(last[0]), ast.literal_eval(last[1])))
    return found


@given(st.text(st.characters(exclude_categories=[])))
def test_a_text_comes_back_equal(text: str) -> None:
    literal = quoted(text)
    assert literal.isascii() and ast.literal_eval(literal) == text


@pytest.mark.parametrize("name", ["3d-churn", "churn_2", "A-b-c", "x"])
def test_any_name_of_a_model_is_python(name: str) -> None:
    model = parse(Model, MODEL_YAML.format(name=name).encode(), f"models/{name}/model.yaml")
    model = msgspec.structs.replace(model, resources=Resources(image="churn"))
    plan = plan_of(model, read_pipeline(DVC_YAML.encode(), f"models/{name}/dvc.yaml"))
    for engine in ENGINES:
        compile(engine_named(engine).render(plan), engine, "exec")


def test_what_cannot_be_exported_is_said() -> None:
    plan = plan_of(manifest(), read_pipeline(DVC_YAML.encode(), "models/churn/dvc.yaml"))
    with pytest.raises(ModelyardError, match="no container image"):
        engine_named("kubeflow").render(plan)
    with pytest.raises(ModelyardError, match=r"'kubeflo'.*Did you mean 'kubeflow'"):
        engine_named("kubeflo")
    with pytest.raises(ModelyardError, match="has no stage"):
        plan_of(manifest(), read_pipeline(b"", "models/churn/dvc.yaml"))


def test_check_tells_whether_the_file_is_current(yard: Path) -> None:
    tool(yard, "export", "kubeflow", "churn", "--check", expect=1)
    assert tool(yard, "export", "kubeflow", "churn").stdout == "models/churn/pipelines/kubeflow_pipeline.py\n"
    tool(yard, "export", "kubeflow", "churn", "--check")
    pipeline = yard / "models/churn/dvc.yaml"
    pipeline.write_text(pipeline.read_text().replace("count:", "tally:"))
    assert "is not what dvc.yaml" in tool(yard, "export", "kubeflow", "churn", "--check", expect=1).stderr
    [stale] = stale_exports(ModelRepository(yard))
    assert str(stale) == (
        "models/churn/pipelines/kubeflow_pipeline.py:1: is not what dvc.yaml and model.yaml say now."
        " Run modelyard export kubeflow churn, then commit the file."
    )
    tool(yard, "export", "kubeflow", "churn")
    assert stale_exports(ModelRepository(yard)) == []
    (yard / "models/churn/pipelines/airflow_pipeline.py").write_text("")
    [unknown] = stale_exports(ModelRepository(yard))
    assert "No exporter for the pipeline engine 'airflow' is installed." in str(unknown)


def test_a_stage_restores_what_another_clone_made(
    yard: Path, reproduced: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    monkeypatch.setenv("RAN", str(ran))
    for stage in ("prepare", "train-model", "count"):
        tool(cloned(yard, tmp_path / stage), "run", "churn", "--stage", stage)
    assert ran.read_text().split() == ["src/prepare.py", "src/train.py", "src/count.py"], "each stage ran once"
    last = cloned(yard, tmp_path / "last")
    tool(last, "run", "churn", "--stage", "train-model", "--stage", "count")
    assert ran.read_text().count("\n") == 3, "everything was restored"
    assert outputs(last) == reproduced


def test_a_stage_that_is_not_there_is_named(yard: Path) -> None:
    assert "Did you mean 'prepare'?" in tool(yard, "run", "churn", "--stage", "prepar", expect=2).stderr
    assert "exactly one model" in tool(yard, "run", "--stage", "prepare", expect=2).stderr
