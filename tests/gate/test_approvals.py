"""Who counts, for what, and until when."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.gate.approvals import Proposal, Review, judge_approvals
from modelyard.manifests.approvals import ApprovalRule, Approvals

HEAD, REPORT = "a" * 40, "r" * 64
PROPOSAL = Proposal("@ada", ("models/churn/params.yaml",), HEAD, REPORT)
GOOD = Review("@grace", "approved", HEAD, 100, report=REPORT)
POLICY = Approvals(
    rules=[
        ApprovalRule(id="any", paths=["*"], role="writers", why="w"),
        ApprovalRule(id="risk", paths=["deployments/production/*"], role="risk", count=2, why="w"),
    ]
)


def everybody(person: str, role: str) -> bool:
    return role == "writers" or person in ("@grace", "@carol")


def test_one_valid_approval() -> None:
    approval = judge_approvals(POLICY, PROPOSAL, [GOOD], everybody)
    assert approval.given and approval.by == ("@grace",) and approval.sentence == "approved by @grace"


@pytest.mark.parametrize(
    ("review", "why"),
    [
        (replace(GOOD, author="@Ada"), "the author"),
        (replace(GOOD, author="ada"), "the author"),
        (replace(GOOD, bot=True), "a bot"),
        (replace(GOOD, commit="b" * 40), "before the last push"),
        (replace(GOOD, report="s" * 64), "another report"),
        (replace(GOOD, report=""), "before the first report"),
    ],
)
def test_approvals_that_do_not_count_and_why(review: Review, why: str) -> None:
    approval = judge_approvals(POLICY, PROPOSAL, [review], everybody)
    assert not approval.given and approval.by == () and why in approval.refused[0] and why in approval.sentence


def test_the_requester_of_a_change_cannot_approve_it() -> None:
    approval = judge_approvals(POLICY, replace(PROPOSAL, requesters=("grace",)), [GOOD], everybody)
    assert not approval.given and "requested the change" in approval.refused[0]


def test_only_the_last_review_counts_and_a_comment_is_not_a_review() -> None:
    taken_back = replace(GOOD, outcome="dismissed", at=200)
    assert not judge_approvals(POLICY, PROPOSAL, [GOOD, taken_back], everybody).given
    objection = replace(GOOD, author="@carol", outcome="rejected", at=200)
    judged = judge_approvals(POLICY, PROPOSAL, [GOOD, objection], everybody)
    assert not judged.given and judged.sentence == "changes requested by @carol"
    assert judge_approvals(POLICY, PROPOSAL, [GOOD, replace(GOOD, outcome="commented", at=300)], everybody).given


def test_roles_and_counts_by_path() -> None:
    proposal = replace(PROPOSAL, files=("deployments/production/churn.yaml",))
    one = judge_approvals(POLICY, proposal, [GOOD], everybody)
    assert not one.given and one.sentence == "risk: 1 of 2 approvals by risk"
    stranger = replace(GOOD, author="@dora")
    assert not judge_approvals(POLICY, proposal, [GOOD, stranger], everybody).given
    assert judge_approvals(POLICY, proposal, [GOOD, replace(GOOD, author="@carol")], everybody).given


def test_without_a_policy_nothing_is_required_and_objections_still_count() -> None:
    assert judge_approvals(None, PROPOSAL, [], everybody).given
    assert not judge_approvals(None, PROPOSAL, [replace(GOOD, outcome="rejected")], everybody).given


people = st.sampled_from(["@ada", "@grace", "@carol", "@bot"])
reviews = st.builds(
    Review,
    people,
    st.sampled_from(["approved", "rejected", "dismissed", "commented"]),
    st.sampled_from([HEAD, "b" * 40]),
    st.integers(0, 5),
    st.booleans(),
    st.sampled_from([REPORT, "s" * 64, ""]),
)


@given(st.lists(reviews, max_size=8))
def test_a_change_needs_a_valid_approval_of_another_person(given_reviews: list[Review]) -> None:
    approval = judge_approvals(POLICY, PROPOSAL, given_reviews, everybody)
    good = [
        r for r in given_reviews
        if r.outcome == "approved" and not r.bot and r.author != "@ada" and (r.commit, r.report) == (HEAD, REPORT)
    ]  # fmt: skip
    if approval.given:
        assert good and "@ada" not in approval.by
