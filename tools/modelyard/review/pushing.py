"""Commits made without a checkout, pushed to a branch of the forge."""

from __future__ import annotations

from modelyard.errors import ModelyardError
from modelyard.git import Git, GitError


def push_commit(git: Git, commit: str, branch: str, expected: str) -> bool:
    """Moves a remote branch from ``expected`` ('' when it is new) to ``commit``; False when it is elsewhere by now."""
    remote = git.remote()
    if remote is None:
        raise ModelyardError("There is no remote to push to.", "Add the remote origin.")
    ref = f"refs/heads/{branch}"
    try:
        git.run("push", "--quiet", f"--force-with-lease={ref}:{expected}", remote, f"{commit}:{ref}")
    except GitError as error:
        if "rejected" in error.said or "stale info" in error.said:
            return False
        raise ModelyardError(
            f"{error.problem}", "The job needs permissions: contents: write (or a MODELYARD_TOKEN that may push)."
        ) from error
    return True


def remote_head(git: Git, branch: str) -> str:
    """Where a branch of the remote stands; '' when there is none."""
    said = git.text("ls-remote", git.remote() or "origin", f"refs/heads/{branch}")
    return said.split("\t")[0] if said else ""
