"""Puts the locks that a workflow's run made onto the pull request's branch, as one commit."""

from __future__ import annotations

from modelyard.errors import ModelyardError
from modelyard.git import Git
from modelyard.manifests.document import ManifestErrors
from modelyard.manifests.pipeline import read_lock
from modelyard.review.bundle import UntrustedBundle
from modelyard.review.pull_requests import push_commit, remote_head
from modelyard.review.subject import profile_of


def push_locks(git: Git, untrusted: UntrustedBundle, head: str, branch: str) -> str | None:
    """Commits locks, metrics and profiles on top of ``head`` and pushes; the commit, or None when nothing differs.

    ModelyardError when the branch has moved: the newer push has its own run.
    """
    files: dict[str, bytes] = {}
    for model, generated in untrusted.generated.items():
        if git.file_at(head, f"models/{model}/model.yaml") is None:
            continue
        for name, content in generated.items():
            place = f"models/{model}/{(profile_of(git, head, model) or name) if name == 'profile.json' else name}"
            if name == "dvc.lock":
                _require_lock(content, place)
            if git.file_at(head, place) != content:
                files[place] = content
    if not files:
        return None
    names = sorted({path.split("/")[1] for path in files})
    commit = git.commit_on(head, files, f"Retrained: {', '.join(names)}")
    if remote_head(git, branch) != head:
        raise ModelyardError(
            f"{branch} has moved since {head[:12]} was measured.", "Nothing was pushed; the newer push has its own run."
        )
    push_commit(git, commit, branch, head)
    return commit


def _require_lock(content: bytes, place: str) -> None:
    try:
        read_lock(content, place)
    except ManifestErrors as error:
        raise ModelyardError(f"The lock handed over for {place} is none: {error.problem}", "Run it again.") from error
