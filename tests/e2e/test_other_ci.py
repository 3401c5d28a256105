"""The same loop on GitLab CI, through gitlab-ci-local, and on Jenkins, through the lines its file runs.

No Jenkins can be had here: the Jenkinsfile's shell lines are run in their order, with the variables Jenkins sets. What its
own language makes of the file (when, credentials, catchError) is not tested.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from actions.pipelines import BOT, Pipelines
from actions.tiny import build, data
from e2e.conftest import Hosted
from forge.server import running
from forge.store import Pull, Store
from support.yard import git

PARAMS = "models/churn/params.yaml"


class Place(Hosted):
    """A repository on another CI system."""

    def __init__(self, pipelines: Pipelines, folder: Path) -> None:
        self.pipelines = pipelines
        super().__init__(pipelines.server, pipelines, folder)  # type: ignore[arg-type]

    @property
    def main(self) -> str:
        return self.store.head_of(self.store.name, "main")


def place(folder: Path, ci: str) -> Iterator[Place]:
    work = build(folder, ci)
    if ci == "gitlab":
        churn_on_a_runner(work)
    (folder / "forge").mkdir()
    store = Store(folder / "forge")
    for login, token in (("ada", "ada"), ("grace", "grace"), (BOT, "bot"), ("github-actions[bot]", "actions")):
        store.user(login, "write", token)
    git(work, "push", "--quiet", str(store.path(store.name)), "main")
    with running(store, folder) as server:
        yield Place(Pipelines(server, folder), folder)


def churn_on_a_runner(work: Path) -> None:
    """Lets churn, and not fraud, name a runner, and switches the jobs for it on."""
    for name in ("modelyard.yaml", "models/churn/model.yaml"):
        key = "runner" if "model.yaml" in name.split("/") else "runners"
        (work / name).write_text(f"{(work / name).read_text()}{key}: [gpu]\n")
    jobs = work / ".gitlab-ci.runners.yml"
    jobs.write_text(re.sub(r"(?m)^\.(?!on-runner)", "", jobs.read_text()))
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--amend", "--no-edit")  # a second commit would need approvals


@pytest.fixture
def gitlab(tmp_path: Path) -> Iterator[Place]:
    yield from place(tmp_path, "gitlab")


@pytest.fixture
def jenkins(tmp_path: Path) -> Iterator[Place]:
    yield from place(tmp_path, "jenkins")


def merge_request(place: Place, pull: Pull) -> str:
    """Its pipeline, and that of the default branch which reports on it, twice; what the first two print."""
    comments = len(place.store.comments)
    statuses = {sha: len(found) for sha, found in place.store.statuses.items()}
    done = run_pipeline(place, pull, place.store.head(pull))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert comments == len(place.store.comments), "a merge request's pipeline has no token"
    assert statuses == {sha: len(found) for sha, found in place.store.statuses.items()}
    asked = place.pipelines.gitlab("pipeline", place.main, CI_COMMIT_BRANCH="main")
    assert asked.returncode == 0, asked.stdout[-4000:] + asked.stderr[-4000:]
    again = place.pipelines.gitlab("schedule", place.main, CI_COMMIT_BRANCH="main", SCHEDULE="report")
    assert "Every measured merge request has its report" in again.stdout + again.stderr
    return done.stdout + asked.stdout


def run_pipeline(place: Place, pull: Pull, sha: str, **more: str) -> subprocess.CompletedProcess[str]:
    return place.pipelines.gitlab(
        "merge_request_event", sha, CI_MERGE_REQUEST_IID=str(pull.number), CI_MERGE_REQUEST_TARGET_BRANCH_NAME="main",
        CI_MERGE_REQUEST_PROJECT_PATH=place.store.name,
        CI_MERGE_REQUEST_SOURCE_BRANCH_NAME=pull.branch, **more,
    )  # fmt: skip


def merge_train(place: Place, pull: Pull) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """The pipeline of the commit that merges a merge request into main, and the states of that commit's statuses."""
    git(place.clone, "fetch", "--quiet", "origin")
    git(place.clone, "switch", "--quiet", "--detach", "origin/main")
    git(place.clone, "merge", "--quiet", "--no-ff", "-m", "train", place.store.head(pull))
    git(place.clone, "push", "--quiet", "--force", "origin", f"HEAD:refs/merge-requests/{pull.number}/train")
    sha = git(place.clone, "rev-parse", "HEAD").strip()
    done = run_pipeline(place, pull, sha, CI_MERGE_REQUEST_EVENT_TYPE="merge_train")
    return done, {status.context: status.state for status in place.store.statuses.get(sha, [])}


def test_a_merge_train_of_gitlab(gitlab: Place) -> None:
    deployed = gitlab.pipelines.gitlab("push", gitlab.main, CI_COMMIT_BRANCH="main")
    assert deployed.returncode == 0, deployed.stdout[-4000:] + deployed.stderr[-4000:]
    gitlab.push("better", {PARAMS: ("noise: 0.8", "noise: 0.2")}, "Less noise")
    done, states = merge_train(gitlab, gitlab.store.open("ada", "better", "main", "Less noise", ""))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    gitlab.push("worse", {PARAMS: ("noise: 0.8", "noise: 4.0")}, "More noise")
    done, worse = merge_train(gitlab, gitlab.store.open("ada", "worse", "main", "More noise", ""))
    assert done.returncode != 0, "so the train goes on without it"
    assert (states, worse, gitlab.store.comments) == ({}, {}, []), "it only judges, without the token"


def test_gitlab_from_proposal_to_deployment(gitlab: Place) -> None:
    deployed = gitlab.pipelines.gitlab("push", gitlab.main, CI_COMMIT_BRANCH="main")
    assert deployed.returncode == 0, deployed.stdout[-4000:] + deployed.stderr[-4000:]
    assert gitlab.served() == {"churn": "v1.0.0", "fraud": "v1.0.0"}
    gitlab.push("better", {PARAMS: ("noise: 0.8", "noise: 0.2")}, "Less noise")
    pull = gitlab.store.open("ada", "better", "main", "Less noise", "")
    before = gitlab.store.head(pull)
    merge_request(gitlab, pull)
    report = gitlab.report(pull)
    assert report.startswith("## ✅ churn may be merged") and "`/modelyard" not in report
    assert gitlab.store.head(pull) != before and gitlab.status(pull) == "success"
    assert gitlab.status(pull, "modelyard/approval") == "pending"
    gitlab.store.review(pull.number, "grace", "APPROVE")
    merge_request(gitlab, pull)
    assert gitlab.report(pull) == report, "measured again at the lock: nothing new"
    assert gitlab.status(pull, "modelyard/approval") == "success"
    gitlab.store.merge(pull.number, "grace")
    deployed = gitlab.pipelines.gitlab("push", gitlab.main, CI_COMMIT_BRANCH="main")
    assert deployed.returncode == 0, deployed.stdout[-4000:]
    assert "churn@v1.1.0" in gitlab.tags() and gitlab.served()["churn"] == "v1.1.0"
    quiet = gitlab.pipelines.gitlab("schedule", gitlab.main, CI_COMMIT_BRANCH="main", SCHEDULE="retrain")
    assert quiet.returncode == 0 and "nothing to propose" in quiet.stdout, quiet.stdout[-3000:]
    source = news(gitlab)
    retrained = gitlab.pipelines.gitlab("schedule", gitlab.main, CI_COMMIT_BRANCH="main", SCHEDULE="retrain")
    assert retrained.returncode == 0, retrained.stdout[-4000:]
    assert_proposed(gitlab, source)
    (gitlab.pipelines.home / "served/staging/log").mkdir()
    watched = gitlab.pipelines.gitlab(
        "schedule", gitlab.main, CI_COMMIT_BRANCH="main", SCHEDULE="monitor", MODELYARD_MONITOR="staging"
    )
    assert watched.returncode == 0 and "has-traffic" in watched.stdout, watched.stdout[-3000:]
    assert "names no ground_truth" in watched.stdout + watched.stderr


def news(place: Place) -> str:
    """Gives the source of churn's data more rows; the pointer to it."""
    data(place.folder / "sources/churn.parquet", rows=9000, seed=7)
    return "data/churn.parquet.dvc"


def assert_proposed(place: Place, pointer: str) -> None:
    """One pull request retrains churn on what its source has now, and has its report."""
    pull = next(pull for pull in place.store.pulls.values() if pull.branch == "modelyard/retrain/churn")
    assert {pointer, "models/churn/dvc.lock"} <= {path for path, _ in place.store.files(pull)}
    assert pull.title == "Retrain churn" and "why now" in pull.body
    assert place.status(pull) != "none" and "churn" in place.report(pull)


def test_jenkins_from_proposal_to_deployment(jenkins: Place) -> None:
    token = {"MODELYARD_TOKEN": "actions", "GITHUB_API_URL": f"{jenkins.server.url}/api/v3"}
    jenkins.pipelines.jenkins(jenkins.main, ["measure", "deploy"], **token)
    assert jenkins.served() == {"churn": "v1.0.0", "fraud": "v1.0.0"}
    jenkins.push("better", {PARAMS: ("noise: 0.8", "noise: 0.2")}, "Less noise")
    pull = jenkins.store.open("ada", "better", "main", "Less noise", "")
    change = {"CHANGE_ID": str(pull.number), "CHANGE_TARGET": "main", "CHANGE_BRANCH": "better"}
    jenkins.pipelines.jenkins(jenkins.store.head(pull), ["measure", "report"], **token, **change)
    assert jenkins.report(pull).startswith("## ✅ churn may be merged") and jenkins.status(pull) == "success"
    jenkins.store.review(pull.number, "grace", "APPROVE")
    jenkins.store.merge(pull.number, "grace")
    jenkins.pipelines.jenkins(jenkins.main, ["measure", "deploy"], **token)
    assert "churn@v1.1.0" in jenkins.tags() and jenkins.served()["churn"] == "v1.1.0"
    jenkins.traffic(1000, 1, version="v1.1.0", shift=3.0)
    by_the_clock = ["monitor", "retrain", "propose"]
    jenkins.pipelines.jenkins(jenkins.main, by_the_clock, **token, MODELYARD_MONITOR="staging")
    assert len(jenkins.store.pulls) == 1 and any("input-drift" in i.title for i in jenkins.store.issues.values())
    source = news(jenkins)
    jenkins.pipelines.jenkins(jenkins.main, by_the_clock, **token)
    assert_proposed(jenkins, source)
