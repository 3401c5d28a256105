"""Random histories of pushes, merges, turned merges, rewrites and filings: no file that nobody approved passes the door.

The model of the rules is simple and independent of the door: each change writes a text that says whether it was approved.
Where the door finds nothing to refuse, no file of main may hold a text that was not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from modelyard.checkout.checkout import Checkout
from modelyard.errors import Refused
from modelyard.forges.interface import Change, Contribution, Forge
from modelyard.gate.approvals import Review
from modelyard.git import LineCommit
from modelyard.review.mainline import Mainline
from support.pulls import MemoryEvidence, MemoryGit

RULES = "rules:\n  - {{id: reviewed, paths: ['{paths}'], role: writers, count: 1, why: '{why}'}}\n"
APPROVALS = "policies/approvals.yaml"
FILES = (APPROVALS, "models/churn/train.py", "deployments/production/churn.yaml")


class Graph(MemoryGit):
    """Commits with any parents; main is ``head``."""

    def line(self, revision: str) -> list[str]:
        return [info.sha for info in self._first_parents(revision)]

    def first_parents(self, revision: str, since: str = "") -> list[LineCommit]:
        older = set(self._ancestors(since)) if since else set()
        infos = [info for info in self._first_parents(revision) if info.sha not in older]
        return [LineCommit(info, tuple(self.files_of(info))) for info in reversed(infos)]

    def graph(self, revision: str) -> dict[str, tuple[str, ...]]:
        return {sha: self._infos[sha].parents for sha in self._ancestors(self.commit_of(revision))}

    def commit_of(self, revision: str) -> str:
        return self.head if revision == "refs/heads/main" else super().commit_of(revision)

    def require_whole(self, what: str) -> None:
        """It is whole."""

    def merge(self, first: str, second: str, files: Mapping[str, str]) -> str:
        """A merge with the files of the second parent where both have one, and with others."""
        return self.add({**self._trees[second], **files}, first, merged=second)

    def keep(self, content: bytes) -> str:
        """The name under which ``blobs`` gives a content that no commit has."""
        self._blobs[content.hex()] = content
        return content.hex()


class Filed(MemoryEvidence):
    """The evidence branch in memory, whose contents are blobs of a graph."""

    def __init__(self, git: Graph) -> None:
        super().__init__()
        self._git = git

    def listed(self, *folders: str) -> dict[str, str]:
        return {path: self._git.keep(content) for path, content in self.filed(*folders).items()}


@dataclass
class Approving:
    """A forge that knows which commits were approved, and which earlier ones they name."""

    git: Graph
    approved: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def change_of(self, commit: str, parent: str = "") -> Change:
        files = tuple(self.git.differing_files(parent, commit))
        reviews = (Review("grace", "approved", "", 1),) if commit in self.approved else ()
        said = Contribution(("ada",), messages=self.approved.get(commit, ()))
        return Change(commit, "a change", "ada", files, reviews, contribution=said)

    def permission(self, handle: str) -> str:
        return "write" if handle == "grace" else "read"

    def is_member(self, handle: str, team: str) -> bool:
        return False


class World:
    """A repository whose main has rules and one registered version, and what attacker and team do to it."""

    def __init__(self) -> None:
        self.git = Graph(remote_name=None)
        self.forge = Approving(self.git)
        self.evidence = Filed(self.git)
        self.heads: list[str] = []
        self.settled: set[str] = set()
        self._count = 0
        root = self.git.add({"README.md": "good"})
        self.move(self.git.add({APPROVALS: RULES.format(paths="*", why="good 0")}, root))
        self.versions = {self.git.head}

    def move(self, commit: str) -> None:
        self.git.head = commit
        self.heads.append(commit)

    def text(self, path: str, good: bool) -> str:
        """A new content of a file, which says whether its change was approved."""
        self._count += 1
        word = f"{'good' if good else 'evil'} {self._count}"
        return RULES.format(paths="*" if good else "nothing/*", why=word) if path == APPROVALS else word

    def mainline(self) -> Mainline:
        config = SimpleNamespace(default_branch="main")
        checkout: Any = SimpleNamespace(
            git=self.git, evidence=self.evidence, repository=SimpleNamespace(config=config),
            default_ref="refs/heads/main", registry=SimpleNamespace(commits=frozenset(self.versions)),
        )  # fmt: skip
        return Mainline(cast(Checkout, checkout), cast(Forge, self.forge))

    def passes(self, *, file: bool = False) -> bool:
        """Whether the door lets main's files through."""
        line = self.mainline()
        try:
            line.require_kept()
        except Refused:
            return False
        missing = line.unapproved(self.git.head)
        if file:
            line.file()
        return not missing

    def evil(self) -> list[str]:
        """The files of main that hold what nobody approved."""
        found = []
        for path in self.git.files_at(self.git.head):
            content = (self.git.file_at(self.git.head, path) or b"").decode()
            if "evil" in content and content not in self.settled:
                found.append(path)
        return found

    # --- what people do ----------------------------------------------------------------------------------------------

    def push(self, path: str, good: bool, _: int) -> None:
        commit = self.git.add({path: self.text(path, good)}, self.git.head)
        if good:
            self.forge.approved[commit] = ()
        self.move(commit)

    def merge(self, path: str, good: bool, back: int) -> None:
        """A merge of a branch from an earlier head; an evil one has one more file than the branch."""
        branch = self.git.add({path: self.text(path, True)}, self.heads[-1 - back % len(self.heads)])
        more = {} if good else {FILES[1]: self.text(FILES[1], False)}
        main = {p: self.git.file_at(self.git.head, p) for p in self.git.files_at(self.git.head)}
        files = {**main, path: self.git.file_at(branch, path), **more}
        commit = self.git.add({p: c for p, c in files.items() if c is not None}, self.git.head, merged=branch)
        if good:
            self.forge.approved[commit] = ()
        self.move(commit)

    def turn(self, path: str, good: bool, back: int) -> None:
        """A merge whose first parent is somebody's own work, from nowhere or from an earlier head."""
        start = "" if back % 3 == 0 else self.heads[-1 - back % len(self.heads)]
        files = {} if good else {path: self.text(path, False)}
        own = self.git.add({"own": "good", **files}, start)
        self.move(self.git.merge(own, self.git.head, files))

    def bury(self, path: str, good: bool, back: int) -> None:
        """The same with a commit of its own on top of main."""
        child = self.git.add({"child": "good"}, self.git.head)
        files = {} if good else {path: self.text(path, False)}
        self.move(self.git.merge(self.git.add({"own": "good", **files}, ""), child, files))

    def rewind(self, path: str, good: bool, back: int) -> None:
        """A forced push of other work on an earlier head."""
        self.git.head = self.heads[-1 - back % len(self.heads)]
        self.push(path, good, 0)

    def file(self, path: str, good: bool, back: int) -> None:
        self.passes(file=True)

    def register(self, path: str, good: bool, back: int) -> None:
        if self.passes():
            self.versions.add(self.git.head)

    def settle(self, path: str, good: bool, back: int) -> None:
        """An approved change that names what is open, after a look at it."""
        try:
            names = tuple(self.mainline().unapproved(self.git.head))
        except Refused:
            return
        self.push(APPROVALS, True, 0)  # or what was settled would be the rules from now on
        self.forge.approved[self.git.head] = (" ".join(names),)
        for name in names:
            self.settled |= {(self.git.file_at(name, p) or b"").decode() for p in self.git.files_at(name)}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("push", "merge", "turn", "bury", "rewind", "file", "register", "settle")),
        st.sampled_from(FILES), st.booleans(), st.integers(0, 5),
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=150)
@given(STEPS)
def test_to_find_any_history_that_hides_a_change_from_the_rules(steps: list[tuple[str, str, bool, int]]) -> None:
    world = World()
    for what, path, good, back in steps:
        getattr(world, what)(path, good, back)
        if world.passes():
            assert not world.evil(), [step[0] for step in steps]


def test_the_team_is_not_stopped_by_its_own_approved_work() -> None:
    """The sibling of the attack: what is approved passes, also after a pull the wrong way round."""
    world = World()
    for _ in range(3):
        world.push(FILES[1], True, 0)
        world.merge(FILES[2], True, 1)
        assert world.passes(file=True)
    world.turn("", True, 1)
    assert not world.passes(), "nobody approved the note that came along"
    world.settle("", True, 0)
    assert world.passes()
