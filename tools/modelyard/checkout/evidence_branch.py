"""The append-only orphan branch ``modelyard/evidence``, with concurrent writers.

When a path is filed again with other content, the older content moves to ``superseded/`` beside it. Files that a forced
push or a deletion removed are restored by the next writer whose clone still has them.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Mapping
from contextlib import suppress

from modelyard.errors import ModelyardError
from modelyard.git import Git, GitError, Push, RefRejected

BRANCH = "modelyard/evidence"
SUPERSEDED = "superseded"
_LOCAL = f"refs/heads/{BRANCH}"
_ATTEMPTS = 12


class AlreadyFiled(RefRejected):
    """A concurrent run filed the path first."""


class EvidenceBranch:
    """The evidence branch in one clone."""

    def __init__(self, git: Git) -> None:
        self.git = git
        self._known: str | None = None
        self.recorded = False
        """Whether this command filed something, or would have; a mirror then gets what it lacks."""

    def append(
        self,
        files: Mapping[str, bytes],
        message: str,
        drop: frozenset[str] = frozenset(),
        new: frozenset[str] = frozenset(),
    ) -> str:
        """Commits files (path on the branch → content), removes the paths of ``drop`` from the newest tree, and pushes.

        Returns the commit. Concurrent writers retry, so that no write is lost. AlreadyFiled when a path of ``new``
        exists. Without a remote nothing is pushed.
        """
        self._known, self.recorded = None, True
        with self.git.exclusively("evidence"):  # within one clone; between clones the push decides
            return _append(self.git, files, message, drop, new)

    def newest(self) -> str | None:
        """The newest evidence commit in this clone, local or as last fetched; None without evidence."""
        if self._known is None:
            self._known = _newest(self.git)
        return self._known

    def listed(self, *folders: str) -> dict[str, str]:
        """Path → blob SHA of every file below folders (or at paths); empty without evidence."""
        commit = self.newest()
        return self.git.files_at(commit, *folders) if commit else {}

    def filed(self, *folders: str) -> dict[str, bytes]:
        """Path → content of every file below folders (or at paths); empty without evidence."""
        files = self.listed(*folders)
        blobs = self.git.blobs(files.values())
        return {path: blobs[sha] for path, sha in files.items()}

    def refresh(self) -> None:
        """Fetches the remote's evidence, and pushes files that only this clone has, such as those of a killed run.

        A clone without permission to push keeps them.
        """
        self._known = None
        if remote := self.git.remote():
            with self.git.exclusively("evidence"):
                _merge_remote(self.git, remote)
                here, there = _sha(self.git, _LOCAL), _sha(self.git, _tracking(remote))
                if here and here != there:
                    with suppress(GitError):
                        _push(self.git, remote, here, here)

    def unpushed(self) -> bool:
        """Whether this clone has evidence that the remote did not have at the last fetch."""
        remote = self.git.remote()
        here = _sha(self.git, _LOCAL) if remote else None
        there = _sha(self.git, _tracking(remote)) if remote else None
        return bool(here) and here != there and not (there and self.git.is_ancestor(here or "", there))


def _newest(git: Git) -> str | None:
    remote = git.remote() or "origin"
    here, there = _sha(git, _LOCAL), _sha(git, _tracking(remote))
    if here and there and here != there and git.is_ancestor(here, there):
        return there
    return here or there


def _append(git: Git, files: Mapping[str, bytes], message: str, drop: frozenset[str], new: frozenset[str]) -> str:
    remote = git.remote()
    for attempt in range(_ATTEMPTS):
        if remote:
            _merge_remote(git, remote)
        before = _sha(git, _LOCAL)
        if new and before and (taken := git.files_at(before, *new)):
            raise AlreadyFiled(("file", *taken), "")
        try:
            commit = git.add_to_branch(BRANCH, _with_superseded(git, files), message, drop)
            if remote:
                _push(git, remote, before, commit)
            return commit
        except GitError as error:
            if not isinstance(error, RefRejected) or attempt == _ATTEMPTS - 1:
                raise
            # Many jobs end in the same second. The random wait keeps them from colliding again.
            time.sleep(random.uniform(0, 0.05 * 2 ** min(attempt, 5)))  # noqa: S311
    raise AssertionError("unreachable")


def _merge_remote(git: Git, remote: str) -> None:
    """Moves the local branch to the remote's, then adds files that only this clone or the last fetch had."""
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
    if there != known:
        git.fetch(remote, f"+{_LOCAL}:{_tracking(remote)}")
    there = _sha(git, _tracking(remote)) or ""
    before = [old for old in (known, here) if old and not git.is_ancestor(old, there)]
    rewritten = known if known in before else None
    git.set_ref(_LOCAL, there)
    lost: dict[str, bytes] = {}
    present = git.files_at(there)
    for old in dict.fromkeys(before):
        shared = git.merge_base(old, there)
        both = git.files_at(shared) if shared else {}
        missing = {p: sha for p, sha in git.files_at(old).items() if sha not in (present.get(p), both.get(p))}
        blobs = git.blobs(missing.values())
        lost |= {
            _superseded_path(path, blobs[sha]) if path in present else path: blobs[sha] for path, sha in missing.items()
        }
    if rewritten and f"incidents/{rewritten}.json" not in present:  # another clone may have told it
        incident = {"was": rewritten, "became": there, "files_put_back": len(lost)}
        lost[f"incidents/{rewritten}.json"] = json.dumps(incident, indent=1, sort_keys=True).encode() + b"\n"
    if lost:
        git.add_to_branch(BRANCH, lost, "Restore files that the remote had lost")


def _push(git: Git, remote: str, before: str | None, commit: str) -> None:
    try:
        # By commit, because another process of this clone may have moved the branch.
        git.push(remote, Push(_LOCAL, commit, _sha(git, _tracking(remote)) or ""))
    except GitError:
        git.restore_ref(_LOCAL, commit, before or "")
        raise
    git.set_ref(_tracking(remote), commit)


def _with_superseded(git: Git, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files, plus the older content of each path whose content changes, under its superseded path."""
    commit = _sha(git, _LOCAL)
    if commit is None or not files:
        return dict(files)
    there = git.files_at(commit, *files)
    blobs = git.blobs(there.values())
    old = {path: blobs[sha] for path, sha in there.items() if path in files and blobs[sha] != files[path]}
    return {_superseded_path(path, content): content for path, content in old.items()} | dict(files)


def _superseded_path(path: str, content: bytes) -> str:
    folder, _, name = path.rpartition("/")
    stem, dot, ending = name.partition(".")
    aside = f"{SUPERSEDED}/{stem}-{hashlib.sha256(content).hexdigest()[:12]}{dot}{ending}"
    return f"{folder}/{aside}" if folder else aside


def _tracking(remote: str) -> str:
    return f"refs/remotes/{remote}/{BRANCH}"


def _sha(git: Git, ref: str) -> str | None:
    return git.ref(ref)
