from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.checkout.jobs import shards
from support.yard import DVC_YAML, commit_all, git, small_repository, tool, write


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    return small_repository(tmp_path, ("churn", "fraud", "price"))


def affected(yard: Path, base: str = "main") -> dict[str, list[str]]:
    found = json.loads(tool(yard, "affected", "--base", base, "--json").stdout)
    return {entry["model"]: entry["reasons"] for entry in found["include"]}


def change(yard: Path, files: dict[str, str]) -> None:
    git(yard, "switch", "--quiet", "--create", "change")
    write(yard, files)
    commit_all(yard, "change")


def only_shared(extra: str = "") -> str:
    return DVC_YAML.replace("../../data/flights, ", "") + extra


def test_own_files(yard: Path) -> None:
    change(yard, {"models/churn/params.yaml": "train: {trees: 6}\n"})
    assert affected(yard) == {"churn": ["models/churn/params.yaml"]}


def test_a_data_pointer_and_shared_code_touch_who_reads_them(yard: Path) -> None:
    write(
        yard,
        {
            "models/fraud/dvc.yaml": only_shared(),
            "models/price/dvc.yaml": only_shared().replace("../../shared/features.py", "src/x.py"),
        },
    )
    commit_all(yard, "fraud reads no flights, price nothing shared")
    change(yard, {"data/flights.dvc": "outs:\n- {md5: b.dir, path: flights}\n"})
    assert affected(yard) == {"churn": ["data/flights.dvc"]}
    write(yard, {"shared/features.py": "x = 1\n"})
    commit_all(yard, "shared")
    assert set(affected(yard)) == {"churn", "fraud"}


def test_a_policy_touches_who_is_judged_by_it(yard: Path) -> None:
    model = yard / "models/price/model.yaml"
    model.write_text(model.read_text().replace("policy: standard", "policy: regulated"))
    commit_all(yard, "regulated")
    policy = (yard / "policies/regulated.yaml").read_text()
    change(yard, {"policies/regulated.yaml": policy.replace("0.005", "0.5")})
    assert affected(yard) == {"price": ["policies/regulated.yaml"]}


def test_a_model_that_reads_another_models_output(yard: Path) -> None:
    reader = "stages:\n  a:\n    cmd: x\n    deps: [../churn/model.txt]\n    outs: [model.txt]\n"
    write(yard, {"models/price/dvc.yaml": reader, "models/fraud/dvc.yaml": reader.replace("churn", "price")})
    commit_all(yard, "chain")
    change(yard, {"models/churn/src/train.py": "y = 2\n"})
    assert set(affected(yard)) == {"churn", "fraud", "price"}


def test_templates_are_filled_and_unreadable_pipelines_count_as_touched(yard: Path) -> None:
    write(yard, {
        "models/fraud/dvc.yaml": "stages:\n  a:\n    cmd: x\n    deps: ['${source}']\n    outs: [model.txt]\n",
        "models/fraud/params.yaml": "source: ../../data/flights\n",
        "models/price/dvc.yaml": "stages: [flights\n",
    })  # fmt: skip
    commit_all(yard, "template")
    change(yard, {"data/flights.dvc": "outs:\n- {md5: c.dir, path: flights}\n"})
    assert set(affected(yard)) == {"churn", "fraud", "price"}


def test_a_folder_a_wdir_and_a_comment(yard: Path) -> None:
    stage = "stages:\n  a:\n    cmd: x\n    %s\n    outs: [model.txt]\n"
    write(yard, {
        "models/churn/dvc.yaml": stage % "deps: [../../data]",
        "models/fraud/dvc.yaml": stage % "wdir: ../..\n    deps: [data/flights]",
        "models/price/dvc.yaml": stage % "deps: [src/train.py] # not ../../data/flights",
    })  # fmt: skip
    commit_all(yard, "three ways to name it")
    change(yard, {"data/flights.dvc": "outs:\n- {md5: c.dir, path: flights}\n"})
    assert set(affected(yard)) == {"churn", "fraud"}


def test_a_very_large_diff(yard: Path) -> None:
    change(yard, {f"docs/page-{i}.md": "x" for i in range(150)} | {"shared/features.py": "y = 1\n"})
    assert set(affected(yard)) == {"churn", "fraud", "price"}


def test_documents_touch_nothing(yard: Path) -> None:
    change(yard, {"README.md": "words", "deployments/production/churn.yaml": "model: churn\nversion: latest\n"})
    assert affected(yard) == {}
    assert affected(yard, "HEAD") == {}


def test_unknown_and_unrelated_revisions(yard: Path) -> None:
    assert "no commit 'nowhere'" in tool(yard, "affected", "--base", "nowhere", expect=2).stderr
    assert "not a git revision" in tool(yard, "affected", "--base=--output=x", expect=2).stderr
    git(yard, "checkout", "--quiet", "--orphan", "island")
    commit_all(yard, "island")
    assert "no common commit" in tool(yard, "affected", "--base", "main", expect=2).stderr


def test_git_environment_of_a_hook_does_not_mislead(yard: Path) -> None:
    change(yard, {"models/churn/params.yaml": "train: {trees: 7}\n"})
    done = tool(yard, "affected", "--base", "main", GIT_DIR="/nonexistent", GIT_WORK_TREE="/nonexistent")
    assert done.stdout == "churn\n"


def test_a_matrix_has_at_most_256_jobs(yard: Path) -> None:
    manifest = (yard / "models/churn/model.yaml").read_text()
    names = [f"m{i:03}" for i in range(297)]
    files = {f"models/{name}/model.yaml": manifest.replace("churn", name) for name in names}
    write(yard, files | {f"models/{name}/dvc.yaml": DVC_YAML for name in names})
    commit_all(yard, "many models")
    change(yard, {"data/flights.dvc": "outs:\n- {md5: b.dir, path: flights}\n"})
    lines = tool(yard, "affected", "--base", "main", "--github").stdout.splitlines()
    assert lines[0] == "any=true"
    jobs = json.loads(lines[1].removeprefix("matrix="))["include"]
    assert len(jobs) == 256 and {len(job["model"].split()) for job in jobs} == {1, 2}
    assert sorted(name for job in jobs for name in job["model"].split()) == sorted([*names, "churn", "fraud", "price"])
    assert len({job.get("name", job["model"]) for job in jobs}) == 256, "names of artifacts"


def test_a_model_names_its_runner_among_those_that_main_allows(yard: Path) -> None:
    config, model = yard / "modelyard.yaml", yard / "models/churn/model.yaml"
    wanted = "runner: [self-hosted, gpu]\ntimeout: 6h\n"
    git(yard, "switch", "--quiet", "--create", "greedy")
    config.write_text(config.read_text() + "runners: [self-hosted, gpu]\n")
    model.write_text(model.read_text() + wanted)
    commit_all(yard, "allows itself a runner")
    said = tool(yard, "affected", "--base", "main", "--github", expect=4)
    assert "'self-hosted' is not among the runners of modelyard.yaml on the default branch" in said.stderr
    assert said.stdout == ""
    git(yard, "switch", "--quiet", "main")
    config.write_text(config.read_text() + "runners: [self-hosted, gpu]\n")
    commit_all(yard, "runners")
    change(
        yard, {"models/churn/model.yaml": model.read_text() + wanted, "models/fraud/params.yaml": "train: {trees: 9}\n"}
    )
    lines = tool(yard, "affected", "--base", "main", "--github").stdout.splitlines()
    assert json.loads(lines[1].removeprefix("matrix=")) == {"include": [
        {"model": "churn", "runner": ["self-hosted", "gpu"], "minutes": 360}, {"model": "fraud"},
    ]}  # fmt: skip
    assert tool(yard, "affected", "--base", "main", "--runner", "gpu").stdout == "churn\n"
    assert tool(yard, "affected", "--base", "main", "--runner", "").stdout == "fraud\n"
    assert tool(yard, "affected", "--base", "main", "--runner", "tpu", "--github").stdout.splitlines()[0] == "any=false"
    assert (
        json.loads(tool(yard, "affected", "--all", "--github").stdout.splitlines()[1][7:])["include"][0]["minutes"]
        == 360
    )


def test_a_folder_that_a_shell_would_split_is_refused(yard: Path) -> None:
    change(yard, {"models/a --push/model.yaml": (yard / "models/churn/model.yaml").read_text()})
    said = tool(yard, "affected", "--base", "main", "--github", expect=4)
    assert "is not the name of a model" in said.stderr and said.stdout == ""


@given(st.integers(0, 3000), st.integers(1, 300))
def test_shards_are_balanced_and_lose_nothing(count: int, most: int) -> None:
    models = [str(i) for i in range(count)]
    found = shards(models, most)
    assert [name for group in found for name in group] == models and len(found) == min(count, most)
    sizes = {len(group) for group in found}
    assert not sizes or (min(sizes) >= 1 and max(sizes) - min(sizes) <= 1)
