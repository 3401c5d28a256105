"""Answers to the template, and what is left of a repository that could not be written."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from modelyard import __version__
from modelyard.errors import ModelyardError, UsageError
from modelyard.setup import template
from modelyard.setup.template import QUESTIONS, write_repository
from support.yard import tool, write

ROOT = Path(__file__).parents[2]


class Copier:
    """A Copier that writes one file, and keeps what it was asked."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.settings: dict[str, Any] = {}
        self.source: list[str] = []
        self.error: Exception | None = None

    def run_copy(self, source: str, folder: str, *, data: dict[str, Any], **settings: Any) -> None:
        self.data, self.settings = data, settings
        self.source = sorted(path.name for path in Path(source).iterdir())
        write(Path(folder), {"modelyard.yaml": "x"})
        if self.error:
            raise self.error


class CopierError(Exception):
    pass


class NewGit:
    """A git that begins in a folder; it commits, or refuses to."""

    error: ModelyardError | None = None

    def __init__(self, root: Path) -> None:
        self.root = root

    def start(self) -> None:
        (self.root / ".git").mkdir()

    def commit_all(self, message: str) -> str:
        if self.error:
            raise self.error
        return "c" * 40


@pytest.fixture
def copier(monkeypatch: pytest.MonkeyPatch) -> Iterator[Copier]:
    fake = Copier()
    module, errors = ModuleType("copier"), ModuleType("copier.errors")
    module.run_copy = fake.run_copy  # type: ignore[attr-defined]
    errors.CopierError = CopierError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "copier", module)
    monkeypatch.setitem(sys.modules, "copier.errors", errors)
    monkeypatch.setattr(template, "Git", NewGit)
    yield fake
    NewGit.error = None


def test_answers_reach_the_template(copier: Copier, tmp_path: Path) -> None:
    folder = tmp_path / "yard"
    commit = write_repository(folder, ["owner=@us", "staging_port=9000", "remote_url=s3://b/m?x=1"], ask=False)
    assert commit == "c" * 40
    assert copier.data == {
        "owner": "@us", "staging_port": 9000, "remote_url": "s3://b/m?x=1", "repository_name": "yard",
        "toolkit_version": __version__,
    }  # fmt: skip
    assert copier.settings["defaults"] is True
    assert copier.source == ["copier.yml", "model-repo-template", "policies"], "nothing else of a checkout is copied"
    write_repository(tmp_path / "other", ["repository_name=own"], ask=True)
    assert copier.data["repository_name"] == "own" and copier.settings["defaults"] is False


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        ("ownr=x", "Did you mean 'owner'?"),
        ("owner", "Did you mean 'owner'?"),
        ("weather=9", "Known: "),
        ("=x", "Known: "),
    ],
)
def test_a_wrong_answer_is_wrong_use_and_writes_nothing(
    copier: Copier, tmp_path: Path, answer: str, remedy: str
) -> None:
    with pytest.raises(UsageError) as error:
        write_repository(tmp_path / "yard", [answer], ask=False)
    assert repr(answer) in error.value.problem and error.value.remedy.startswith(remedy)
    assert not (tmp_path / "yard").exists()


@example("staging_port", "²")
@given(st.sampled_from([key for key in QUESTIONS if key not in ("cml", "cloud_runner")]), st.text(max_size=20))
def test_any_value_of_a_question_is_an_answer(key: str, value: str) -> None:
    name, answered = template._answer(f"{key}={value}")
    assert name == key and str(answered) in (value, str(int(value)) if value.isdecimal() else value)


@pytest.mark.parametrize("key", ["cml", "cloud_runner"])
def test_a_decision_is_yes_or_no(key: str) -> None:
    assert template._answer(f"{key}=no") == (key, False) and template._answer(f"{key}=Yes") == (key, True)
    with pytest.raises(UsageError, match="neither yes nor no"):
        template._answer(f"{key}=nope")


def test_the_workflow_that_starts_machines_is_off_and_holds_its_keys_apart() -> None:
    asked = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    assert asked["cloud_runner"]["default"] is False
    assert "{% if not cloud_runner %}.github/workflows/runner.yml{% endif %}" in asked["_exclude"]
    workflow = yaml.safe_load((ROOT / "model-repo-template/.github/workflows/runner.yml").read_text(encoding="utf-8"))
    plan, launch = workflow["jobs"]["plan"], workflow["jobs"]["launch"]
    assert "head_repository.full_name == github.repository" in plan["if"], "a fork starts no machine"
    assert "secrets" not in yaml.safe_dump(plan) and launch["environment"] == "cloud-runner"
    assert launch["permissions"] == {} and not any("checkout" in step.get("uses", "") for step in launch["steps"])


def test_the_questions_are_those_of_the_template() -> None:
    questions = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    asked = {
        name for name, question in questions.items() if not name.startswith("_") and question.get("when") is not False
    }
    assert asked == set(QUESTIONS)


@pytest.mark.parametrize(
    ("files", "match"), [({"x": ""}, "is not empty"), ({"modelyard.yaml": ""}, "is already a model repository")]
)
def test_a_folder_with_files_is_left_alone(copier: Copier, tmp_path: Path, files: dict[str, str], match: str) -> None:
    write(tmp_path, files)
    with pytest.raises(UsageError, match=match):
        write_repository(tmp_path, [], ask=False)
    assert [path.name for path in tmp_path.iterdir()] == list(files)


@pytest.mark.parametrize("existed", [True, False])
@pytest.mark.parametrize(
    ("copied", "committed", "match"),
    [
        (CopierError("Validation error for question 'policy'\nmore"), None, "Validation error for question 'policy'$"),
        (ValueError(""), None, "ValueError$"),
        (OSError(28, "No space left on device"), None, "No space left"),
        (None, ModelyardError("git commit failed: who are you", "Set your name."), "who are you"),
    ],
)
def test_after_an_error_the_folder_is_as_before(
    copier: Copier,
    tmp_path: Path,
    existed: bool,
    copied: Exception | None,
    committed: ModelyardError | None,
    match: str,
) -> None:
    folder = tmp_path / "yard"
    if existed:
        folder.mkdir()
    copier.error, NewGit.error = copied, committed
    with pytest.raises(ModelyardError) as error:
        write_repository(folder, [], ask=False)
    assert error.value.remedy and re.search(match, error.value.problem)
    assert folder.exists() == existed and (not existed or list(folder.iterdir()) == [])


def test_without_copier_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "copier", None)
    with pytest.raises(ModelyardError) as error:
        write_repository(tmp_path / "yard", [], ask=False)
    assert error.value.remedy == "Install it with: pip install 'modelyard[init]'"


def test_the_requirement_files_fit_the_models_after_add_and_remove(tmp_path: Path) -> None:
    tool(tmp_path, "init", "yard", "--example", "none")
    yard, serving = tmp_path / "yard", tmp_path / "yard/requirements/serving.txt"
    before = serving.read_text(encoding="utf-8")
    assert "xgboost" not in before
    rows = [f"{row},{row % 7},{'yes' if row % 3 else 'no'}" for row in range(60)]
    (tmp_path / "rows.csv").write_text("\n".join(["a,b,label", *rows]) + "\n", encoding="utf-8")
    said = tool(yard, "add", "churn", "--data", "../rows.csv", "--flavor", "xgboost", "--json").stdout
    assert "requirements/serving.txt" in json.loads(said)["written"]
    assert "xgboost" in serving.read_text(encoding="utf-8")
    said = tool(yard, "remove", "churn", "--force", "--json").stdout
    assert "requirements/serving.txt" in json.loads(said)["changed"]
    assert serving.read_text(encoding="utf-8") == before


def test_no_job_of_github_runs_a_models_code_and_holds_a_key_or_a_token_that_writes() -> None:
    for file in sorted((ROOT / "model-repo-template/.github/workflows").glob("*.yml")):
        workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
        groups = [
            part["concurrency"]["group"] for part in (workflow, *workflow["jobs"].values()) if "concurrency" in part
        ]
        # What is called has that of its caller; rollout.yml and most of deploy.yml have one for each environment there.
        assert groups or set(workflow[True]) == {"workflow_call"} or file.name == "rollout.yml"
        assert all("repo" in group for group in groups), file.name
        for name, job in workflow["jobs"].items():
            text = yaml.safe_dump([workflow.get("env"), job])
            if re.search(r"modelyard (run|retrain|evaluate|reproduce) ", text):
                levels = {level for what, level in job["permissions"].items() if what != "id-token"}
                assert levels == {"read"}, f"{file.name} {name}"  # tests/attacks/test_roles.py looks at the identity
                assert "SIGNING" not in text and "GITHUB_TOKEN" not in text, f"{file.name} {name}"
            if re.search("modelyard (register|propose) ", text):
                assert "--from" in text and "measuring" not in text, f"{file.name} {name}"


def test_what_runs_a_models_code_is_in_no_environment_that_registers_or_deploys() -> None:
    inside, running = set(), set()
    for file in sorted((ROOT / "model-repo-template/.github/workflows").glob("*.yml")):
        for name, job in yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].items():
            text = yaml.safe_dump(job)
            if job.get("environment", "measure") not in ("measure", "cloud-runner"):
                inside.add(f"{file.stem}/{name}")
            if re.search(r"modelyard (run|retrain|evaluate|reproduce) ", text):
                running.add(f"{file.stem}/{name}")
                assert "SIGNING" not in text, f"{file.name} {name}"
    assert inside == {"deploy/register", "reconcile/deploy", "monitor/windows"}
    assert "measure/measure" in running and not inside & running


def test_each_finding_that_zizmor_is_told_to_ignore_has_its_reason() -> None:
    folder = ROOT / "model-repo-template/.github"
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.yml"))]
    ignored = [line for text in texts for line in text.splitlines() if "zizmor: ignore" in line or "disable:" in line]
    assert all(re.search(r"(zizmor: ignore\[[a-z-]+\]|true #) \w.{5,}$", line) for line in ignored), ignored
    assert len(ignored) <= 13, "they become fewer: a secret belongs to an environment"


def test_only_steps_that_tell_trackers_get_their_tokens_and_their_runs_are_kept() -> None:
    telling = set()
    for file in sorted((ROOT / "model-repo-template/.github/workflows").glob("*.yml")):
        text = file.read_text(encoding="utf-8")
        workflow = yaml.safe_load(text)
        for name, job in workflow["jobs"].items():
            steps = [step for step in job.get("steps", []) if "WANDB_API_KEY" in step.get("env", {})]
            assert yaml.safe_dump([workflow.get("env"), job]).count("secrets.WANDB_API_KEY") == len(steps)
            for step in steps:
                telling.add((file.stem, name))
                assert re.match("modelyard (comment --from|register|deploy --env)", step["run"])
                assert {"MLFLOW_TOKEN", "OPENLINEAGE_API_KEY"} <= set(step["env"])
                assert any(step.get("with", {}).get("path") == ".modelyard/trackers" for step in job["steps"])
    assert telling == {("report", "report"), ("deploy", "register"), ("reconcile", "deploy")}
    gitlab = jobs_of_gitlab()
    assert gitlab["default"]["artifacts"]["paths"] == [".modelyard/trackers/"]
    assert not any("artifacts" in gitlab[job] for job in ("report", "deploy", "rollout")), "they take the default"


def test_no_stage_of_jenkins_and_no_job_of_gitlab_that_measures_gets_what_registers() -> None:
    text = (ROOT / "model-repo-template/Jenkinsfile").read_text(encoding="utf-8")
    stages = dict(re.findall(r"\n    stage\('(\w+)'\) \{(.*?)\n    \}", text, re.S))
    assert set(stages) == {"measure", "report", "deploy", "monitor", "retrain", "propose"}
    for name, body in stages.items():
        assert ("modelyard run " in body) != ("credentials(" in body), name
        assert ("credentials(" in body) == ("ws(" in body), f"{name} has a workspace of its own"
    assert "propose --all" in stages["propose"] and "--from .modelyard/retrained" in stages["propose"]
    assert "measuring" not in stages["propose"]
    assert "register --unregistered --from .modelyard/measured" in stages["deploy"]
    jobs = jobs_of_gitlab()
    running = {name for name, job in jobs.items() if "modelyard run " in yaml.safe_dump(job)}
    registering = {name for name, job in jobs.items() if "modelyard register" in yaml.safe_dump(job)}
    assert running == {"measure", "measure-main", "retrain"} and registering == {"deploy"}
    assert not any("environment" in job_of_gitlab(jobs, name) for name in running), "so they have no token"
    posting = {name for name in jobs if job_of_gitlab(jobs, name).get("environment", {}).get("name") == "modelyard-bot"}
    assert posting == {".posting", "report", "monitor", "propose"}
    assert "--from jobs:retrain" in jobs["propose"]["script"][-1]
    assert "--from jobs:measure-main" in yaml.safe_dump(jobs["deploy"]["script"])
    assert all(job_of_gitlab(jobs, name)["dependencies"] == [] for name in posting), "the runner unpacks nothing there"
    assert "measuring" not in jobs["propose"]["variables"]["JOBS"]
    asked = "$CI_PIPELINE_SOURCE"
    of_merge_requests = {
        name for name, job in jobs.items() if not name.startswith(".")
        and "merge_request_event" in yaml.safe_dump(job)
    }  # fmt: skip
    assert of_merge_requests == {"measure", "ask-for-report", "workflow"}, "the token is protected: these have none"
    assert "script" not in jobs["ask-for-report"] and jobs["ask-for-report"]["inherit"]["variables"] is False
    assert jobs["ask-for-report"]["trigger"]["forward"] == {"yaml_variables": False}
    assert jobs["report"]["script"] == ["modelyard comment --measured"]
    of_others = [rule["if"] for rule in jobs["report"]["rules"]]
    assert all(rule.startswith(asked) for rule in of_others) and "measuring" not in jobs["report"]["variables"]["JOBS"]
    deploying = {name for name in jobs if job_of_gitlab(jobs, name).get("environment", {}).get("name") == "modelyard"}
    assert deploying == {".deploying", "deploy", "rollout"}
    assert all(job_of_gitlab(jobs, name)["dependencies"] == [] for name in deploying)
    assert not any("measuring" in jobs[name]["variables"]["JOBS"] for name in ("deploy", "rollout"))


class _Loader(yaml.SafeLoader):
    """Reads GitLab's references as what they name."""


def _reference(loader: yaml.SafeLoader, node: yaml.SequenceNode) -> str:
    return ".".join(loader.construct_sequence(node))


_Loader.add_constructor("!reference", _reference)


def jobs_of_gitlab() -> dict[str, Any]:
    """The jobs of .gitlab-ci.yml, and of the files for roles and by the clock that it includes."""
    folder = ROOT / "model-repo-template"
    names = (".gitlab-ci.yml", ".gitlab/credentials.yml", ".gitlab/scheduled.yml")
    texts = [(folder / name).read_text(encoding="utf-8") for name in names]
    main, roles, scheduled = (yaml.load(text, Loader=_Loader) for text in texts)  # noqa: S506  a safe one
    assert all({"local": name} in main["include"] for name in names[1:])
    jobs: dict[str, Any] = main | roles | scheduled
    return jobs


def job_of_gitlab(jobs: dict[str, Any], name: str) -> dict[str, Any]:
    """A job with what it extends; an empty one for what is no job."""
    job = jobs[name]
    if not isinstance(job, dict):
        return {}
    extended = job.get("extends", [])
    merged: dict[str, Any] = {}
    for other in [extended] if isinstance(extended, str) else extended:
        merged |= job_of_gitlab(jobs, other)
    return merged | job


def test_the_jobs_of_gitlab_for_runners_are_off_and_complete() -> None:
    main = jobs_of_gitlab()
    more = yaml.safe_load((ROOT / "model-repo-template/.gitlab-ci.runners.yml").read_text(encoding="utf-8"))
    assert {"local": ".gitlab-ci.runners.yml"} in main["include"]
    assert all(name.startswith(".") for name in more), "hidden, so GitLab runs none of them"
    extended = {one for name, job in more.items() if name != ".on-runner" for one in job["extends"]}
    assert extended - {".on-runner"} == {"measure", "measure-main", "retrain"} < set(main)
    jobs = [job for job in (main | more).values() if isinstance(job, dict)]
    training = [line for job in jobs for part in job.get("script", []) for line in part.splitlines()
                if "modelyard run " in line]  # fmt: skip
    assert len(training) == 4 and all('--runner "$RUNNER"' in line for line in training)
