"""Comment commands and scheduled work through the workflow files as rendered."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import pytest
from actions.runner import BOT
from actions.tiny import data
from e2e.conftest import OUTSIDER, Hosted
from forge.server import Fault
from support.waiting import next_second
from support.yard import git

PARAMS = "models/churn/params.yaml"
BETTER = {PARAMS: ("noise: 0.8", "noise: 0.2")}
PRODUCTION = "deployments/production/churn.yaml"


def reactions(hosted: Hosted) -> list[str]:
    """To the newest comment that somebody else than the bot wrote."""
    comment = [c for c in hosted.store.comments if c.user != BOT][-1]
    return [content for user, content in comment.reactions if user == BOT]


def test_commands_of_writers_are_carried_out_and_those_of_outsiders_refused(hosted: Hosted) -> None:
    pull = hosted.propose("worse", {PARAMS: ("noise: 0.8", "noise: 6.0")}, "More noise")
    hosted.actions.comment(pull, OUTSIDER, "/modelyard promote model=churn env=production version=v1.0.0")[0].must(
        "failure"
    )
    assert reactions(hosted) == ["eyes", "-1"] and len(hosted.store.pulls) == 1
    assert hosted.actions.comment(pull, "grace", "Looks fine, /modelyard promote later")[0].must().jobs in (
        {},
        {"answer": "skipped"},
    )
    hosted.actions.comment(pull, "grace", "/modelyard promote env=$(id)")[0].must("failure")
    assert reactions(hosted) == ["eyes", "confused"]

    hosted.actions.comment(pull, "grace", "/modelyard explain check=auc-floor")[0].must()
    assert reactions(hosted) == ["eyes", "+1"]
    assert "A weaker ranking is not useful" in hosted.store.comments[-1].body

    hosted.actions.comment(pull, "ada", "/modelyard promote model=churn env=production version=v1.0.0")[0].must()
    promotion = hosted.store.pulls[max(hosted.store.pulls)]
    assert (promotion.user, promotion.title) == (BOT, "Promote churn to v1.0.0 in production")
    assert "If nobody acts" in promotion.body and hosted.status(promotion) == "success"
    assert (
        hosted.store.git(hosted.store.name, "show", f"{promotion.branch}:{PRODUCTION}")
        == "model: churn\nversion: v1.0.0"
    )

    waive = '/modelyard waive check=auc-against-champion until=2999-01-01 reason="A test | of @everyone"'
    hosted.actions.comment(pull, "ada", waive)[0].must()
    waiver = hosted.store.pulls[max(hosted.store.pulls)]
    assert waiver.title.startswith("Waive auc-against-champion") and "@everyone" not in waiver.body
    hosted.approve(waiver, "ada")
    assert hosted.status(waiver, "modelyard/approval") == "pending", "who asked for a waiver cannot approve it"
    hosted.approve(waiver, "grace")
    assert hosted.status(waiver, "modelyard/approval") == "success"
    hosted.actions.comment(pull, "ada", waive.replace("auc-against-champion", "no-leak"))[0].must("failure")
    assert reactions(hosted) == ["eyes", "-1"], "a hard check is never waived"


def test_retrain_by_comment_is_pinned_to_the_head_that_was_seen(hosted: Hosted) -> None:
    pull = hosted.propose("better", BETTER, "Less noise")
    before = time.time()
    next_second()  # the forge's clock ticks in seconds
    hosted.push("better", {PARAMS: ("trees: 20", "trees: 21")}, "Slipped in", "origin/better")
    comment = hosted.store.comment(pull.number, "grace", "/modelyard retrain")
    hosted.actions.comment_event(pull, comment.id, "grace", comment.body, before)[0].must("failure")
    assert reactions(hosted) == ["eyes", "-1"] and not hosted.store.dispatched
    hosted.actions.pull_request(pull, "synchronize")
    hosted.actions.comment(pull, "grace", "/modelyard retrain")[0].must()
    assert reactions(hosted) == ["eyes", "+1"]
    [(workflow, branch, inputs)] = hosted.store.dispatched
    assert (workflow, branch, inputs) == ("propose.yml", "better", {"commit": hosted.store.head(pull)})
    first = hosted.report(pull)
    runs = hosted.actions.dispatch(workflow, branch, inputs)
    assert [run.workflow for run in runs] == ["propose", "report"] and runs[0].must() and runs[1].must()
    assert hosted.report(pull) == first, "the same commit gives the same report"


def test_a_scheduled_retrain_opens_one_pull_request_and_refreshes_it_the_next_day(
    hosted: Hosted, hosted_template: Path
) -> None:
    hosted.actions.schedule("retrain.yml")[0].must()
    assert not hosted.store.pulls, "nothing new: silent"
    source = hosted.folder / "sources" / "churn.parquet"
    _import_from(hosted, source)
    data(source, rows=9000, seed=7)
    hosted.actions.schedule("retrain.yml")[0].must()
    [pull] = hosted.store.pulls.values()
    assert (pull.user, pull.title, pull.branch) == (BOT, "Retrain churn", "modelyard/retrain/churn")
    assert "why now" in pull.body and "expected gain" in pull.body and "If nobody acts" in pull.body
    changed = {path for path, _ in hosted.store.files(pull)}
    assert {"data/churn.parquet.dvc", "models/churn/dvc.lock", "models/churn/profile.json"} <= changed
    assert hosted.status(pull) != "none" and "churn" in hosted.report(pull)
    first, body = hosted.store.head(pull), pull.body
    hosted.actions.schedule("retrain.yml")[0].must()
    assert hosted.store.head(pull) == first and pull.body == body, "the same day again: nothing is touched"
    data(source, rows=12000, seed=7)
    hosted.actions.schedule("retrain.yml")[0].must()
    assert list(hosted.store.pulls.values()) == [pull] and hosted.store.head(pull) != first
    hosted.report(pull)
    pull.state = "closed"
    hosted.actions.schedule("retrain.yml")[0].must()
    assert len(hosted.store.pulls) == 1, "closed means no, until the result is another one"
    monitor = hosted.actions.schedule("monitor.yml")[0].must()
    assert "No column drifted" in monitor.log and "There is no waiver" in monitor.log
    assert "Tags and evidence agree" in monitor.log


def _import_from(hosted: Hosted, source: Path) -> None:
    """Points the imported data at this test's own source; the same bytes, so nothing else changes."""
    data(source, seed=7)
    pointer = hosted.clone / "data/churn.parquet.dvc"
    before = next(line for line in pointer.read_text().splitlines() if "sources/churn.parquet" in line)
    hosted.push("source", {"data/churn.parquet.dvc": (before, f"  path: {source}")}, "Another source")
    git(hosted.clone, "push", "--quiet", "origin", "HEAD:refs/heads/main")


def test_an_expired_waiver_is_removed_by_one_pull_request(hosted: Hosted) -> None:
    lines = f'model: churn\ncheck: calibrated\nartifact: "{"a" * 64}"\nreason: was urgent\nrequested_by: "@ada"\n'
    hosted.push("waive", {"waivers/old.yaml": ("", f"{lines}expires: 2020-01-31\n")}, "A waiver")
    git(hosted.clone, "push", "--quiet", "origin", "HEAD:refs/heads/main")
    for _ in range(2):
        hosted.actions.schedule("monitor.yml")[0].must()
    found = [p for p in hosted.store.pulls.values() if p.branch == "modelyard/expired-waivers"]
    assert len(found) == 1 and found[0].title == "Remove 1 expired waiver" and "2020-01-31" in found[0].body
    gone = hosted.store.git(hosted.store.name, "diff", "--name-status", "main", found[0].branch).split()
    assert gone == ["D", "waivers/old.yaml"]


@pytest.mark.parametrize(("code", "said"), [(500, "answered 500"), (0, "did not answer")])
def test_a_forge_that_does_not_answer_is_an_error_and_never_a_verdict(hosted: Hosted, code: int, said: str) -> None:
    hosted.push("better", {"README.md": ("", "# words only\n")}, "Words")
    pull = hosted.store.open("ada", "better", "main", "Words", "")
    hang = 30.0 if not code else 0.0
    hosted.actions.forge_seconds = 600 if code else 5
    hosted.server.faults.append(
        Fault("POST", "/statuses/", code or 500, times=99, hang=hang, headers={"Retry-After": "0"})
    )
    runs = hosted.actions.pull_request(pull)
    assert runs[-1].must("failure").log.count("Traceback") == 0
    assert said in runs[-1].log and hosted.status(pull) == "none"
    hosted.server.faults.clear()
    hosted.actions.workflow_run(runs[0], pull, hosted.store.last_seen[pull.number])[0].must()
    assert hosted.status(pull) == "success"


def test_through_cml_and_through_the_api_there_is_one_comment(hosted: Hosted) -> None:
    double = hosted.folder / "cml-bin"
    double.mkdir()
    if real := os.environ.get("CML_BIN"):
        (double / "cml").symlink_to(real)
    else:
        text = (Path(__file__).parents[1] / "actions" / "cml.py").read_text()
        (double / "cml").write_text(text.replace("/usr/bin/env python3", sys.executable, 1))
        (double / "cml").chmod(0o755)
    hosted.actions._cml = double
    pull = hosted.propose("better", BETTER, "Less noise")
    through_cml = hosted.report(pull)
    assert '"CML watermark modelyard-' in hosted.comment(pull)
    propose = next(run for run in hosted.actions.runs if run.workflow == "propose")
    hosted.actions.workflow_run(propose, pull, hosted.store.last_seen[pull.number])[0].must()
    assert hosted.report(pull) == through_cml, "nothing new, nothing written"
    hosted.actions._cml = None  # CML cannot be installed on that day
    hosted.push_again(pull, {PARAMS: ("trees: 20", "trees: 21")}, "Another tree")
    assert "train.trees | 20 | 21" in hosted.report(pull)
    hosted.actions._cml = double
    hosted.push_again(pull, {PARAMS: ("trees: 21", "trees: 22")}, "And another")
    assert "train.trees | 20 | 22" in hosted.report(pull)
    shutil.rmtree(double)
    # On a pull request with many comments CML would not find its own, and would add another one.
    long = hosted.store.open("ada", _branch(hosted), "main", "Many words", "")
    for i in range(31):
        hosted.store.comment(long.number, "grace", f"word {i}")
    hosted.actions.pull_request(long)
    hosted.actions.pull_request(long, "synchronize")
    hosted.report(long)


def _branch(hosted: Hosted) -> str:
    hosted.push("many-words", {PARAMS: ("trees: 20", "trees: 30")}, "Talked about a lot")
    return "many-words"


def test_a_rollouts_clock_enters_no_environment_without_need(hosted: Hosted) -> None:
    idle = hosted.actions.schedule("rollout.yml")[0].must()
    assert "any=false" in idle.log and "modelyard deploy --env" not in idle.log, "nobody is asked in vain"
    hosted.push("promote", {PRODUCTION: ("", "model: churn\nversion: v1.0.0\n")}, "Promote v1.0.0")
    git(hosted.clone, "push", "--quiet", "origin", "HEAD:refs/heads/main")
    due = hosted.actions.schedule("rollout.yml")[0]
    assert "production: churn: nothing serves, and main wants v1.0.0" in due.log
    entered = {name: state for name, state in due.jobs.items() if "deploy to" in name}
    assert entered == {"reconcile/deploy to production": "failure"}, (
        "it is asked, and the door refuses what nobody approved"
    )
