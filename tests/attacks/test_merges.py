"""What an attacker tries with merge commits: parents in another order, and files that no proposal has."""

from __future__ import annotations

import os
import subprocess
from datetime import date
from pathlib import Path

import pytest
from forge.place import Place, forge_with_people
from modelyard.deployment.door import Door
from modelyard.errors import Refused
from modelyard.forges.ci import CI
from modelyard.forges.git import GitForge
from modelyard.forges.github import GitHubForge
from modelyard.forges.gitlab import GitLabForge
from modelyard.forges.interface import Forge
from modelyard.git import Git
from modelyard.review.mainline import Mainline
from support.versions import add_stage, add_version, opened
from support.yard import CONFIG, IDENTITY, commit_all, git, small_repository, write

RULES = "rules:\n  - {id: reviewed, paths: ['*'], role: writers, count: 1, why: Two people look.}\n"
GRACE = "\n\nApproved-by: Grace Reviewer <grace@example.org>"
MALLORY = "\n\nApproved-by: Mallory <mallory@example.org>"
CODE = "models/churn/src/train.py"


def as_mallory(yard: Path, *arguments: str) -> str:
    """``git ARGUMENTS`` by the attacker."""
    own = {name: value.replace("Ada Author", "Mallory").replace("ada@", "mallory@") for name, value in IDENTITY.items()}
    done = subprocess.run(
        ["git", *arguments], cwd=yard, env=os.environ | own, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit_as_mallory(yard: Path, files: dict[str, str], message: str) -> str:
    write(yard, files)
    as_mallory(yard, "add", "--all")
    as_mallory(yard, "commit", "--quiet", "--message", message)
    return git(yard, "rev-parse", "HEAD")


def blocking(yard: Path, forge: Forge | None = None) -> dict[str, str]:
    """Commit → why, of the changes on main that nobody approved."""
    checkout = opened(yard)
    line = Mainline(checkout, forge or GitForge(checkout.git))
    return {sha: judged.sentence for sha, judged in line.unapproved(checkout.git.commit_of("HEAD")).items()}


def admit(yard: Path, version: str = "v1.0.0") -> None:
    """Asks the door for traffic in production; raises as it does."""
    checkout = opened(yard)
    view = checkout.model("churn")
    door = Door(checkout, GitForge(checkout.git), reports=False)
    door.admit_forward(view, "production", view.version(version), date(2026, 5, 1))


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    """A clone whose main has rules, an approved version and its receipt; the remote is beside it."""
    yard = small_repository(tmp_path / "yard")
    write(yard, {"policies/approvals.yaml": RULES})
    commit_all(yard, f"rules{GRACE}")
    write(yard, {"deployments/production/churn.yaml": "model: churn\nversion: v1.0.0\n", "models/churn/note": "v1.0.0"})
    commit_all(yard, f"v1.0.0{GRACE}")
    git(tmp_path, "clone", "--quiet", "--bare", str(yard), "remote.git")
    git(yard, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git(yard, "fetch", "--quiet")
    add_version(yard, "churn", "v1.0.0", at_head=True)
    add_stage(yard, "churn", "v1.0.0", "production")
    assert blocking(yard) == {}
    admit(yard)
    return yard


def put_aside(yard: Path, tree: str, second: str = "main") -> str:
    """A push to main of a merge whose first parent is the attacker's root, and whose second parent is main as it was."""
    main = git(yard, "rev-parse", second)
    git(yard, "switch", "--quiet", "--orphan", "mine")
    as_mallory(yard, "commit", "--quiet", "--allow-empty", "--message", "root")
    merge = as_mallory(yard, "commit-tree", f"{tree}^{{tree}}", "-p", "mine", "-p", main, "-m", "Merge branch main")
    git(yard, "push", "--quiet", "origin", f"{merge}:refs/heads/main")  # no force is needed
    git(yard, "switch", "--quiet", "main")
    git(yard, "reset", "--quiet", "--hard", merge)
    return merge


def test_to_put_the_rules_out_of_sight_by_a_merge(yard: Path) -> None:
    git(yard, "switch", "--quiet", "--create", "evil")
    evil = commit_as_mallory(yard, {CODE: "evil = 1\n"}, f"evil{MALLORY}")
    git(yard, "switch", "--quiet", "main")
    merge = put_aside(yard, evil)
    add_version(yard, "churn", "v1.1.0", at_head=True)
    assert list(blocking(yard)) == [merge]
    with pytest.raises(Refused, match="was merged without the required approvals"):
        admit(yard)
    write(yard, {CODE: "good = 1\n"})
    commit_all(yard, f"Reviewed: {merge}{GRACE}")
    git(yard, "push", "--quiet", "origin", "main")
    assert blocking(yard) == {}, "the way out is the same as after any other such merge"


def test_to_put_the_rules_out_of_sight_behind_a_commit_on_top_of_main(yard: Path) -> None:
    git(yard, "switch", "--quiet", "--create", "evil")
    evil = commit_as_mallory(yard, {CODE: "evil = 1\n"}, f"evil{MALLORY}")
    merge = put_aside(yard, evil, "evil")
    add_version(yard, "churn", "v1.1.0", at_head=True)
    assert list(blocking(yard)) == [evil], f"and {merge} changes nothing"
    with pytest.raises(Refused, match="was merged without the required approvals"):
        admit(yard)


def test_to_have_a_push_forgotten_by_a_fast_forward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reviewers of a branch into which main was merged saw nothing of what main had."""
    with forge_with_people(tmp_path, "project_1_bot_x", monkeypatch) as server:
        place = Place(server, tmp_path)
        store, yard = place.store, place.clone
        forge = GitLabForge.connect(
            Git(yard), CI(server=server.url, api=server.url, repository=store.name, token="bot", timeout=20)
        )
        git(yard, "switch", "--quiet", "--force-create", "main", "origin/main")
        write(
            yard,
            {
                "policies/approvals.yaml": RULES.replace("'*'", "models/**"),
                "modelyard.yaml": f"{CONFIG}forge: gitlab\n",
            },
        )
        commit_all(yard, "rules")
        git(yard, "push", "--quiet", "origin", "main")
        git(yard, "switch", "--quiet", "--force-create", "feature")
        write(yard, {"README.md": "harmless"})
        commit_all(yard, "text")
        git(yard, "switch", "--quiet", "main")
        evil = commit_as_mallory(yard, {CODE: "evil = 1\n"}, "evil")
        git(yard, "push", "--quiet", "origin", "main")
        assert list(blocking(yard, forge)) == [evil]
        git(yard, "switch", "--quiet", "feature")
        git(yard, "merge", "--quiet", "--no-edit", "main")
        git(yard, "push", "--quiet", "--force", "origin", "feature")
        head = store.head(place.pull)
        store.review(place.pull.number, "grace", "APPROVE", commit=head).at += 5
        git(yard, "push", "--quiet", "origin", "feature:main")
        place.pull.state, place.pull.merged_at, place.pull.merge_commit = "closed", 1.0, head
        place.pull.merged_into = evil
        git(yard, "switch", "--quiet", "--force-create", "main", "feature")
        [said] = blocking(yard, forge).values()
        assert said.startswith("it merges main into pull request") and "saw another difference" in said


def test_to_approve_by_a_merge_that_puts_main_aside(yard: Path) -> None:
    """Of a turned merge, the authors of main must not be taken for those of the change."""
    git(yard, "switch", "--quiet", "--create", "evil")
    evil = commit_as_mallory(yard, {CODE: "evil = 1\n"}, "evil")
    git(yard, "switch", "--quiet", "main")
    main = git(yard, "rev-parse", "main")
    merge = as_mallory(yard, "commit-tree", f"{evil}^{{tree}}", "-p", evil, "-p", main, "-m", f"Merge{MALLORY}")
    git(yard, "push", "--quiet", "origin", f"{merge}:refs/heads/main")
    git(yard, "reset", "--quiet", "--hard", merge)
    assert blocking(yard), "Mallory wrote it and approved it"


def test_to_stop_a_rollback_by_a_merge_the_wrong_way_round(yard: Path) -> None:
    put_aside(yard, "main")
    checkout = opened(yard)
    view = checkout.model("churn")
    Door(checkout, None).admit_back(view, "production", view.version("v1.0.0"))


def test_to_rewrite_main(yard: Path) -> None:
    root = git(yard, "rev-list", "--max-parents=0", "main")
    git(yard, "reset", "--quiet", "--hard", root)
    write(
        yard, {"policies/approvals.yaml": RULES, "deployments/production/churn.yaml": "model: churn\nversion: v1.1.0\n"}
    )
    commit_all(yard, "rules of my own")
    git(yard, "push", "--quiet", "--force", "origin", "main")
    add_version(yard, "churn", "v1.1.0", at_head=True)
    with pytest.raises(Refused, match="it was rewritten"):
        admit(yard, "v1.1.0")


def test_to_approve_in_plain_git_what_one_put_into_the_merge(yard: Path) -> None:
    git(yard, "switch", "--quiet", "--create", "work")
    write(yard, {"b.txt": "x"})
    commit_all(yard, "work")
    git(yard, "switch", "--quiet", "main")
    as_mallory(yard, "merge", "--quiet", "--no-ff", "--no-commit", "work")
    merge = commit_as_mallory(yard, {CODE: "evil = 1\n"}, f"Merge{MALLORY}")
    git(yard, "push", "--quiet", "origin", "main")
    assert list(blocking(yard)) == [merge]


def test_to_approve_in_plain_git_a_branch_of_ones_own_beside_anothers(yard: Path) -> None:
    git(yard, "switch", "--quiet", "--create", "work")
    write(yard, {"b.txt": "x"})
    commit_all(yard, "work")
    git(yard, "switch", "--quiet", "--create", "evil", "main")
    commit_as_mallory(yard, {CODE: "evil = 1\n"}, "evil")
    git(yard, "switch", "--quiet", "main")
    as_mallory(yard, "merge", "--quiet", "--no-ff", "work", "evil", "--message", f"Merge{MALLORY}")
    git(yard, "push", "--quiet", "origin", "main")
    assert list(blocking(yard)) == [git(yard, "rev-parse", "HEAD")]


def test_an_honest_merge_in_plain_git_is_approved_by_who_merges(yard: Path) -> None:
    """The sibling of the attacks."""
    git(yard, "switch", "--quiet", "--create", "work")
    write(yard, {CODE: "good = 1\n"})
    commit_all(yard, "work")
    git(yard, "switch", "--quiet", "main")
    as_mallory(yard, "merge", "--quiet", "--no-ff", "work", "--message", f"Merge{MALLORY}")
    git(yard, "push", "--quiet", "origin", "main")
    assert blocking(yard) == {}


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_to_add_code_to_an_approved_merge(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bot = "modelyard[bot]" if kind == "github" else "project_1_bot_x"
    with forge_with_people(tmp_path, bot, monkeypatch) as server:
        place = Place(server, tmp_path)
        store, yard = place.store, place.clone
        api = f"{server.url}/api/v3" if kind == "github" else server.url
        ci = CI(server=server.url, api=api, repository=store.name, token="bot", timeout=20)
        forge = (GitHubForge if kind == "github" else GitLabForge).connect(Git(yard), ci)
        git(yard, "switch", "--quiet", "--force-create", "main", "origin/main")
        write(yard, {"policies/approvals.yaml": RULES, "modelyard.yaml": f"{CONFIG}forge: {kind}\n"})
        commit_all(yard, "rules")
        git(yard, "push", "--quiet", "origin", "main")
        for number, method in enumerate(("merge", "squash"), 1):
            place.branch("feature")
            pull = place.pull if number == 1 else store.open("ada", "feature", "main", "Another", "")
            store.review(pull.number, "grace", "APPROVE", commit=store.head(pull)).at += 5  # whole seconds
            store.merge(pull.number, "grace", method=method)
            git(yard, "switch", "--quiet", "main")
            git(yard, "pull", "--quiet", "origin", "main")
            git(yard, "branch", "--quiet", "-D", "feature")
            assert blocking(yard, forge) == {}, method
        place.branch("feature")
        pull = store.open("ada", "feature", "main", "A third", "")
        store.review(pull.number, "grace", "APPROVE", commit=store.head(pull)).at += 5  # whole seconds
        git(yard, "switch", "--quiet", "main")
        as_mallory(yard, "merge", "--quiet", "--no-ff", "--no-commit", "feature")
        evil = commit_as_mallory(yard, {CODE: "evil = 1\n"}, "Merge pull request #3")
        git(yard, "push", "--quiet", "origin", "main")
        pull.state, pull.merged_at, pull.merge_commit = "closed", 1.0, evil
        said = blocking(yard, forge)
        assert said == {evil: f"its files are not those that a merge of pull request {pull.number} gives"}
