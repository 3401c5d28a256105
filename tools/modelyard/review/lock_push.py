"""The commit with the retrained locks on the branch of a pull request."""

from __future__ import annotations

from modelyard.candidate.ci_locks import file_locks
from modelyard.checkout.evidence_store import EvidenceStore
from modelyard.errors import ModelyardError
from modelyard.git import Git
from modelyard.manifests.document import ManifestErrors
from modelyard.manifests.pipeline import read_lock
from modelyard.review.bundle import UntrustedBundle
from modelyard.review.pull_requests import push_commit, remote_head


def push_locks(
    git: Git, evidence: EvidenceStore, untrusted: UntrustedBundle, head: str, branch: str, main: str
) -> str | None:
    """Pushes one commit of locks, metrics and profiles on top of ``head``. The commit; None when nothing differs.

    The locks are filed on the evidence branch as those that a run of CI left; ``main`` is the default branch.

    ModelyardError when a lock is not valid, and when the branch has moved: the newer push has its own run.
    """
    files: dict[str, bytes] = {}
    locks: dict[str, bytes] = {}
    for model, generated in untrusted.generated.items():
        if git.file_at(head, f"models/{model}/model.yaml") is None:
            continue
        for name, content in generated.items():
            place = f"models/{model}/{name}"
            if name == "dvc.lock":
                require_lock(content, place)
                locks[model] = content
            if git.file_at(head, place) != content:
                files[place] = content
    if not files:
        file_locks(git, evidence, locks, head, main)
        return None
    names = sorted({path.split("/")[1] for path in files})
    commit = git.commit_on(head, files, f"Retrained: {', '.join(names)}")
    if remote_head(git, branch) != head:
        raise ModelyardError(
            f"The branch {branch} has moved from {head[:12]}, so nothing was pushed.",
            "Wait for the run of the newer push.",
        )
    file_locks(git, evidence, locks, head, main)  # first: the push may start a run, which asks for it
    push_commit(git, commit, branch, head)
    return commit


def require_lock(content: bytes, place: str) -> None:
    """ModelyardError for the lock of an untrusted bundle that is none."""
    try:
        read_lock(content, place)
    except ManifestErrors as error:
        raise ModelyardError(
            f"{place} of the untrusted bundle is not a valid lock: {error.problem}", "Run the job again."
        ) from error
