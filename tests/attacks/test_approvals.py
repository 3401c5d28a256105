"""What an attacker tries in order to approve alone, or to stop others. Both forges say who pushed a branch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from forge.place import Place, forge_with_people
from modelyard.forges.ci import CI
from modelyard.forges.git import GitForge
from modelyard.forges.github import GitHubForge
from modelyard.forges.gitlab import GitLabForge
from modelyard.forges.interface import Contribution, PullForge
from modelyard.gate.approvals import Approval, Proposal, Review, judge_approvals
from modelyard.git import Git
from modelyard.manifests.approvals import APPROVALS, ApprovalRule, Approvals
from modelyard.review.approvals import approval_of_pull
from modelyard.review.pull_requests import VersionChange, deployment_change
from modelyard.review.subject import Subject
from support.pulls import MemoryForge, MemoryGit, a_pull, as_forge, as_git
from support.yard import commit_all, git, small_repository

ONE = Approvals(rules=[ApprovalRule(id="reviewed", paths=["*"], role="writers", count=1, why="w")])
WRITERS = {"@ada", "@grace", "@mallory"}


def judged(proposal: Proposal, *reviews: tuple[str, str], policy: Approvals = ONE) -> Approval:
    given = [Review(who, outcome, "", at) for at, (who, outcome) in enumerate(reviews)]  # type: ignore[arg-type]
    return judge_approvals(policy, proposal, given, lambda who, role: who in WRITERS)


@pytest.mark.parametrize(
    ("proposal", "why"),
    [
        (Proposal("@bot", ("a",), contributors=("@Mallory",)), "committed or pushed to the branch"),
        (Proposal("@bot", ("a",), requesters=("mallory",)), "requested the change"),
        (Proposal("@mallory", ("a",)), "is the author"),
        (Proposal("@bot", ("a",), pushers_known=False), "cannot be told from those who pushed to the branch"),
    ],
)
def test_to_approve_ones_own_commits_on_a_branch_of_the_bot(proposal: Proposal, why: str) -> None:
    approval = judged(proposal, ("@mallory", "approved"))
    assert not approval.given and approval.refused == (f"@mallory {why}",)
    known = Proposal(proposal.author, ("a",), contributors=proposal.contributors, requesters=proposal.requesters)
    assert judged(known, ("@mallory", "approved"), ("@grace", "approved")).given


def test_to_stop_a_deployment_as_a_reader_who_requests_changes() -> None:
    approval = judged(Proposal("@ada", ("a",)), ("@grace", "approved"), ("@stranger", "rejected"))
    assert approval.given and approval.rejected_by == ()
    assert not judged(Proposal("@ada", ("a",)), ("@grace", "approved"), ("@mallory", "rejected")).given


def test_to_change_the_rules_with_the_approvals_of_the_weakest_rule() -> None:
    rules = [
        ApprovalRule(id="any", paths=["*"], role="writers", count=1, why="w"),
        ApprovalRule(id="two", paths=["deployments/production/*"], role="writers", count=2, why="w"),
    ]
    change = Proposal("@ada", (APPROVALS,))
    assert not judged(change, ("@grace", "approved"), policy=Approvals(rules=rules)).given
    assert judged(change, ("@grace", "approved"), ("@mallory", "approved"), policy=Approvals(rules=rules)).given


def test_to_approve_a_promotion_that_one_asked_for_by_a_comment() -> None:
    store = MemoryGit()
    rules = 'rules:\n  - {id: reviewed, paths: ["*"], role: writers, why: w}\n'
    base = store.head = store.add({APPROVALS: rules})
    asked = VersionChange("churn", "production", "v1.0.0", who="mallory", why="now", verb="promote")
    message = deployment_change(as_git(store), base, asked).message
    assert message == "Promote churn to v1.0.0 in production\n\nRequested-by: mallory\n"
    forge = MemoryForge(permissions={"mallory": "write", "grace": "write"})
    head = store.add({"deployments/production/churn.yaml": "model: churn\nversion: v1.0.0\n"}, base)
    forge.contributions[7] = Contribution(people=("@bot",), messages=(message,))
    forge.files[7] = ["deployments/production/churn.yaml"]

    def by(*people: str) -> Approval:
        forge.given[7] = tuple(Review(who, "approved", head, 5) for who in people)
        subject = Subject(a_pull(7, head=head, author="bot"), head, head)
        return approval_of_pull(as_git(store), as_forge(forge), subject, base)

    assert by("@mallory").refused == ("@mallory requested the change",)
    assert by("@mallory", "@grace").given


# --- who pushed, as the forges say it --------------------------------------------------------------------------------


@pytest.fixture(params=["github", "gitlab"])
def hosted(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Hosted]:
    bot = "modelyard[bot]" if request.param == "github" else "project_1_bot_x"
    with forge_with_people(tmp_path, bot, monkeypatch) as server:
        place = Place(server, tmp_path)
        store = Git(place.clone)
        if request.param == "github":
            ci = CI(server=server.url, api=f"{server.url}/api/v3", repository=place.store.name, token="bot", timeout=20)
            yield _Hosted(place, GitHubForge.connect(store, ci))
        else:
            ci = CI(server=server.url, api=server.url, repository=place.store.name, token="bot", timeout=20)
            yield _Hosted(place, GitLabForge.connect(store, ci))


class _Hosted:
    def __init__(self, place: Place, forge: PullForge) -> None:
        self.place, self.forge = place, forge


def test_to_hide_a_push_to_somebody_elses_branch(hosted: _Hosted) -> None:
    store, pull = hosted.place.store, hosted.place.pull
    assert hosted.forge.contribution(pull.number).people[:1] == ("@ada",)
    hosted.place.branch("feature")
    store.pushed[store.head(pull)] = "mallory"
    found = hosted.forge.contribution(pull.number)
    assert {"@ada", "@mallory"} <= set(found.people) and found.pushers_known
    assert [message.strip() for message in found.messages] == ["feature"]


def test_to_push_where_the_forge_does_not_say_who_pushes(hosted: _Hosted) -> None:
    store, pull = hosted.place.store, hosted.place.pull
    store.head(pull)
    pull.heads.clear()
    assert not hosted.forge.contribution(pull.number).pushers_known


# --- plain git -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trailer",
    [
        "Ada Author <ada@example.org>",
        "Ada Author <ada@another.example>",
        "ada author",
        "Somebody Else <ada@example.org>",
    ],
)
def test_to_approve_a_commit_of_ones_own_in_plain_git(tmp_path: Path, trailer: str) -> None:
    yard = small_repository(tmp_path / "yard")
    commit = commit_all(yard, f"Promote\n\nApproved-by: {trailer}")
    change = GitForge(Git(yard)).change_of(commit)
    proposal = Proposal(change.author, ("a",), contributors=change.contribution.people)
    approval = judge_approvals(ONE, proposal, change.reviews, lambda who, role: True)
    assert not approval.given


def test_to_approve_in_plain_git_as_the_committer_of_anothers_work(tmp_path: Path) -> None:
    yard = small_repository(tmp_path / "yard")
    git(yard, "switch", "--quiet", "--create", "work")
    git(yard, "commit", "--quiet", "--allow-empty", "--author=Linus <linus@example.org>", "-m", "work")
    git(yard, "switch", "--quiet", "main")
    git(yard, "merge", "--quiet", "--no-ff", "work", "-m", "Merge\n\nApproved-by: Ada Author <ada@example.org>")
    change = GitForge(Git(yard)).change_of(git(yard, "rev-parse", "HEAD"))
    assert change.author == "Linus" and "Ada Author" in change.contribution.people
    proposal = Proposal(change.author, ("a",), contributors=change.contribution.people)
    assert not judge_approvals(ONE, proposal, change.reviews, lambda who, role: True).given
