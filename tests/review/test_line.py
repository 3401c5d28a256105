"""The line of the default branch, in real repositories whose merges have their parents the wrong way round."""

from __future__ import annotations

from pathlib import Path

import pytest
from modelyard.git import Git
from modelyard.review.line import Line
from support.yard import commit_all, git, write


class Yard:
    """A repository; each commit on it changes one file of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        git(root, "init", "--quiet", "--initial-branch", "main")

    def commit(self, name: str) -> str:
        write(self.root, {name: name})
        return commit_all(self.root, name)

    def merge(self, first: str, second: str, *more: str, tree: str = "") -> str:
        """A merge commit with the files of ``tree``, which main then is."""
        parents = [part for one in (first, second, *more) for part in ("-p", one)]
        commit = git(self.root, "commit-tree", f"{tree or second}^{{tree}}", *parents, "-m", "Merge")
        git(self.root, "checkout", "--quiet", "-B", "main", commit)
        return commit

    def aside(self, *names: str, at: str = "") -> str:
        """Commits beside main, on another commit or on none; the last one."""
        if at:
            git(self.root, "checkout", "--quiet", "--detach", at)
        else:
            git(self.root, "switch", "--quiet", "--orphan", f"aside/{names[0]}")
        return [self.commit(name) for name in names][-1]

    def line(self, *known: str) -> Line:
        return Line(Git(self.root), "refs/heads/main", known)


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path / "yard")


def shas(line: Line) -> list[str]:
    return sorted(line.positions, key=line.positions.__getitem__)


def test_a_straight_history_is_its_first_parents(yard: Yard) -> None:
    one, two = yard.commit("a"), yard.commit("b")
    other = yard.aside("c", at=one)
    merge = yard.merge(two, other)
    line = yard.line(one, two)
    assert shas(line) == [one, two, merge] and line.parent(merge) == two and line.lost == ()
    assert [(entry.info.sha, entry.files) for entry in line.since(one)] == [(two, ("b",)), (merge, ("b", "c"))]


def test_the_line_goes_on_by_the_parent_that_was_main(yard: Yard) -> None:
    one, two = yard.commit("a"), yard.commit("policies/approvals.yaml")
    own = yard.aside("x", "y")
    merge = yard.merge(own, two, tree=own)
    last = yard.commit("z")
    line = yard.line(two)
    assert shas(line) == [one, two, merge, last]
    assert (line.parent(merge), line.parent(last), line.parent(one)) == (two, merge, "")
    assert [sha for sha, path in line.added("policies") if path == "policies/approvals.yaml"] == [two]
    [turned, after] = line.since(two)
    assert turned.info.parents == (two, own) and set(turned.files) == {"a", "policies/approvals.yaml", "x", "y"}
    assert after.files == ("z",)
    assert [entry.info.sha for entry in line.since(one)] == [two, merge, last]
    assert [entry.info.sha for entry in line.since(merge)] == [last]
    assert shas(yard.line())[-1] == last and two not in yard.line().positions, "nothing is known of the branch"


def test_a_file_that_only_the_merge_brought_is_added_by_it(yard: Yard) -> None:
    one = yard.commit("a")
    own = yard.aside("policies/approvals.yaml")
    merge = yard.merge(own, one, tree=own)
    assert yard.line(one).added("policies") == [(merge, "policies/approvals.yaml")]


def test_a_pull_of_somebody_who_was_behind_is_read_the_right_way_round(yard: Yard) -> None:
    one, two = yard.commit("a"), yard.commit("b")
    own = yard.aside("note", at=one)
    merge = yard.merge(own, two)
    assert shas(yard.line(one, two)) == [one, two, merge]
    assert yard.line(one, two).parent(merge) == two


def test_a_commit_on_top_of_the_branch_that_was_does_not_hide_it(yard: Yard) -> None:
    one, two = yard.commit("a"), yard.commit("b")
    child = yard.aside("c", at=two)
    merge = yard.merge(yard.aside("x", "y"), child)
    assert shas(yard.line(one, two)) == [one, two, child, merge]
    feature = yard.merge(yard.aside("z", at=one), two)
    head = yard.commit("more")
    assert shas(yard.line(two)) == [one, two, feature, head], "a branch that main was merged into, fast-forwarded"


def test_the_line_goes_by_the_parent_that_has_every_known_commit(yard: Yard) -> None:
    """Whatever the sha of another parent is, which has some of them."""
    one, two, three = yard.commit("a"), yard.commit("b"), yard.commit("c")
    for number in range(8):
        other = yard.aside(f"x{number}", at=one)
        merge = yard.merge(yard.aside(f"y{number}"), other, three)
        line = yard.line(one, two, three)
        assert shas(line) == [one, two, three, merge] and line.lost == ()


def test_two_turns_are_read_one_after_the_other(yard: Yard) -> None:
    one = yard.commit("a")
    first = yard.merge(yard.aside("x", at=one), yard.aside("b", at=one))
    two = git(yard.root, "rev-parse", f"{first}^2")
    own = yard.aside("y", at=one)
    second = yard.merge(own, first)
    assert shas(yard.line(two, first)) == [one, two, first, second]


def test_the_first_parent_stays_where_both_sides_were_main(yard: Yard) -> None:
    """Such as where an older release took both for the branch: no side is put away."""
    one = yard.commit("a")
    ours, theirs = yard.aside("b", at=one), yard.aside("c", at=one)
    merge = yard.merge(ours, theirs)
    line = yard.line(ours, theirs)
    assert shas(line) == [one, ours, merge] and line.lost == (theirs,)


def test_a_third_parent_can_be_the_branch_that_was(yard: Yard) -> None:
    one, two = yard.commit("a"), yard.commit("b")
    merge = yard.merge(yard.aside("x", at=one), yard.aside("y", at=one), two)
    assert shas(yard.line(two)) == [one, two, merge]


def test_a_commit_that_the_branch_lost_is_told(yard: Yard) -> None:
    one, two = yard.commit("a"), yard.commit("b")
    git(yard.root, "tag", "kept", two)
    own = yard.aside("x", at=one)
    git(yard.root, "checkout", "--quiet", "-B", "main", own)
    assert yard.line(two).lost == (two,)
    assert yard.line("c" * 40).lost == (), "a commit that nobody has says nothing"
    merge = yard.merge(own, two, tree=own)
    assert yard.line(two).lost == () and shas(yard.line(two)) == [one, two, merge]


def test_the_newest_change_of_a_file_is_the_one_that_brought_it_to_main(yard: Yard) -> None:
    one, two = yard.commit("a"), yard.commit("b")
    own = yard.aside("x", at=one)
    git(yard.root, "merge", "--quiet", "--no-ff", "-m", "take b", two)
    merge = yard.merge(two, own, tree="HEAD")
    last = yard.commit("c")
    line = yard.line(one, two)
    assert (line.last_change("a", last), line.last_change("b", last)) == (one, two)
    assert (line.last_change("x", last), line.last_change("x", merge), line.last_change("x", two)) == (merge, merge, "")
    assert (line.last_change("c", last), line.last_change("c", merge), line.last_change("never", last)) == (
        last,
        "",
        "",
    )
    assert line.last_change("x", own) == own, "beside the line the first-parent history counts"


def test_of_a_turned_merge_the_newest_change_is_the_merge_and_not_a_commit_beside_main(yard: Yard) -> None:
    one = yard.commit("a")
    main = yard.commit("b")
    own = yard.aside("x", at=one)
    git(yard.root, "merge", "--quiet", "--no-ff", "-m", "Merge main", main)  # as git pull does it
    merge = git(yard.root, "rev-parse", "HEAD")
    git(yard.root, "checkout", "--quiet", "-B", "main", merge)
    last = yard.commit("c")
    line = yard.line(one, main)
    assert shas(line) == [one, main, merge, last] and own not in line.positions
    assert (line.last_change("x", last), line.last_change("b", last), line.last_change("a", last)) == (merge, main, one)
    feature = yard.aside("d", at=last)
    assert line.last_change("b", feature) == merge, "beside the line the merge brought what its first parent lacked"
