"""The pull requests that modelyard opens: their files, their texts, and the push of their branches."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError, Refused, UsageError
from modelyard.gate.waivers import waiver_states
from modelyard.git import GitError
from modelyard.manifests.approvals import Waiver
from modelyard.manifests.conversion import parse
from modelyard.manifests.deployment import Deployment
from modelyard.manifests.names import Version
from modelyard.review.commands import parse_command
from modelyard.review.pull_requests import (
    Proposed,
    VersionChange,
    clearing_change,
    deployment_change,
    expired_change,
    open_proposed,
    push_commit,
    remote_head,
    unchanged,
    waiver_change,
)
from support.pulls import MemoryForge, MemoryGit, as_forge, as_git

FILE = "deployments/production/churn.yaml"
PROMOTE = VersionChange("churn", "production", "v1.2.0", who="@ada", why="In pull request 7.", verb="promote")


def deployed(content: str | None) -> tuple[MemoryGit, str]:
    git = MemoryGit()
    return git, git.add({FILE: content} if content is not None else {"README.md": ""})


def edited(content: str | None, change: VersionChange = PROMOTE) -> str:
    git, base = deployed(content)
    after = deployment_change(as_git(git), base, change).files[FILE]
    assert after is not None
    return after.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "model: churn\nversion: v1.2.0\n"),
        ("model: churn\nversion: v1.0.0\n", "model: churn\nversion: v1.2.0\n"),
        ("# why\nversion: latest # follows main\nmodel: churn\n", "# why\nversion: v1.2.0 # follows main\nmodel: churn\n"),
        ('model: churn\nversion: "v1.0.0"  \nrollout:\n  strategy: canary\n',
         "model: churn\nversion: v1.2.0  \nrollout:\n  strategy: canary\n"),
    ],
)  # fmt: skip
def test_only_the_version_changes(before: str | None, after: str) -> None:
    assert edited(before) == after


def test_the_text_says_what_happens_and_escapes_names() -> None:
    git, base = deployed("model: churn\nversion: v1.0.0\n")
    evil = VersionChange("churn", "production", "v1.2.0", who="@everyone", why="<script>|x", verb="rollback")
    proposed = deployment_change(as_git(git), base, evil)
    assert proposed.title == "Roll back churn to v1.2.0 in production"
    assert proposed.branch == "modelyard/rollback/production/churn"
    assert "v1.0.0 → **v1.2.0**" in proposed.body and "**If nobody acts:**" in proposed.body
    assert "<script" not in proposed.body and "@everyone" not in proposed.body


def test_what_main_has_already_is_refused() -> None:
    with pytest.raises(Refused, match=r"already has the desired version v1.2.0 of churn"):
        edited("model: churn\nversion: v1.2.0\n")


def test_a_file_that_cannot_be_edited_safely_is_an_error() -> None:
    with pytest.raises(ModelyardError, match="could not be changed"):
        edited('{"model": "churn", "version": "v1.0.0"}')


VERSIONS = st.tuples(*[st.integers(0, 99)] * 3).map(lambda n: "v{}.{}.{}".format(*n))
WORDS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=20)


@given(VERSIONS, VERSIONS, WORDS)
def test_any_version_is_changed_to_any_other_and_comments_stay(before: str, after: str, comment: str) -> None:
    content = f"# {comment}\nmodel: churn\nversion: {before} # {comment}\n"
    change = VersionChange("churn", "production", Version(after), who="@ada", why="", verb="promote")
    if before == after:
        with pytest.raises(Refused):
            edited(content, change)
        return
    found = edited(content, change)
    assert parse(Deployment, found.encode(), FILE).version == after
    assert found == content.replace(f"version: {before}", f"version: {after}")


CANARY = "model: churn\nversion: v1.2.0\nrollout:\n  strategy: canary\n  steps: [{weight: 10, gate: manual}]\n"


def test_gates_are_opened_in_place() -> None:
    clear = VersionChange("churn", "production", "v1.2.0", who="@ada", why="It looks good.", verb="clear")
    git, base = deployed(CANARY)
    proposed = clearing_change(as_git(git), base, clear, 10)
    once = proposed.files[FILE]
    assert once is not None and b"rollout:\n  cleared: {version: v1.2.0, weight: 10}\n  strategy: canary\n" in once
    assert proposed.title == "Clear churn v1.2.0 up to 10 % in production"
    git, base = deployed(once.decode())
    with pytest.raises(Refused, match="already open up to 10 %"):
        clearing_change(as_git(git), base, clear, 10)
    further = clearing_change(as_git(git), base, clear, 50).files[FILE]
    assert further is not None and further.count(b"cleared:") == 1 and b"weight: 50}" in further
    git, base = deployed("model: churn\nversion: v1.2.0\n")
    with pytest.raises(ModelyardError, match=r"The rollout in deployments/production/churn.yaml could not be changed"):
        clearing_change(as_git(git), base, clear, 10)


def waiver(**changes: str) -> Waiver:
    fields = {
        "model": "churn", "check": "auc-floor", "artifact": "a" * 64, "reason": "r", "requested_by": "@ada",
        "expires": "2026-06-30",
    } | changes  # fmt: skip
    return Waiver(**fields)


@given(st.text(min_size=1, max_size=80))
def test_a_waiver_file_reads_back_as_it_was_asked_for(reason: str) -> None:
    try:
        command = parse_command(f'/modelyard waive check=auc-floor until=2026-06-30 reason="{reason}"')
    except UsageError:
        return  # a character that no command may have
    asked = waiver(reason=command.values["reason"])
    [(file, content)] = waiver_change(asked, "why").files.items()
    assert file == "waivers/churn-auc-floor-aaaaaaaa.yaml" and content is not None
    assert parse(Waiver, content, file) == asked


@pytest.mark.parametrize(("count", "title"), [(1, "Remove 1 expired waiver"), (2, "Remove 2 expired waivers")])
def test_expired_waivers_are_removed_together(count: int, title: str) -> None:
    files = [(f"waivers/{i}.yaml", waiver()) for i in range(count)]
    proposed = expired_change(waiver_states(files, [], date(2026, 7, 1)))
    assert proposed.title == title and proposed.files == dict.fromkeys((f for f, _ in files), None)
    assert "2026-06-30" in proposed.body


# --- the branch -------------------------------------------------------------------------------------------------------


class Scene:
    def __init__(self) -> None:
        self.git, self.forge = MemoryGit(), MemoryForge()
        self.base = self.git.head = self.git.add({"a.txt": "1", "old.txt": "x"})

    def open(self, files: dict[str, bytes | None], base: str = "", body: str = "body") -> tuple[int, bool, str]:
        proposed = Proposed("modelyard/x", "Title", body, files)
        pull, new, head = open_proposed(as_git(self.git), as_forge(self.forge), "main", base or self.base, proposed)
        assert remote_head(as_git(self.git), "modelyard/x") == head
        return pull.number, new, head


def test_a_second_run_changes_nothing_and_another_proposal_moves_the_branch() -> None:
    scene = Scene()
    number, new, head = scene.open({"b.txt": b"2", "old.txt": None})
    assert new and scene.git.changed_files(scene.base, head) == ["b.txt", "old.txt"]
    assert scene.open({"b.txt": b"2", "old.txt": None}, body="new words") == (number, False, head)
    assert scene.forge.pulls[number].body == "new words", "the text is updated without a push"
    again, new, moved = scene.open({"b.txt": b"3"})
    assert (again, new) == (number, False) and moved != head
    assert scene.git.file_at(moved, "old.txt") == b"x", "the earlier proposal is gone"


def test_a_newer_base_alone_does_not_move_the_branch() -> None:
    scene = Scene()
    _, _, head = scene.open({"b.txt": b"2"})
    newer = scene.git.add({"c.txt": "1"}, scene.base)
    assert scene.open({"b.txt": b"2"}, newer)[2] == head


def test_a_head_that_only_the_remote_has_is_fetched_before_it_is_compared() -> None:
    scene = Scene()
    far = scene.git.add({"b.txt": "2"}, scene.base, far=True)
    assert unchanged(as_git(scene.git), far, scene.base, Proposed("x", "t", "b", {"b.txt": b"2"}))
    assert scene.git.fetched == [far]
    assert not unchanged(as_git(scene.git), "", scene.base, Proposed("x", "t", "b", {}))


def test_pushes_that_fail_say_why() -> None:
    scene = Scene()
    git = as_git(scene.git)
    with pytest.raises(ModelyardError, match="was changed by another push, so nothing was pushed"):
        push_commit(git, scene.base, "x", "f" * 40)
    scene.git.refuses = True
    with pytest.raises(ModelyardError) as refused:
        push_commit(git, scene.base, "x", "")
    assert "a rule forbids it" in refused.value.problem and "permissions: contents: write" in refused.value.remedy
    assert isinstance(refused.value.__cause__, GitError)
    scene.git.remote_name = None
    with pytest.raises(ModelyardError, match="has no remote"):
        push_commit(git, scene.base, "x", "")
    assert scene.git.remote_branches == {}
