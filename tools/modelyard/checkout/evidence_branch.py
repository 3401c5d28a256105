"""The append-only orphan branch ``modelyard/evidence``: how files get onto it, whoever else writes at the same time.

A path that is filed already with other content keeps both: the older moves to ``superseded/`` beside it. What another
writer, or a forced push, took away is put back by the next writer whose clone still has it.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Mapping

from modelyard.errors import ModelyardError
from modelyard.git import Git, GitError, Push, RefRejected

BRANCH = "modelyard/evidence"
SUPERSEDED = "superseded"
_LOCAL = f"refs/heads/{BRANCH}"
_ATTEMPTS = 12


class EvidenceBranch:
    """The branch as one clone sees it."""

    def __init__(self, git: Git) -> None:
        self.git = git
        self._known: str | None = None

    def append(self, files: Mapping[str, bytes], message: str, drop: frozenset[str] = frozenset()) -> str:
        """Adds files by their path on the branch (and takes ``drop`` off its newest tree), pushes it where there is a
        remote; the commit. Concurrent writers take turns, none is lost.
        """
        self._known = None
        with self.git.exclusively("evidence"):  # of one clone; against other clones the push decides
            return _append(self.git, files, message, drop)

    def newest(self) -> str | None:
        """The commit that holds the evidence known here: our branch, or the remote's as last fetched."""
        if self._known is None:
            self._known = _newest(self.git)
        return self._known

    def listed(self, *folders: str) -> dict[str, str]:
        """Path → SHA of the blob of everything filed below folders (or at paths); empty without evidence."""
        commit = self.newest()
        return self.git.files_at(commit, *folders) if commit else {}

    def filed(self, *folders: str) -> dict[str, bytes]:
        """Path → content of the same."""
        files = self.listed(*folders)
        blobs = self.git.blobs(files.values())
        return {path: blobs[sha] for path, sha in files.items()}

    def refresh(self) -> None:
        """Brings the remote's evidence here, and keeps what only we have."""
        self._known = None
        if remote := self.git.remote():
            with self.git.exclusively("evidence"):
                _meet(self.git, remote)


def _newest(git: Git) -> str | None:
    remote = git.remote() or "origin"
    here, there = _sha(git, _LOCAL), _sha(git, _tracking(remote))
    if here and there and here != there and git.is_ancestor(here, there):
        return there
    return here or there


def _append(git: Git, files: Mapping[str, bytes], message: str, drop: frozenset[str]) -> str:
    remote = git.remote()
    for attempt in range(_ATTEMPTS):
        if remote:
            _meet(git, remote)
        before = _sha(git, _LOCAL)
        try:
            commit = git.add_to_branch(BRANCH, _kept(git, files), message, drop)
            if remote:
                _push(git, remote, before, commit)
            return commit
        except GitError as error:
            if not isinstance(error, RefRejected) or attempt == _ATTEMPTS - 1:
                raise
            # Many jobs end in the same second; without the dice they would meet again and again.
            time.sleep(random.uniform(0, 0.05 * 2 ** min(attempt, 5)))  # noqa: S311
    raise AssertionError("unreachable")


def _meet(git: Git, remote: str) -> None:
    """Moves our branch to the remote's. What we, or the remote when we last saw it, had beyond that is added again."""
    known, here = _sha(git, _tracking(remote)), _sha(git, _LOCAL)
    try:
        there = git.remote_refs(remote, _LOCAL).get(_LOCAL)
    except GitError as error:
        raise ModelyardError(
            f"The remote {remote!r} cannot be reached, so nothing was filed.", f"Check it with: git ls-remote {remote}"
        ) from error
    if there is None:
        if here is None and known:
            git.set_ref(_LOCAL, known)
        return
    git.fetch(remote, f"+{_LOCAL}:{_tracking(remote)}")
    there = _sha(git, _tracking(remote)) or ""
    before = [old for old in (known, here) if old and not _contains(git, there, old)]
    rewritten = known if known in before else None
    git.set_ref(_LOCAL, there)
    lost: dict[str, bytes] = {}
    present = git.files_at(there)
    for old in dict.fromkeys(before):
        shared = _merge_base(git, old, there)
        both = git.files_at(shared) if shared else {}
        missing = {p: sha for p, sha in git.files_at(old).items() if sha not in (present.get(p), both.get(p))}
        blobs = git.blobs(missing.values())
        lost |= {_aside(path, blobs[sha]) if path in present else path: blobs[sha] for path, sha in missing.items()}
    if rewritten:
        said = {"was": rewritten, "became": there, "files_put_back": len(lost)}
        lost[f"incidents/{rewritten}.json"] = json.dumps(said, indent=1, sort_keys=True).encode() + b"\n"
    if lost:
        git.add_to_branch(BRANCH, lost, "Put back what was not on the remote any more")


def _push(git: Git, remote: str, before: str | None, commit: str) -> None:
    try:
        # The commit, not the branch: another process of this clone may have moved that meanwhile.
        git.push(remote, Push(_LOCAL, commit, _sha(git, _tracking(remote)) or ""))
    except GitError:
        git.restore_ref(_LOCAL, commit, before or "")
        raise
    git.set_ref(_tracking(remote), commit)


def _kept(git: Git, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files, and aside of each the older content it would have overwritten."""
    commit = _sha(git, _LOCAL)
    if commit is None or not files:
        return dict(files)
    there = git.files_at(commit, *files)
    blobs = git.blobs(there.values())
    old = {path: blobs[sha] for path, sha in there.items() if path in files and blobs[sha] != files[path]}
    return {_aside(path, content): content for path, content in old.items()} | dict(files)


def _aside(path: str, content: bytes) -> str:
    folder, _, name = path.rpartition("/")
    stem, dot, ending = name.partition(".")
    aside = f"{SUPERSEDED}/{stem}-{hashlib.sha256(content).hexdigest()[:12]}{dot}{ending}"
    return f"{folder}/{aside}" if folder else aside


def _contains(git: Git, commit: str, older: str) -> bool:
    return git.is_ancestor(older, commit)


def _merge_base(git: Git, one: str, other: str) -> str | None:
    return git.merge_base(one, other)


def _tracking(remote: str) -> str:
    return f"refs/remotes/{remote}/{BRANCH}"


def _sha(git: Git, ref: str) -> str | None:
    return git.ref(ref)
