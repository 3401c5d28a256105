"""The candidate's data against the profile that was committed with the champion."""

from __future__ import annotations

from modelyard.git import Git
from modelyard.measure.drift import Drift, measure_drift
from modelyard.proposal.candidate import Candidate
from modelyard.proposal.training import decode_profile
from modelyard.registry.history import RegisteredVersion
from modelyard.tables import Table


def drift_of(candidate: Candidate, git: Git, champion: RegisteredVersion | None, table: Table) -> Drift:
    """Drift of a table. Without a champion, or with one tagged without a profile, the reference is our own training."""
    path = f"models/{candidate.model.name}/{candidate.model.files.profile}"
    content = git.file_at(champion.commit, path) if champion else None
    if champion is not None and content is not None:
        reference, name = decode_profile(content, f"{path} of {champion.version}"), str(champion.version)
    else:
        reference, name = candidate.profile(candidate.training()), "its own training rows"
    return measure_drift(reference, candidate.profile(table, reference), name)
