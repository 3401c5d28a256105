"""Verdicts that are taken back because the champion changed after they were given: in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError
from modelyard.forges.interface import VERDICT, Comment, Status, is_marked
from modelyard.gate.standing import outdated, outdated_sentence
from modelyard.git import TagRef
from modelyard.report.markdown.summary import REPORT, out_of_date
from modelyard.review.standing import Outdated, take_back
from review.test_comment import CHANGE, Scene, documents
from support.pulls import as_forge, memory_checkout

WORKFLOW = {".github/workflows/propose.yml": "on: pull_request\n"}
NEWER = "churn: compared with v1.0.0, but the champion is now v1.1.0"


class Later(Scene):
    """Pull request 7 has its verdict; then the champion or main changes."""

    def registered(self, number: str) -> None:
        """A version that the champion of now is, because no environment serves another one."""
        self.git.tag_refs = [*self.git.tag_refs, TagRef(f"churn@{number}", True, self.base, 2, "ada", number)]
        self.checkout = memory_checkout(self.folder, self.git, self.evidence)

    def merged(self, files: dict[str, str]) -> None:
        self.git.head = self.git.add(files, self.git.head)

    def taken_back(self, measure: bool = False) -> list[Outdated]:
        checkout = memory_checkout(self.folder, self.git, self.evidence)
        return take_back(checkout, as_forge(self.forge), measure=measure, say=self.said.append)

    def verdict(self) -> Status:
        return next(s for s in self.forge.statuses(self.forge.pulls[7].head) if s.context == VERDICT)


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Later:
    scene = Later(tmp_path, monkeypatch)
    scene.post(CHANGE, {"churn": documents()})
    assert scene.verdict().state == "success" and " vs v1.0.0" in scene.verdict().description
    return scene


def test_a_verdict_about_the_champion_of_now_stands(later: Later) -> None:
    before = later.verdict()
    assert later.taken_back(measure=True) == [] and later.verdict() == before and later.forge.dispatched == []


def test_a_new_champion_takes_the_verdict_back_once(later: Later) -> None:
    later.registered("v1.1.0")
    assert later.taken_back() == [Outdated(7, NEWER, False)]
    status = later.verdict()
    assert (status.state, status.description) == ("pending", f"{NEWER}; after the deployment, run its pipeline again")
    shown = later.comment()
    assert is_marked(shown, REPORT) and shown.splitlines()[1].startswith(
        "> ⚠️ **Out of date**: churn: compared with v1.0.0"
    )
    assert "## ✅ churn may be merged" in later.body(), "the report itself stays readable"
    writes = later.forge.writes
    assert later.taken_back() == [] and later.forge.writes == writes


def test_it_is_measured_again_where_that_can_be_started_once_for_each_champion(later: Later) -> None:
    later.merged(WORKFLOW)
    later.registered("v1.1.0")
    assert later.taken_back(measure=True) == [Outdated(7, NEWER, True)]
    head = later.forge.pulls[7].head
    assert later.forge.dispatched == [(7, head)]
    assert later.verdict().description.endswith("; it is measured again")
    assert later.taken_back(measure=True) == [] and len(later.forge.dispatched) == 1
    later.registered("v1.2.0")
    assert [one.started for one in later.taken_back(measure=True)] == [True] and len(later.forge.dispatched) == 2
    assert later.comment().count("Out of date") == 1


def test_one_pull_request_that_fails_keeps_no_other(later: Later, monkeypatch: pytest.MonkeyPatch) -> None:
    later.registered("v1.1.0")
    own, head = later.forge.pulls[7].head, later.git.add({"README.md": "another"}, later.base)
    later.forge.pulls = {6: replace(later.forge.pulls[7], number=6, head=head), **later.forge.pulls}
    given = later.evidence.filed_files["pulls/7/verdict.json"]
    later.evidence.filed_files["pulls/6/verdict.json"] = given.replace(own.encode(), head.encode())
    later.forge.set_status(head, Status(VERDICT, "success", "churn pass"))
    comments = later.forge.comments

    def refused(number: int) -> list[Comment]:
        if number == 6:
            raise ModelyardError("Pull request 6 is locked.", "Unlock it.")
        return comments(number)

    monkeypatch.setattr(later.forge, "comments", refused)
    with pytest.raises(ModelyardError, match="Pull request 6 is locked"):
        later.taken_back()
    assert later.verdict().state == "pending" and "pull request 6 could not be taken back" in later.said[-1]


def test_a_fork_is_not_started(later: Later) -> None:
    later.merged(WORKFLOW)
    later.registered("v1.1.0")
    later.forge.pulls[7] = replace(later.forge.pulls[7], from_fork=True)
    assert [one.started for one in later.taken_back(measure=True)] == [False] and later.forge.dispatched == []


def test_a_newer_candidate_that_is_merged_and_no_version_yet(later: Later) -> None:
    later.merged({"models/churn/dvc.lock": "schema: '2.0'\n"})
    assert "another candidate is before it" in later.taken_back()[0].sentence
    later.base = later.git.head
    later.post(CHANGE, {"churn": documents()})
    assert later.taken_back() == [], "a verdict that was given after that merge stands, registered or not"


def test_what_is_left_alone(later: Later) -> None:
    later.registered("v1.1.0")
    pull = later.forge.pulls[7]
    for other in (replace(pull, state="closed"), replace(pull, head="f" * 40)):
        later.forge.pulls[7] = other
        assert later.taken_back() == []
    later.forge.pulls[7] = pull
    for status in (Status(VERDICT, "failure", "churn fail"), Status(VERDICT, "success", "forged", ours=False)):
        later.forge.set_status(pull.head, status)
        assert later.taken_back() == []
    later.evidence.filed_files["pulls/7/verdict.json"] = b'{"head": 7}'
    later.forge.set_status(pull.head, Status(VERDICT, "success", "churn pass"))
    assert later.taken_back() == []


def test_a_report_that_is_late_is_pending_at_once(later: Later) -> None:
    later.registered("v1.1.0")
    later.post(CHANGE, {"churn": documents()})
    assert later.verdict().state == "pending" and "sha256" not in later.verdict().description
    assert "Out of date" in later.comment().splitlines()[1]
    later.git.tag_refs = later.git.tag_refs[:-1]
    later.checkout = memory_checkout(later.folder, later.git, later.evidence)
    later.post(CHANGE, {"churn": documents()})
    assert "Out of date" not in later.comment() and later.verdict().state == "success"


def test_the_note_replaces_an_older_one_and_holds_no_markup() -> None:
    body = out_of_date(out_of_date(f"{REPORT}\n## ✅ x\n", "first"), "<b>second</b>\n# x")
    assert body == f"{REPORT}\n> ⚠️ **Out of date**: &lt;b&gt;second&lt;/b&gt; \\# x\n\n## ✅ x\n"


NAMES = st.sampled_from(["a", "b", "c"])
NUMBERS = st.sampled_from(["", "v1.0.0", "v1.1.0"])


@given(st.dictionaries(NAMES, NUMBERS), st.dictionaries(NAMES, NUMBERS), st.sets(NAMES))
def test_a_verdict_stands_exactly_while_nothing_it_is_about_changed(
    compared: dict[str, str], champions: dict[str, str], awaited: set[str]
) -> None:
    found = outdated(compared, champions, awaited)
    assert set(found) == {m for m, c in compared.items() if c != champions.get(m, "") or m in awaited}
    if found:
        assert outdated_sentence(found).startswith(min(found))
