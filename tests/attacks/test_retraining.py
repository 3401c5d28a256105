"""What a model's training on the default branch tries: it has no token, and writes the folder that is proposed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from forge.place import forge_with_people
from forge.server import ForgeServer
from modelyard.errors import ModelyardError
from modelyard.evidence.statement import write_statement
from modelyard.evidence.training import RetrainingRecord
from modelyard.retraining.handed_over import read_trained
from modelyard.retraining.situation import file_retraining
from modelyard.retraining.trained import Trained
from modelyard.review.jobs import Left
from setup.test_template import job_of_gitlab, jobs_of_gitlab
from support.evidence import ARTIFACT, TRAINING
from support.retrained import AFTER, FILES, LOCK, PIPELINE, POINTER, RUN, HandedOver
from support.yard import CONFIG, commit_all, git, tool, write

TEMPLATE = Path(__file__).parents[2] / "model-repo-template"
TRAINS = re.compile(r"modelyard (run|retrain|evaluate|reproduce) |modelyard propose (?!.*--from)")


@pytest.fixture
def handed(tmp_path: Path) -> HandedOver:
    return HandedOver(tmp_path)


def refused(handed: HandedOver, match: str) -> None:
    with pytest.raises(ModelyardError, match=match) as error:
        handed.propose()
    assert error.value.remedy and len(error.value.problem) < 1000
    assert handed.pushed() == {} and handed.forge.pulls == {} and handed.records() == []


def test_to_print_the_token_from_a_models_training_on_main() -> None:
    training = set()
    for file in sorted((TEMPLATE / ".github/workflows").glob("*.yml")):
        workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
        for name, job in workflow["jobs"].items():
            if TRAINS.search("\n".join(step.get("run", "") for step in job.get("steps", ()))):
                training.add(f"{file.stem}/{name}")
                levels = {level for what, level in job["permissions"].items() if what != "id-token"}
                assert levels == {"read"}, f"{file.name} {name}"  # test_roles.py looks at the OpenID token
                assert "TOKEN" not in yaml.safe_dump([workflow.get("env"), job]), f"{file.name} {name}"
    assert {"measure/measure"} == training
    jobs = jobs_of_gitlab()
    trains = {name for name, job in jobs.items() if isinstance(job, dict) and TRAINS.search("\n".join(_script(job)))}
    assert trains == {"measure", "measure-main", "retrain"}
    assert not [name for name in trains if "environment" in job_of_gitlab(jobs, name)], "the token has a scope"
    stages = re.findall(r"\n    stage\('(\w+)'\)(.*?)\n    \}", (TEMPLATE / "Jenkinsfile").read_text(), re.S)
    assert {name for name, body in stages if TRAINS.search(body)} == {"measure", "retrain"}
    assert not [name for name, body in stages if TRAINS.search(body) and "credentials(" in body]


def _script(job: dict[str, object]) -> list[str]:
    script = job.get("script", [])
    return [str(line) for line in script] if isinstance(script, list) else []


WATCHER = """\
import os, sys
def note(event, values):
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn"):
        said.write(f"{event} {os.path.basename(str(values[0]))}\\n")
    elif event == "import" and values[0].partition(".")[0] in ("dvc", "lightgbm", "pyarrow", "pandas", "sklearn"):
        said.write(f"import {values[0]}\\n")
    elif event == "compile" and "models/churn" in str(values[1]):
        said.write(f"compile {values[1]}\\n")
said = open(os.environ["NOTES"], "a", buffering=1)
sys.addaudithook(note)
"""
"""Notes every process and every library of models that the command starts or loads."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ForgeServer]:
    with forge_with_people(tmp_path, "bot", monkeypatch) as server:
        yield server


def test_to_have_code_run_by_the_job_that_proposes(place: ForgeServer, tmp_path: Path) -> None:
    ran, notes = tmp_path / "ran", tmp_path / "notes"
    code = f"open({str(ran)!r}, 'a').write('ran')\n"
    store = place.store
    git(tmp_path, "clone", "--quiet", str(store.path(store.name)), "clone")
    clone = tmp_path / "clone"
    write(clone, {**FILES, "modelyard.yaml": f"{CONFIG}forge: github\n"})
    write(clone, {f"models/churn/src/{name}.py": code for name in ("train", "predict", "settings", "__init__")})
    write(clone, {"models/churn/dvc.yaml": PIPELINE.replace("cmd: x", f"cmd: touch {ran}")})
    write(clone, {"conftest.py": code, "sitecustomize.py": code, "models/churn/sitecustomize.py": code})
    base = commit_all(clone, "A repository")
    git(clone, "push", "--quiet", "origin", "HEAD:refs/heads/main")
    git(clone, "fetch", "--quiet", "origin")
    folder = HandedOver(tmp_path / "memory").folder
    training = write_statement("training", "churn", ARTIFACT, replace(TRAINING, commit=base)).decode()
    write(folder / "churn", {"training.json": training})
    write(folder / "churn", {"src/train.py": code, "sitecustomize.py": code, "generated/train.py": code})
    write(tmp_path, {"watched/sitecustomize.py": WATCHER})
    said = tool(
        clone, "propose", "churn", "--cause", "schedule", "--from", str(folder),
        PYTHONPATH=str(tmp_path / "watched"), NOTES=str(notes), CI="true", GITHUB_TOKEN="bot",
        GITHUB_API_URL=f"{place.url}/api/v3", GITHUB_REPOSITORY=store.name, GIT_SSL_CAINFO=str(place.ca),
    ).stdout  # fmt: skip
    [pull] = [pull for pull in store.pulls.values() if pull.branch == "modelyard/retrain/churn"]
    assert said.startswith(f"churn: opened pull request {pull.number}.")
    changed = {path for path, _ in store.files(pull)}
    assert changed == {POINTER, "models/churn/dvc.lock"} and store.comments_of(pull.number)
    assert not ran.exists() and {*notes.read_text().splitlines()} == {"subprocess.Popen git"}


def test_to_point_a_data_import_at_another_source(handed: HandedOver) -> None:
    handed.leave({f"imports/{POINTER}": AFTER.replace("s3://bucket", "s3://evil")})
    refused(handed, r"has another deps\[0\]\.path")


def test_to_have_a_data_import_overwrite_code(handed: HandedOver) -> None:
    handed.leave({f"imports/{POINTER}": AFTER.replace("  path: rows.csv", "  path: ../models/churn/src/train.py")})
    refused(handed, r"has another outs\[0\]\.path")


def test_to_change_files_that_no_retraining_writes(handed: HandedOver) -> None:
    handed.leave(
        {
            "generated/src/train.py": "evil",
            "generated/model.yaml": "evil",
            "imports/models/churn/src/train.py": "evil",
            "imports/data/other.csv.dvc": AFTER,
            "imports/modelyard.yaml": "evil",
            "src/train.py": "evil",
        }
    )
    handed.leave({f"imports/{POINTER}": AFTER, "generated/dvc.lock": LOCK.format(md5="e")}, model="fraud")
    write(handed.folder, {".github/workflows/retrain.yml": "evil", "evil/run.json": "{}"})
    handed.propose()
    assert set(handed.pushed()) == {POINTER, "models/churn/dvc.lock"}


def test_to_write_outside_with_the_names_in_the_folder_of_a_retraining(handed: HandedOver) -> None:
    (handed.folder / "churn/imports/etc").symlink_to("/etc")
    pointer = handed.folder / "churn/imports" / POINTER
    pointer.unlink()
    pointer.symlink_to("/etc/passwd")
    handed.propose()
    assert set(handed.pushed()) == {"models/churn/dvc.lock"}, "no link is followed"


def test_to_file_a_retraining_outside_its_folder_of_the_evidence_branch(handed: HandedOver) -> None:
    for artifact in ("../../x", "a/b", "A" * 64, ARTIFACT + "0", ""):
        handed.say(RUN, artifact=artifact)
        refused(handed, "does not name an artifact of churn")
    handed.say(RUN, model="fraud")
    refused(handed, "does not name an artifact of churn")
    assert handed.evidence.filed_files == {}


@pytest.mark.parametrize(
    "lie",
    ['"seconds": -1.0', '"seconds": 1e300', '"seconds": 1e999', '"seconds": NaN', '"seconds": Infinity',
     '"seconds": "60"', '"seconds": null', f'"size": {"9" * 5000}', f'"size": {"9" * 30}', '"size": -1',
     f'"rows": {"9" * 30}', '"rows": -5', '"rows": 1.5', '"reproduced": 2', '"cause": ["schedule"]'],
)  # fmt: skip
def test_to_crash_or_escape_the_budget_with_numbers_that_cannot_be(handed: HandedOver, lie: str) -> None:
    content = write_statement("run", "churn", ARTIFACT, RUN).decode()
    key = lie.partition(":")[0]
    forged = re.sub(rf"{key}: [^,\n]+", lambda _: lie, content)
    assert forged != content
    handed.leave({"run.json": forged})
    refused(handed, "run evidence is not valid|cannot be proposed")


def test_to_have_a_verdict_of_ones_own_taken_with_a_retraining(handed: HandedOver) -> None:
    passed = {"verdict.json": '{"outcome": "pass"}', "reproduction.json": "{}", "report.md": "# passed"}
    handed.leave(passed)
    view = handed.checkout.model("churn")
    trained = read_trained(view, Left(handed.folder), "schedule")
    assert isinstance(trained, Trained) and set(trained.documents) == {"training", "evaluation", "drift", "artifact"}


def test_to_have_a_model_proposed_that_the_job_was_not_asked_about(handed: HandedOver) -> None:
    content = {path.name: path.read_text() for path in (handed.folder / "churn").glob("*.json")}
    handed.leave(content | {"generated/dvc.lock": LOCK.format(md5="e")}, model="fraud")
    handed.propose()
    assert all("fraud" not in path for path in handed.pushed()) and len(handed.forge.pulls) == 1
    with pytest.raises(ModelyardError, match="does not name an artifact of fraud"):
        handed.propose(model="fraud")


def test_to_retrain_while_a_budget_holds(handed: HandedOver) -> None:
    view = handed.checkout.model("churn")
    for hour in range(10):
        at = time.time() - 3600.0 * (hour + 1)
        file_retraining(view, ARTIFACT, RetrainingRecord(at, "schedule", (), 60.0, False, "It was tried.", None))
    done = handed.propose()
    assert (done.done, handed.pushed()) == ("held", {}) and done.why.startswith("The budget is used up: 10 of 10 runs")
    assert len(handed.records()) == 11, "and what it cost counts too"
