"""A clone and a forge of pull requests in memory, so that tests of reviews need no process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from modelyard.checkout.checkout import Checkout
from modelyard.checkout.evidence_store import EvidenceStore
from modelyard.errors import ModelyardError
from modelyard.forges.interface import (
    Change,
    Comment,
    Contribution,
    Draft,
    ForgeSettings,
    Issue,
    Permission,
    Pull,
    PullForge,
    Reaction,
    Status,
)
from modelyard.gate.approvals import Review
from modelyard.git import CommitInfo, Git, Push, PushRefused, RefRejected, TagRef

from support.yard import write


def _sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


@dataclass
class MemoryGit:
    """Commits as mappings from paths to contents, with the methods of ``Git`` that reviews use."""

    head: str = ""
    remote_name: str | None = "origin"
    url: str = "https://forge.example/acme/models.git"
    root: Path = Path("/nowhere")
    tag_refs: list[TagRef] = field(default_factory=list)
    remote_branches: dict[str, str] = field(default_factory=dict)
    refuses: bool = False
    """Whether the remote refuses every push."""
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._trees: dict[str, dict[str, bytes]] = {"": {}}
        self._infos: dict[str, CommitInfo] = {}
        self._blobs: dict[str, bytes] = {}
        self._far: set[str] = set()
        self._at = 1_750_000_000

    def add(
        self, files: Mapping[str, str | bytes | None], parent: str = "", *, merged: str = "", message: str = "a change",
        author: str = "Ada Author", email: str = "ada@example.org", far: bool = False,
    ) -> str:  # fmt: skip
        """A commit on top of ``parent``; None removes a file; ``far`` is one that only the remote has yet."""
        tree = dict(self._trees[parent])
        for path, content in files.items():
            if content is None:
                tree.pop(path, None)
            else:
                tree[path] = content.encode() if isinstance(content, str) else content
        parents = tuple(one for one in (parent, merged) if one)
        self._at += 1
        sha = _sha1(repr((sorted(tree.items()), parents, message, self._at)).encode())
        self._trees[sha] = tree
        subject = message.partition("\n")[0]
        self._infos[sha] = CommitInfo(
            sha=sha, author=author, email=email, at=self._at, subject=subject, body=message, parents=parents
        )
        if far:
            self._far.add(sha)
        return sha

    def commit_of(self, revision: str) -> str:
        if revision == "HEAD" and self.head:
            return self.head
        base, _, parent = revision.partition("^")
        if base in self._infos and parent in ("", "1"):
            return self._infos[base].parents[0] if parent else base
        raise ModelyardError(f"There is no revision {revision}.", "Name another one.")

    def commit_info(self, revision: str) -> CommitInfo:
        return self._infos[self.commit_of(revision)]

    def has_commit(self, sha: str) -> bool:
        return sha in self._infos and sha not in self._far

    def fetch(self, remote: str, *refspecs: str) -> None:
        self.fetched += refspecs
        self._far -= set(refspecs)

    def file_at(self, revision: str, path: str) -> bytes | None:
        return self._tree(revision).get(path)

    def files_at(self, revision: str, *folders: str) -> dict[str, str]:
        found = {}
        for path, content in sorted(self._tree(revision).items()):
            if not folders or any(path == f or path.startswith(f.rstrip("/") + "/") for f in folders):
                found[path] = _sha1(content)
                self._blobs[found[path]] = content
        return found

    def entries_at(self, revision: str, *folders: str) -> dict[str, tuple[str, str]]:
        return {path: ("100644", sha) for path, sha in self.files_at(revision, *folders).items()}

    def blobs(self, shas: Iterable[str]) -> dict[str, bytes]:
        return {sha: self._blobs[sha] for sha in shas}

    def is_ancestor(self, older: str, newer: str) -> bool:
        return older in self._ancestors(newer)

    def merge_base(self, one: str, other: str) -> str | None:
        older = set(self._ancestors(one))
        return next((sha for sha in self._ancestors(other) if sha in older), None)

    def differing_files(self, one: str, other: str) -> list[str]:
        return self._differing(one, other)

    def is_merge_of(self, commit: str, one: str, other: str) -> bool:
        return self._trees[commit] == {**self._trees[one], **self._trees[other]}

    def commits_between(self, base: str, head: str) -> list[CommitInfo]:
        older = set(self._ancestors(base))
        return [self._infos[sha] for sha in self._ancestors(head) if sha not in older]

    def changed_files(self, base: str, head: str) -> list[str]:
        return list(self.changes(base, head))

    def changes(self, base: str, head: str) -> dict[str, tuple[str, str]]:
        older = set(self._ancestors(self.commit_of(base)))
        end = self.commit_of(head)
        begin = next((one for one in self._ancestors(end) if one in older), "")
        before, now = self.files_at(begin) if begin else {}, self.files_at(end)
        return {path: (before.get(path, ""), now.get(path, "")) for path in self._differing(begin, end)}

    def files_of(self, commit: CommitInfo) -> list[str]:
        return self._differing(commit.parents[0] if commit.parents else "", commit.sha)

    def history(self, path: str, limit: int = 1, *, first_parent: bool = False, at: str = "HEAD") -> list[CommitInfo]:
        return [info for info in self._first_parents(at) if path in self.files_of(info)][:limit]

    def added(self, folder: str, revision: str) -> list[tuple[str, int, str]]:
        found = []
        for info in self._first_parents(revision):
            before = self._trees[info.parents[0]] if info.parents else {}
            found += [(info.sha, info.at, p) for p in self._trees[info.sha] if p.startswith(folder) and p not in before]
        return found

    def commit_on(
        self, parent: str, files: Mapping[str, bytes], message: str, drop: frozenset[str] = frozenset()
    ) -> str:
        tree = self._trees[parent]
        if all(tree.get(p) == c for p, c in files.items()) and not drop & tree.keys():
            return parent
        return self.add(dict(files) | dict.fromkeys(drop), parent, message=message)

    def push(self, remote: str, *pushes: Push) -> None:
        for push in pushes:
            if self.refuses:
                raise PushRefused(remote, push.ref, "remote: a rule forbids it")
            if push.lease and self.remote_branches.get(push.ref, "") != push.expected:
                raise RefRejected(("push",), "stale info")
            self.remote_branches[push.ref] = push.sha

    def remote_refs(self, remote: str, *patterns: str) -> dict[str, str]:
        return {ref: sha for ref, sha in self.remote_branches.items() if ref in patterns}

    def remote(self) -> str | None:
        return self.remote_name

    def remote_url(self, remote: str) -> str:
        return self.url

    def tags(self, *patterns: str) -> list[TagRef]:
        return self.tag_refs

    def is_shallow(self) -> bool:
        return False

    def _tree(self, revision: str) -> dict[str, bytes]:
        try:
            return self._trees[self.commit_of(revision)]
        except ModelyardError:
            return {}

    def _first_parents(self, revision: str) -> list[CommitInfo]:
        line, sha = [], self.commit_of(revision)
        while sha:
            line.append(self._infos[sha])
            sha = line[-1].parents[0] if line[-1].parents else ""
        return line

    def _ancestors(self, sha: str) -> list[str]:
        found, todo = [], [sha]
        while todo:
            one = todo.pop(0)
            if one not in found:
                found.append(one)
                todo += self._infos[one].parents
        return found

    def _differing(self, one: str, other: str) -> list[str]:
        before, after = self._trees[one], self._trees[other]
        return sorted(p for p in before.keys() | after.keys() if before.get(p) != after.get(p))


@dataclass
class MemoryForge:
    """A forge that keeps everything in lists. A person without an entry in ``permissions`` may read."""

    comment_limit: int = 65_536
    measured_by: str = ".github/workflows/propose.yml"
    permissions: dict[str, Permission] = field(default_factory=dict)
    teams: dict[str, list[str]] = field(default_factory=dict)
    pulls: dict[int, Pull] = field(default_factory=dict)
    files: dict[int, list[str]] = field(default_factory=dict)
    given: dict[int, tuple[Review, ...]] = field(default_factory=dict)
    contributions: dict[int, Contribution] = field(default_factory=dict)
    written: dict[int, list[Comment]] = field(default_factory=dict)
    set_statuses: list[tuple[str, Status]] = field(default_factory=list)
    """Oldest first."""
    reactions: list[Reaction] = field(default_factory=list)
    dispatched: list[tuple[int, str]] = field(default_factory=list)
    known: ForgeSettings = field(default_factory=lambda: ForgeSettings("main", None, frozenset(), False))
    asked: list[str] = field(default_factory=list)
    """People and teams that were looked up."""
    writes: int = 0
    """Comments that were written or edited."""

    def pull(self, number: int) -> Pull:
        return self.pulls[number]

    def pulls_of(self, commit: str) -> list[Pull]:
        return [pull for pull in self.pulls.values() if commit in (pull.head, pull.merge_commit)]

    def open_pulls(self, branch: str = "", owner: str = "") -> list[Pull]:
        return [p for p in self.pulls.values() if p.state == "open" and branch in ("", p.branch)]

    def open_or_refresh(self, draft: Draft) -> tuple[Pull, bool]:
        for pull in self.open_pulls(draft.branch):
            self.pulls[pull.number] = replace(pull, title=draft.title, body=draft.body)
            return self.pulls[pull.number], False
        number = max(self.pulls, default=0) + 1
        self.pulls[number] = a_pull(number, branch=draft.branch, base=draft.base, title=draft.title, body=draft.body)
        return self.pulls[number], True

    def close(self, number: int) -> None:
        self.pulls[number] = replace(self.pulls[number], state="closed")

    def comments(self, number: int) -> list[Comment]:
        return list(self.written.get(number, []))

    def write_comment(self, number: int, body: str, marker: str) -> Comment:
        self.writes += 1
        there = self.written.setdefault(number, [])
        for i, comment in enumerate(there):
            if comment.ours and marker in comment.body:
                there[i] = replace(comment, body=body)
                return there[i]
        there.append(Comment(len(there) + 1, body, True))
        return there[-1]

    def open_issues(self) -> list[Issue]:
        raise NotImplementedError

    def write_issue(self, title: str, body: str, marker: str) -> tuple[Issue, bool]:
        raise NotImplementedError

    def close_issue(self, number: int, comment: str) -> None:
        raise NotImplementedError

    def set_status(self, commit: str, status: Status) -> None:
        self.set_statuses.append((commit, status))

    def statuses(self, commit: str) -> list[Status]:
        return [status for sha, status in reversed(self.set_statuses) if sha == commit]

    def reviews(self, number: int) -> tuple[Review, ...]:
        return self.given.get(number, ())

    def contribution(self, number: int) -> Contribution:
        return self.contributions.get(number, Contribution())

    def changed_files(self, number: int) -> list[str]:
        return self.files.get(number, [])

    def react(self, number: int, comment: int, reaction: Reaction) -> None:
        self.reactions.append(reaction)

    def raw_url(self, branch: str, path: str) -> str:
        return f"https://forge.example/raw/{branch}/{path}"

    def file_url(self, commit: str, path: str) -> str:
        return f"https://forge.example/blob/{commit}/{path}"

    def measure_again(self, pull: Pull) -> None:
        self.dispatched.append((pull.number, pull.head))

    def settings(self) -> ForgeSettings:
        return self.known

    def permission(self, handle: str) -> Permission:
        self.asked.append(handle)
        return self.permissions.get(handle.removeprefix("@").lower(), "read")

    def is_member(self, handle: str, team: str) -> bool:
        self.asked.append(team)
        return handle in self.teams.get(team, [])

    def change_of(self, commit: str, parent: str = "") -> Change:
        raise NotImplementedError


@dataclass
class MemoryEvidence:
    """An evidence store that keeps its files in a mapping."""

    filed_files: dict[str, bytes] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    refuses: bool = False

    def adopted(self, tags: object) -> dict[str, object]:
        return {}

    def append(self, files: Mapping[str, bytes], message: str, drop: frozenset[str] = frozenset()) -> None:
        if self.refuses:
            raise ModelyardError("The evidence branch cannot be written.", "Grant permission.")
        self.filed_files = {path: one for path, one in {**self.filed_files, **files}.items() if path not in drop}
        self.messages.append(message)

    def newest(self) -> str:
        return "e" * 40

    @property
    def git(self) -> MemoryEvidence:
        """What reads its blobs."""
        return self

    def blobs(self, shas: Iterable[str]) -> dict[str, bytes]:
        known = {_sha1(content): content for content in self.filed_files.values()}
        return {sha: known[sha] for sha in shas}

    def listed(self, *paths: str) -> dict[str, str]:
        return {path: _sha1(content) for path, content in self.filed(*paths).items()}

    def filed(self, *paths: str) -> dict[str, bytes]:
        below = tuple(path for path in paths if path.endswith("/"))
        return {path: one for path, one in self.filed_files.items() if path in paths or path.startswith(below)}


def a_pull(number: int = 1, **changes: object) -> Pull:
    """An open pull request of ada."""
    pull = Pull(
        number=number, title="A title", body="", author="ada", head="", branch="feature", base="main", state="open",
        from_fork=False, url=f"https://forge.example/pull/{number}",
    )  # fmt: skip
    return replace(pull, **changes)  # type: ignore[arg-type]


def memory_checkout(root: Path, git: MemoryGit, evidence: MemoryEvidence | None = None) -> Checkout:
    """A checkout whose working tree is written to ``root``, and whose commits are in memory."""
    write(root, {path: (git.file_at("HEAD", path) or b"").decode() for path in git.files_at("HEAD")})
    checkout = Checkout(root)
    checkout.git = as_git(git)
    checkout.evidence = as_store(evidence or MemoryEvidence())
    checkout.filed_tags = lambda model="": {tag.name: tag.object for tag in git.tag_refs}  # type: ignore[method-assign]
    return checkout


def as_git(git: MemoryGit) -> Git:
    """The clone in memory, for code that takes ``Git``."""
    return cast(Git, git)


def as_store(evidence: MemoryEvidence) -> EvidenceStore:
    """The evidence in memory, for code that takes ``EvidenceStore``."""
    return cast(EvidenceStore, evidence)


def as_forge(forge: MemoryForge) -> PullForge:
    """The forge in memory, which has the whole interface."""
    return forge
