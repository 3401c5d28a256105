"""Evidence filed in git: the branch ``modelyard/evidence``, a folder per artifact.

Evidence is about bytes, so the bytes' digest is its address: a proposal files under it, and ``register`` on the default
branch finds it there, whichever machine made it.
"""

from __future__ import annotations

from modelyard.git import Git, GitError, RefRejected

BRANCH = "modelyard/evidence"
_ATTEMPTS = 5


def file_evidence(
    git: Git, model: str, artifact: str, documents: dict[str, bytes], reports: dict[str, bytes], message: str
) -> str:
    """Adds evidence (by kind) and reports (by file name) to the artifact's folder, and pushes the branch where there
    is a remote; the commit.
    """
    named = {f"{kind}.json": content for kind, content in documents.items()} | reports
    files = {f"{_folder(model, artifact)}/{name}": content for name, content in named.items()}
    return file_whole(git, files, message)


def file_whole(git: Git, files: dict[str, bytes], message: str) -> str:
    """Adds files by their path on the branch; the commit. Concurrent writers take turns, none is lost."""
    remote = git.remote()
    for attempt in range(_ATTEMPTS):
        if remote:
            _take_remote(git, remote)
        try:
            commit = git.add_to_branch(BRANCH, files, message)
            if remote:
                git.run("push", "--quiet", remote, f"refs/heads/{BRANCH}:refs/heads/{BRANCH}")
            return commit
        except RefRejected:
            if attempt == _ATTEMPTS - 1:
                raise
        except GitError as error:
            if "rejected" not in error.said or attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def filed_documents(git: Git, model: str, artifact: str) -> dict[str, bytes]:
    """Kind → bytes of the evidence filed about an artifact, here or as last fetched from the remote."""
    for ref in (f"refs/heads/{BRANCH}", f"refs/remotes/{git.remote() or 'origin'}/{BRANCH}"):
        if not git.succeeds("rev-parse", "--verify", "--quiet", ref):
            continue
        files = git.files_at(ref, _folder(model, artifact))
        if files:
            blobs = git.blobs(files.values())
            names = {path.rsplit("/", 1)[1]: blobs[sha] for path, sha in files.items()}
            return {name.removesuffix(".json"): blob for name, blob in names.items() if name.endswith(".json")}
    return {}


def _take_remote(git: Git, remote: str) -> None:
    """Moves our branch to the remote's; what we had and it lacks is added again by the caller."""
    if git.succeeds("ls-remote", "--exit-code", "--heads", remote, BRANCH):
        git.run("fetch", "--quiet", remote, f"+refs/heads/{BRANCH}:refs/heads/{BRANCH}")


def _folder(model: str, artifact: str) -> str:
    return f"{model}/{artifact}"
