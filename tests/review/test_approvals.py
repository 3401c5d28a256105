"""Approvals of a change with a forge and a clone in memory: roles, owners, requesters of waivers, the record."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from modelyard.errors import ModelyardError
from modelyard.forges.interface import APPROVAL, DESCRIPTION_LIMIT, Change, verdict_status
from modelyard.gate.approvals import Approval, Review
from modelyard.review.approvals import approval_of_change, approval_of_pull, approval_status, record_of
from modelyard.review.subject import Subject
from support.pulls import MemoryForge, MemoryGit, a_pull, as_forge, as_git
from support.yard import MODEL_YAML

REPORT = "e" * 64
APPROVALS = """\
roles: {risk: ["@carol", "@acme/risk"]}
rules:
  - {id: reviewed, paths: ["*"], role: writers, why: w}
  - {id: owned, paths: ["models/*"], role: owners, why: w}
  - {id: risk, paths: ["deployments/production/*"], role: risk, why: w}
"""
WAIVER = 'model: churn\ncheck: c\nartifact: "{}"\nreason: r\nrequested_by: "@grace"\nexpires: "2026-12-31"\n'
MODEL = MODEL_YAML.format(name="churn").replace("@team", "@dora")
FILES = {"policies/approvals.yaml": APPROVALS, "models/churn/model.yaml": MODEL}


class Scene:
    """A base commit with rules, and a pull request of ada with one report."""

    def __init__(self, changed: dict[str, str], files: dict[str, str] = FILES) -> None:
        self.git = MemoryGit()
        self.base = self.git.head = self.git.add(files)
        self.head = self.git.add(changed, self.base)
        self.forge = MemoryForge(permissions={"grace": "write", "dora": "write", "carol": "admin"})
        self.forge.files[7] = sorted(changed)
        self.forge.set_status(self.head, verdict_status("success", "churn pass", REPORT, ""))

    def approved(self, *people: str, **review: Any) -> Approval:
        self.forge.given[7] = tuple(
            replace(Review(author=who, outcome="approved", commit=self.head, at=5, report=REPORT), **review)
            for who in people
        )
        subject = Subject(a_pull(7, head=self.head), self.head, self.head)
        return approval_of_pull(as_git(self.git), as_forge(self.forge), subject, self.base)


PARAMS = {"models/churn/params.yaml": "train: {trees: 6}\n"}
PRODUCTION = {"deployments/production/churn.yaml": "model: churn\nversion: v1.0.0\n"}


def test_a_writer_and_an_owner_of_the_touched_model() -> None:
    scene = Scene(PARAMS)
    assert scene.approved("@grace").sentence == "owned: 0 of 1 approvals by owners"
    assert scene.approved("@Dora").given, "the case of a handle does not matter"
    assert scene.approved("@mallory").sentence.startswith("reviewed: 0 of 1 approvals by writers")
    assert not scene.approved("@ada").given, "the author"


def test_the_owners_are_those_of_the_base_branch() -> None:
    stolen = {"models/churn/model.yaml": MODEL.replace("@dora", "@mallory")}
    scene = Scene(stolen)
    scene.forge.permissions["mallory"] = "write"
    assert not scene.approved("@mallory").given and scene.approved("@dora").given


def test_an_owner_approves_the_deployment_of_a_model_and_a_manifest_that_cannot_be_read_has_no_owner() -> None:
    rules = APPROVALS.replace('paths: ["models/*"], role: owners', 'paths: ["deployments/staging/*"], role: owners')
    staging = {"deployments/staging/churn.yaml": "model: churn\nversion: latest\n"}
    assert Scene(staging, FILES | {"policies/approvals.yaml": rules}).approved("@dora").given
    broken = FILES | {"policies/approvals.yaml": rules, "models/churn/model.yaml": "name: ["}
    assert not Scene(staging, broken).approved("@dora").given


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("deployments/staging/other-name.yaml", "'model': >-\n  churn\nversion: latest\n"),
        ("deployments/staging/churn.yml", "model: [\n"),
        ("waivers/w.yaml", WAIVER.format("a" * 64).replace("model: churn", 'model:   "churn"')),
        ("policies/standard.yaml", "name: standard\n"),
    ],
)
def test_an_owner_is_one_by_what_a_file_says_however_it_spells_it(path: str, content: str) -> None:
    rules = APPROVALS.replace('paths: ["models/*"], role: owners', f'paths: ["{path}"], role: owners')
    scene = Scene({path: content}, FILES | {"policies/approvals.yaml": rules})
    assert scene.approved("@dora").given and not scene.approved("@grace").given


def test_a_team_is_asked_for_only_where_no_person_is_named_and_only_once() -> None:
    scene = Scene(PRODUCTION)
    scene.forge.teams["@acme/risk"] = ["@grace"]
    assert scene.approved("@carol").given and "@acme/risk" not in scene.forge.asked
    assert scene.approved("@grace").given and scene.forge.asked.count("@acme/risk") == 1
    assert scene.approved("@dora").sentence == "risk: 0 of 1 approvals by risk"


def test_who_requested_a_waiver_does_not_approve_it() -> None:
    scene = Scene({"waivers/w.yaml": WAIVER.format("a" * 64), "waivers/broken.yaml": "model: ["})
    approval = scene.approved("@grace")
    assert not approval.given and approval.refused == ("@grace requested the change",)
    assert scene.approved("@dora").given


def test_an_approval_of_another_report_does_not_count() -> None:
    assert Scene(PARAMS).approved("@dora", report="f" * 64).refused == ("@dora approved another report",)


def test_a_role_that_nobody_declares_is_an_error() -> None:
    rules = 'rules:\n  - {id: r, paths: ["*"], role: lawyers, why: w}\n'
    with pytest.raises(ModelyardError, match="uses the role 'lawyers' but does not declare it"):
        Scene(PARAMS, FILES | {"policies/approvals.yaml": rules}).approved("@grace")


def test_without_rules_nothing_is_required() -> None:
    approval = Scene(PARAMS, {"models/churn/model.yaml": MODEL}).approved()
    assert approval.given and approval.sentence == "no approval is required"


def merged(scene: Scene, *reviews: Review) -> Change:
    commit = scene.git.add({}, scene.base, merged=scene.head, message="Merge")
    return Change(
        commit=commit, subject="A title", author="@ada", files=tuple(scene.forge.files[7]), reviews=reviews, pull=7,
        head=scene.head, report=REPORT,
    )  # fmt: skip


def test_a_merged_change_is_judged_by_the_rules_before_it_and_recorded() -> None:
    scene = Scene(PARAMS | {"policies/approvals.yaml": 'rules:\n  - {id: lax, paths: ["x"], why: w}\n'})
    git, forge = as_git(scene.git), as_forge(scene.forge)
    change = merged(
        scene,
        *(
            Review(author=who, outcome="approved", commit=scene.head, at=5, report=REPORT)
            for who in ("@dora", "@carol")
        ),
    )
    approval = approval_of_change(git, forge, change, scene.base)
    assert approval.given and [rule.id for rule in approval.rules] == ["reviewed", "owned", "risk"]
    record = record_of(git, change, approval, scene.base)
    assert (record.commit, record.base, record.pull, record.by) == (change.commit, scene.base, 7, ("@dora", "@carol"))
    assert record.policy_sha256 == hashlib.sha256(APPROVALS.encode()).hexdigest() and record.rules == approval.rules
    assert not approval_of_change(git, forge, merged(scene), scene.base).given


def test_the_first_commit_has_no_rules() -> None:
    git = MemoryGit()
    commit = git.add(FILES)
    change = Change(commit=commit, subject="begin", author="Ada", files=tuple(FILES), reviews=())
    approval = approval_of_change(as_git(git), as_forge(MemoryForge()), change, "")
    record = record_of(as_git(git), change, approval, "")
    assert approval.given and (record.base, record.pull, record.policy_sha256) == ("", 0, "")


def test_the_status_is_pending_until_all_approvals_are_there_and_fits_every_forge() -> None:
    missing = Scene(PARAMS).approved("@grace")
    status = approval_status(missing, "https://ci.example/run")
    assert (status.context, status.state, status.description) == (APPROVAL, "pending", missing.sentence)
    assert approval_status(Scene(PARAMS).approved("@dora"), "").state == "success"
    many = Approval((), (), tuple(f"@person-{i}" for i in range(40)))
    long = approval_status(many, "").description
    assert len(long) == DESCRIPTION_LIMIT and long.endswith("…")
