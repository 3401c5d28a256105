"""Runs that are killed at any effect, and concurrent runs: they end in the state of one undisturbed run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelyard.checkout.evidence_branch import EvidenceBranch
from modelyard.checkout.tags import settle_tags
from modelyard.deployment import delivery, rollback
from modelyard.deployment.delivery import Deployer
from modelyard.deployment.planning import Planner
from modelyard.deployment.record import read_rollouts
from modelyard.forges.ci import CI
from modelyard.forges.git import GitForge
from modelyard.git import Git
from modelyard.predictions.layout import Layout
from modelyard.rollout.analysis import Samples
from modelyard.secrets.interface import Secrets
from modelyard.targets.interface import Health
from modelyard.targets.local import LocalTarget
from support.versions import opened
from support.yard import commit_all, git, tool

MODEL = "flight-delay"
FILE = f"deployments/production/{MODEL}.yaml"
APPROVED = "Approved-by: Grace Reviewer <grace@example.org>"
CANARY = (
    "rollout: {strategy: canary, steps: [{weight: 20}, {weight: 50}], analysis: {minimum_samples: 10, errors: {}}}\n"
)


class Killed(BaseException):
    """The end of the program, as by kill -9; no handler catches it."""


@dataclass
class Fate:
    """Kills the program before or after its n-th effect on Git or the target."""

    left: int = -1
    touches: int = 0
    work: int = 0
    """Effects without the pull request, which every run refreshes."""

    def guard(self, action: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **named: Any) -> Any:
            self.work += getattr(action, "__name__", "") != "propose_change"
            self._strike()
            result = action(*args, **named)
            self._strike()
            return result

        return guarded

    def _strike(self) -> None:
        self.touches += 1
        if self.left == 0:
            raise Killed
        self.left -= 1


@pytest.fixture
def fate(monkeypatch: pytest.MonkeyPatch) -> Fate:
    found = Fate()
    for room, names in (
        (delivery, ("write_rollout", "write_receipt")),
        (rollback, ("write_rollout", "write_receipt", "propose_change")),
    ):
        for name in names:
            monkeypatch.setattr(room, name, found.guard(getattr(room, name)))
    monkeypatch.setattr(EvidenceBranch, "append", found.guard(EvidenceBranch.append))
    monkeypatch.setattr(Git, "place_tag", found.guard(Git.place_tag))
    monkeypatch.setattr(LocalTarget, "apply", found.guard(LocalTarget.apply))
    return found


def deploy(yard: Path) -> None:
    checkout = opened(yard)
    settle_tags(checkout)
    planner = Planner(checkout)
    deployer = Deployer(planner, GitForge.connect(checkout.git, CI()), lambda _: None)
    deployer.deliver_all(planner.plan({"production"}, set()))


def allowed(yard: Path) -> None:
    """No candidate has more traffic than the journal allows."""
    live = Layout.of(yard, "production").read_state().models[MODEL].traffic
    recorded = read_rollouts(opened(yard).git).get(("production", MODEL))
    if live and live.candidate:
        assert recorded and recorded.state
        assert recorded.state.stable == live.candidate or recorded.state.weight >= live.weight


def end(yard: Path) -> tuple[object, ...]:
    """The state after a run, without times."""
    live = Layout.of(yard, "production").read_state().models[MODEL]
    stages = git(
        yard, "for-each-ref", "--format=%(refname:short) %(contents:subject)", f"refs/tags/{MODEL}#production#*"
    )
    journal = git(yard, "log", "--format=%s", f"refs/modelyard/rollouts/production/{MODEL}")
    filed = sorted(git(yard, "ls-tree", "-r", "--name-only", "modelyard/evidence").splitlines())
    back = git(yard, "for-each-ref", "--format=%(refname)", "refs/heads/modelyard")
    return live.serving, sorted(live.installed), stages, journal, filed, back


def each_end(yard: Path, fate: Fate, again: Callable[[Path], None]) -> Iterator[tuple[int, tuple[object, ...]]]:
    """The end state for a kill at the first effect, the second, and so on; -1 is the undisturbed run."""
    copy = yard.parent / "copy"
    at, touches = -1, 1
    while at < touches:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(yard, copy, symlinks=True)
        fate.left, fate.touches, fate.work, before = at, 0, 0, -1
        while fate.work > before:  # until a run finds nothing left to do
            before = fate.work
            try:
                again(copy)
            except Killed:
                allowed(copy)
                fate.left, before = -1, -1
        touches = fate.touches if at < 0 else touches
        yield at, end(copy)
        at += 1


def others(ends: dict[int, tuple[object, ...]]) -> dict[int, list[tuple[object, object]]]:
    """The differences of killed runs from the undisturbed one: (killed, undisturbed)."""
    pairs = {at: [(a, b) for a, b in zip(end, ends[-1], strict=True) if a != b] for at, end in ends.items()}
    return {at: found for at, found in pairs.items() if found}


@pytest.mark.parametrize("rollout", ["", CANARY], ids=["all-at-once", "canary"])
def test_a_promotion_killed_anywhere_ends_as_an_undisturbed_one(
    rival: Path, fate: Fate, rollout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pleased = {version: Samples(100, 0) for version in ("v1.0.0", "v1.1.0")}
    monkeypatch.setattr(LocalTarget, "samples", lambda *_: pleased)
    monkeypatch.setattr(LocalTarget, "health", lambda *_: Health("healthy"))
    (rival / FILE).write_text(f"model: {MODEL}\nversion: v1.1.0\n{rollout.replace(', errors: {}', '')}")
    commit_all(rival, f"Promote v1.1.0\n\n{APPROVED}")
    ends = dict(each_end(rival, fate, deploy))
    assert ends[-1][0] == "v1.1.0" and len(ends) > 6
    assert others(ends) == {}


def test_a_failed_canary_killed_anywhere_ends_as_an_undisturbed_one(
    rival: Path, fate: Fate, monkeypatch: pytest.MonkeyPatch
) -> None:
    (rival / FILE).write_text(f"model: {MODEL}\nversion: v1.1.0\n{CANARY}")
    commit_all(rival, f"Promote v1.1.0\n\n{APPROVED}")
    deploy(rival)
    failing = {"v1.0.0": Samples(500, 0, np.ones(500)), "v1.1.0": Samples(500, 400, np.ones(100))}
    monkeypatch.setattr(LocalTarget, "samples", lambda *_: failing)
    monkeypatch.setattr(LocalTarget, "health", lambda *_: Health("healthy"))
    ends = dict(each_end(rival, fate, deploy))
    live, _, _, journal, _, back = ends[-1]
    assert live == "v1.0.0" and str(journal).count("all traffic back to v1.0.0: errors") == 1
    assert "modelyard/rollback/production" in str(back) and len(ends) > 6
    assert others(ends) == {}


def test_a_manual_rollback_killed_anywhere_ends_as_an_undisturbed_one(rival: Path, fate: Fate) -> None:
    (rival / FILE).write_text(f"model: {MODEL}\nversion: v1.1.0\n")
    commit_all(rival, f"Promote v1.1.0\n\n{APPROVED}")
    deploy(rival)

    def back(yard: Path) -> None:
        if str(going_back_record(yard)).count("rolled back v1.1.0"):
            return  # it was done; a second call would mean: still further back
        checkout = opened(yard)
        environment = checkout.repository.environment("production")
        target = LocalTarget(environment, yard, Secrets({}))
        order = rollback.RollbackRequest(to=None, why="wrong in Boston", by="ada")
        view = checkout.model(MODEL)
        rollback.roll_back(
            view, environment, target, lambda: GitForge.connect(checkout.git, CI()), order, lambda _: None
        )

    ends = dict(each_end(rival, fate, back))
    assert ends[-1][0] == "v1.0.0"
    for at, (live, _, stages, *_) in ends.items():
        assert live == "v1.0.0" and stages == ends[-1][2], at


def going_back_record(yard: Path) -> str:
    return git(yard, "for-each-ref", "--format=%(contents)", f"refs/tags/{MODEL}#production#*")


@pytest.fixture
def runners(rival: Path) -> tuple[Path, Path]:
    """Two clones of one remote that share the folder of production."""
    config = rival / "modelyard.yaml"
    config.write_text(config.read_text().replace("- name: production", "- name: production\n    folder: ../production"))
    shutil.move(rival / ".modelyard/local/production", rival.parent / "production")
    (rival / FILE).write_text(f"model: {MODEL}\nversion: v1.1.0\n{CANARY.partition(', analysis')[0]}}}\n")
    commit_all(rival, f"Promote v1.1.0\n\n{APPROVED}")
    git(rival.parent, "clone", "--quiet", "--mirror", str(rival), "remote.git")
    for name in ("one", "two"):
        git(rival.parent, "clone", "--quiet", "remote.git", name)
        git(rival.parent / name, "config", "user.name", "Robot")
        git(rival.parent / name, "config", "user.email", "robot@example.org")
    return rival.parent / "one", rival.parent / "two"


def test_two_concurrent_runs_take_no_step_twice(runners: tuple[Path, Path]) -> None:
    one = runners[0]
    command = [sys.executable, "-m", "modelyard", "deploy", "--env", "production", "--json"]
    for _ in range(5):
        both = [
            subprocess.Popen(command, cwd=clone, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for clone in runners
        ]
        said = [process.communicate() for process in both]
        for (out, err), process in zip(said, both, strict=True):
            # Without a server nothing is analysed, so every run takes a step.
            assert process.returncode == 0, err
            assert json.loads(out)[0]["model"] == MODEL
    for clone in runners:
        tool(clone, "deploy", "--env", "production")
    live = Layout.of(one, "production", "../production").read_state().models[MODEL]
    assert live.serving == "v1.1.0" and live.traffic and not live.traffic.candidate
    remote = one.parent / "remote.git"
    subjects = git(
        remote, "for-each-ref", "--format=%(contents:subject)", f"refs/tags/{MODEL}#production#*"
    ).splitlines()
    assert [s for s in subjects if "v1.1.0" in s] == [f"Assigning stage production to artifact {MODEL} version v1.1.0"]
    journal = git(remote, "log", "--format=%s", f"refs/modelyard/rollouts/production/{MODEL}").splitlines()
    assert len(journal) == len(set(journal)), "no step was taken twice"
