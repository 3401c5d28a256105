"""A retraining that another job ran: read as untrusted, for that job ran the model's code."""

from __future__ import annotations

import re

from modelyard.candidate.workspace import RUN
from modelyard.checkout.checkout import ModelView
from modelyard.checkout.imports import imports_of
from modelyard.errors import ModelyardError
from modelyard.evidence.bundle import Bundle, read_bundle
from modelyard.evidence.statement import Statement, read_statement
from modelyard.evidence.training import TrainingRun
from modelyard.gate.triggers import Cause, Hindrance
from modelyard.manifests.renewal import renewed
from modelyard.retraining.trained import Trained
from modelyard.review.bundle import UntrustedBundle, read_untrusted
from modelyard.review.jobs import Left
from modelyard.review.lock_push import require_lock

_SHA256 = re.compile(r"[0-9a-f]{64}")
_AGAIN = "Look at the job that trains, and run it again."


def read_trained(view: ModelView, left: Left, cause: Cause) -> Trained | Hindrance:
    """The retraining of a model that ``modelyard run MODELS --cause CAUSE`` left on the commit of HEAD.

    A Hindrance where it left none of this model. ModelyardError where it is not of this commit and cause, has
    numbers that cannot be, or changes more than the lock, the metrics, the profile and the content of the model's
    data imports. No file of it is run, and a verdict in it is not read.
    """
    name, git = view.name, view.checkout.git
    base = git.commit_of("HEAD")
    pointers = imports_of(git, base, name)
    untrusted = read_untrusted(left.folder, under=left.under, retrained={name: pointers})
    if name not in untrusted.runs:
        refused = f" Not read: {'; '.join(untrusted.refused[:5])}." if untrusted.refused else ""
        return Hindrance("not proposed", f"The job that trains left nothing about {name}.{refused}")
    said = _record(view, untrusted.runs[name], cause)
    documents = untrusted.evidence.get(name, {})
    _require_measured(view, read_bundle(name, said.artifact, documents), base)
    files = _generated(name, untrusted)
    for path, content in untrusted.pointers.get(name, {}).items():
        files[path] = renewed(git.file_at(base, path) or b"", content, path)
    lock = f"models/{name}/dvc.lock"
    # A new lock is the work of a run, whatever the record says, so it counts against the budget.
    ran = said.predicate.reproduced or files[lock] != git.file_at(base, lock)
    run = TrainingRun(cause, said.predicate.seconds, ran, said.predicate.rows, said.predicate.size)
    return Trained(said.artifact, run, documents, files)


def _record(view: ModelView, content: bytes, cause: Cause) -> Statement[TrainingRun]:
    said = read_statement(content, "run", TrainingRun)
    if said.model != view.name or not _SHA256.fullmatch(said.artifact):
        raise _unusable(f"{RUN} does not name an artifact of {view.name}")
    if said.predicate.cause != cause:
        raise _unusable(f"it was retrained with --cause {said.predicate.cause[:20]!r}, not {cause}")
    if not said.predicate.possible() or (said.predicate.rows is None) != (view.manifest.trained == "elsewhere"):
        raise _unusable(f"{RUN} has a duration or a size that cannot be")
    return said


def _require_measured(view: ModelView, bundle: Bundle, base: str) -> None:
    """ModelyardError without evidence about this artifact, of this commit, that says what it gains."""
    for kind in ("training", "evaluation", "drift"):
        if kind in bundle.faults:
            raise _unusable(bundle.faults[kind].rstrip("."))
    if bundle.training and bundle.training.commit != base:
        raise _unusable(f"it was trained on {bundle.training.commit[:12]!r}, and this is {base[:12]}")
    champion = view.champion.version if view.champion else None
    if bundle.evaluation and bundle.evaluation.champion != champion:
        compared = repr(bundle.evaluation.champion[:20]) if bundle.evaluation.champion else "no champion"
        raise _unusable(f"it was compared with {compared}, and the champion is {champion or 'none'}")
    if bundle.evaluation and not bundle.evaluation.metrics:
        raise _unusable("its evaluation has no metric")


def _generated(model: str, untrusted: UntrustedBundle) -> dict[str, bytes]:
    """Path from the root → content of the files that a retraining writes, under their fixed names."""
    files = {f"models/{model}/{name}": content for name, content in untrusted.generated.get(model, {}).items()}
    lock = f"models/{model}/dvc.lock"
    if lock not in files:
        raise _unusable("it has no dvc.lock")
    require_lock(files[lock], lock)
    return files


def _unusable(why: str) -> ModelyardError:
    return ModelyardError(f"What the job that trains left cannot be proposed: {why}.", _AGAIN)
