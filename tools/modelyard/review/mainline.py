"""The approvals of the default branch's history, asked of the forge once for each commit and filed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import msgspec
from msgspec import Struct

from modelyard.checkout.checkout import Checkout
from modelyard.checkout.rules import approvals_at
from modelyard.documents import encode
from modelyard.errors import ModelyardError, Refused
from modelyard.evidence.approval import ApprovalRecord
from modelyard.forges.interface import Change, Forge
from modelyard.gate.approvals import needs_approval
from modelyard.gate.mainline import Judged, Merged, unapproved
from modelyard.git import GitError, LineCommit
from modelyard.manifests.approvals import APPROVALS, Approvals
from modelyard.review.approvals import approval_of_change, record_of
from modelyard.review.line import Line
from modelyard.review.subject import fetch_commit

FOLDER = "changes/"
_FAR = 100
"""Commits between two checkpoints."""
CHECKPOINT = f"{FOLDER}checkpoint.json"
_COMMIT = re.compile(r"(?<![0-9a-f])[0-9a-f]{40}(?:[0-9a-f]{24})?(?![0-9a-f])")


class FiledChange(Struct, frozen=True):
    """The filed judgement of one change of the default branch: ``changes/<commit>.json``."""

    record: ApprovalRecord
    sentence: str
    names: tuple[str, ...] = ()


class Checkpoint(Struct, frozen=True):
    """Up to where every change was approved when it was last looked at, and where the rules began."""

    start: str = ""
    commit: str = ""


class Mainline:
    """The first-parent history of the default branch. Results are kept, and ``file`` files the new ones."""

    def __init__(self, checkout: Checkout, forge: Forge | None) -> None:
        """``forge`` None: only what is filed is known, and everything else counts as not approved."""
        self._checkout, self._git, self._forge = checkout, checkout.git, forge
        self._new: dict[str, FiledChange] = {}
        self._rules: dict[str, Approvals | None] = {}
        self._open: dict[str, dict[str, Judged]] = {}

    @cached_property
    def branch(self) -> str:
        """The full name of the default branch's ref: as the remote has it, where there is a remote."""
        remote, ref = self._git.remote(), self._checkout.default_ref
        if remote is None:
            return ref
        name = self._checkout.repository.config.default_branch
        try:
            self._git.fetch(remote, f"+refs/heads/{name}:{ref}")
        except GitError as error:
            if self._forge is None and self._git.ref(ref):
                return ref  # a rollback waits for no remote; what was fetched last is older, so it proves less
            raise ModelyardError(
                f"The branch {name} cannot be fetched from {remote}, so nothing proves what was merged.",
                f"Check it with: git ls-remote {remote}",
            ) from error
        return ref

    @cached_property
    def line(self) -> Line:
        """The line of the default branch."""
        self._git.require_whole("the history of the default branch")
        return Line(self._git, self.branch, self._were_on_it)

    @property
    def positions(self) -> dict[str, int]:
        """Commit → position in the history of the default branch, oldest first."""
        return self.line.positions

    @cached_property
    def start(self) -> str:
        """The commit that brought policies/approvals.yaml; '' where none ever stood."""
        if self._checked.start in self.positions:
            return self._checked.start
        brought = [commit for commit, path in self.line.added("policies") if path == APPROVALS]
        return brought[-1] if brought else ""

    @cached_property
    def _line(self) -> list[LineCommit]:
        """The history after the last checkpoint, or after the start, oldest first."""
        since = self._checked.commit if self._checked.commit in self.positions else self.start
        return self.line.since(since) if since else []

    @cached_property
    def _were_on_it(self) -> frozenset[str]:
        """Commits that were on the line when something was filed about them: judged changes, versions and receipts."""
        changes = self._checkout.evidence.listed(FOLDER)
        filed = {path.removeprefix(FOLDER).removesuffix(".json") for path in changes if path != CHECKPOINT}
        checked = {sha for sha in (self._checked.start, self._checked.commit) if sha}
        return frozenset(sha for sha in filed if _COMMIT.fullmatch(sha)) | checked | self._checkout.registry.commits

    def require_merged(self, commit: str, what: str) -> None:
        """Refused unless a commit is in the first-parent history of the default branch."""
        if commit not in self.positions:
            name = self._checkout.repository.config.default_branch
            raise Refused(
                f"{what} is at the commit {commit[:12]}, which is not in the history of {name}.",
                f"Merge it into {name} in a reviewed pull request, and push {name}.",
            )

    def require_kept(self) -> None:
        """Refused where a commit that was main's head is not on the line: what is there was never judged as a whole."""
        for commit in self.line.lost[:1]:
            name = self._checkout.repository.config.default_branch
            raise Refused(
                f"The commit {commit[:12]} was the head of {name}, and the history of {name} does not go through it any"
                " more: it was rewritten.",
                f"Find out who did it, and put {name} back. To keep what is there now, merge that commit into it in an"
                f" approved pull request: git merge -s ours --allow-unrelated-histories {commit}",
            )

    def unapproved(self, until: str) -> dict[str, Judged]:
        """The changes up to a commit that nobody approved, oldest first; empty where no rules ever stood."""
        if until not in self._open:
            end = self.positions[until]
            part = [entry for entry in self._line if self.positions[entry.info.sha] <= end]
            merged = [Merged(e.info.sha, next(iter(e.info.parents), ""), e.files) for e in part]
            self._open[until] = unapproved(merged, self._judge)
        return self._open[until]

    def record(self, commit: str) -> tuple[ApprovalRecord, ...]:
        """The record of one change of the history. Empty for a change that needed no approval and has none."""
        known = self._known.get(commit) or self._new.get(commit) or self._filed([commit]).get(commit)
        if known is None and self._forge is not None:
            known = self._ask(self._forge, commit, self.line.parent(commit), ())[0]
        return (known.record,) if known else ()

    def file(self) -> None:
        """Files the results that are not filed yet, and up to where nothing is open."""
        contents = {f"{FOLDER}{commit}.json": encode(found, order="sorted") for commit, found in self._new.items()}
        clean = [commit for commit, missing in self._open.items() if not missing]
        newest = max(clean, key=self.positions.__getitem__, default="")
        # Seldom, because each checkpoint is kept beside the next one.
        if newest and self.positions[newest] - self.positions.get(self._checked.commit, 0) >= _FAR:
            contents[CHECKPOINT] = encode(Checkpoint(self.start, newest), order="sorted")
        if contents:
            self._checkout.evidence.append(contents, f"Approvals of {len(self._new)} changes")
            self._known.update(self._new)
            self._new = {}

    # --- one change --------------------------------------------------------------------------------------------------

    def _judge(self, change: Merged, base: str, more: tuple[str, ...]) -> Judged:
        if not needs_approval(self._rules_at(base), (*change.files, *more)):
            return Judged(True, "no approval is required")  # such a change settles nothing
        known = self._known.get(change.commit) or self._new.get(change.commit)
        if known and known.record.base == base and not more and all(rule.met for rule in known.record.rules):
            return Judged(True, known.sentence, known.names)
        if self._forge is None:
            return Judged(False, "its approvals are not known here")
        found, given = self._ask(self._forge, change.commit, base, more)
        if given and not more:
            self._new[change.commit] = found
        return Judged(given, found.sentence, found.names)

    def _ask(self, forge: Forge, commit: str, base: str, more: tuple[str, ...]) -> tuple[FiledChange, bool]:
        parent = self.line.parent(commit)
        change = forge.change_of(commit, parent)
        fault = self._fault(change, parent)
        approval = approval_of_change(self._git, forge, replace(change, reviews=()) if fault else change, base, more)
        record = record_of(self._git, change, approval, base)
        return FiledChange(record, fault or approval.sentence, _named_in(change)), approval.given and not fault

    def _fault(self, change: Change, parent: str) -> str:
        """Why the reviews of a pull request say nothing about the commit that merged it; '' where they do."""
        if change.pull is None:
            return ""
        merge = len(self._git.commit_info(change.commit).parents) > 1
        if merge and parent in change.contribution.commits:
            return f"it merges main into pull request {change.pull}, whose reviewers saw another difference"
        try:
            fetch_commit(self._git, change.head, change.pull)
        except ModelyardError as error:
            if remote := self._git.remote():
                self._git.remote_refs(remote, self.branch)  # raises where the remote does not answer at all
            return f"{error.problem.rstrip('.')}, so nothing shows what its reviewers saw"
        if self._git.is_merge_of(change.commit, parent, change.head):
            return ""
        return f"its files are not those that a merge of pull request {change.pull} gives"

    def _rules_at(self, base: str) -> Approvals | None:
        """The rules as they stood at a commit: those of the last change of their file."""
        at = self.positions[base]
        changed = [sha for position, sha in self._rule_changes if position <= at]
        last = changed[-1] if changed else self._first_base
        if last not in self._rules:
            self._rules[last] = approvals_at(self._git, last)
        return self._rules[last]

    @cached_property
    def _rule_changes(self) -> list[tuple[int, str]]:
        shas = [entry.info.sha for entry in self._line if APPROVALS in entry.files]
        return [(self.positions[sha], sha) for sha in shas]

    @cached_property
    def _first_base(self) -> str:
        return self._line[0].info.parents[0]

    @cached_property
    def _known(self) -> dict[str, FiledChange]:
        return self._filed([entry.info.sha for entry in self._line])

    def _filed(self, commits: Sequence[str]) -> dict[str, FiledChange]:
        wanted = {f"{FOLDER}{commit}.json": commit for commit in commits}
        listed = {path: sha for path, sha in self._checkout.evidence.listed(FOLDER).items() if path in wanted}
        blobs = self._git.blobs(listed.values())
        found = {}
        for path, sha in listed.items():
            try:
                filed = msgspec.json.decode(blobs[sha], type=FiledChange)
            except (msgspec.MsgspecError, RecursionError):
                continue  # it is asked for again
            if filed.record.commit == wanted[path]:
                found[wanted[path]] = filed
        return found

    @cached_property
    def _checked(self) -> Checkpoint:
        content = self._checkout.evidence.filed(CHECKPOINT).get(CHECKPOINT, b"{}")
        try:
            return msgspec.json.decode(content, type=Checkpoint)
        except (msgspec.MsgspecError, RecursionError):
            return Checkpoint()


def _named_in(change: Change) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sha for message in change.contribution.messages for sha in _COMMIT.findall(message)))
