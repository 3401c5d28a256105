"""The result of a retraining: what it says of itself, its evidence, and the files that it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modelyard.candidate.steps import CandidateRun
from modelyard.candidate.workspace import IMPORTS, RUN, Workspace
from modelyard.evidence.statement import write_statement
from modelyard.evidence.training import TrainingRun
from modelyard.gate.triggers import Cause, Hindrance, due, hindrance
from modelyard.retraining.situation import situation_of


@dataclass(frozen=True)
class Trained:
    """A retraining that was run, here or by another job."""

    artifact: str
    """sha256"""
    run: TrainingRun
    documents: Mapping[str, bytes]
    """Kind → evidence."""
    files: Mapping[str, bytes]
    """Path from the root → content of what it wrote and git tracks: lock, metrics, profile, pointers of imports."""


def train(run: CandidateRun, cause: Cause, *, push: bool = True) -> Trained | Hindrance:
    """Retrains a model on the newest data of its imports, measures it, and leaves all of that in its evidence folder.

    Nothing is trained when no trigger holds (``due``), or while a budget or a freeze holds the run; a ``manual`` run is
    never held. Then the evidence folder is empty. No token of a forge is needed; ``push`` needs the DVC remote.
    """
    view, candidate, workspace = run.view, run.candidate, Workspace(run.view)
    now = due(candidate.model.retrain, situation_of(view))
    if found := hindrance(cause, now, trained_here=candidate.trained_here):
        workspace.clear()
        return found
    retrained = run.retrain(news=True, push=push)
    run.measure()
    record = TrainingRun(
        cause=cause,
        seconds=retrained.seconds,
        reproduced=retrained.reproduced,
        rows=candidate.training([candidate.model.contract.id]).rows if candidate.trained_here else None,
        size=candidate.artifact.stat().st_size,
    )
    workspace.write(RUN, write_statement("run", view.name, retrained.artifact, record))
    root = view.checkout.root
    pointers = {path: (root / path).read_bytes() for path in run.sources()}
    for path, content in pointers.items():
        workspace.write(f"{IMPORTS}/{path}", content)
    written = {path: (root / path).read_bytes() for path in run.generated if (root / path).is_file()}
    return Trained(retrained.artifact, record, run.documents(), written | pointers)
