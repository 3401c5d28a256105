"""Data against a reference: the profile committed with the champion, or a table of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from modelyard.errors import ModelyardError
from modelyard.flavors.interface import prediction_columns
from modelyard.git import Git
from modelyard.metrics.drift import Drift, Exact, measure_drift
from modelyard.metrics.estimate import Estimate, estimate_quality
from modelyard.metrics.profile import Profile
from modelyard.metrics.slices import SliceDrift
from modelyard.proposal.candidate import Candidate
from modelyard.proposal.domain import tell_apart
from modelyard.proposal.partitions import partitions, profile_partitions
from modelyard.proposal.profiles import SCORE, Columns, Profiled, compare_files, joined, profile_file
from modelyard.proposal.reference import decode_profile
from modelyard.proposal.slices import drift_in_slices
from modelyard.registry.history import RegisteredVersion
from modelyard.tables import TableFile

Engine = Literal["local", "dask"]


@dataclass(frozen=True)
class DriftOptions:
    """What is compared, and how."""

    current: Path | None = None
    """A table, or a folder of tables; by default the candidate's held-out rows."""
    reference: Path | None = None
    """A table whose every value is compared; by default the champion's profile."""
    domain: bool = False
    """Whether a classifier is to tell both apart as well."""
    engine: Engine = "local"
    scheduler: str = ""


def drift_of(
    candidate: Candidate,
    git: Git,
    champion: RegisteredVersion | None,
    options: DriftOptions,
    say: Callable[[str], None],
) -> Drift:
    """Drift of a table. Without a champion, or with one tagged without a profile, the reference is our own training."""
    model = candidate.model
    path = f"models/{model.name}/{model.files.profile}"
    content = git.file_at(champion.commit, path) if champion and not options.reference else None
    current = options.current or candidate.folder / model.files.holdout
    if champion is not None and content is not None:
        reference = decode_profile(content, f"{path} of {champion.version}")
        found = _current(candidate, current, reference, options, say)
        drift = _compared(reference, found, str(champion.version), no_alarm=_other_scores(candidate, champion, options))
    else:
        training = candidate.folder / model.files.training
        table = options.reference or training
        name = options.reference.name if options.reference else "its own training rows"
        drift = _exactly(candidate, table, current, options, say, name)
    if options.current is not None and model.task == "binary":
        drift = replace(drift, estimate=_estimate(candidate, current))
    if options.domain:
        say("Teaching a classifier to tell both apart …")
        before = TableFile(options.reference or candidate.folder / model.files.training, model.contract.texts)
        after = TableFile(partitions(current)[0], model.contract.texts)
        drift = replace(drift, domain=tell_apart(model, before, after))
    return drift


def _exactly(
    candidate: Candidate, table: Path, current: Path, options: DriftOptions, say: Callable[[str], None], name: str
) -> Drift:
    model = candidate.model
    columns = Columns.of(model, "input", "label", "score")
    before = TableFile(table, columns.texts)
    if current.is_dir() or options.engine == "dask":
        reference = profile_file(before, columns).profile
        return _compared(reference, _current(candidate, current, reference, options, say), name)
    after = TableFile(current, columns.texts)
    wanted = Columns(tuple(c for c in columns.wanted if c.role == "input" or {c.name} <= {*before.names, *after.names}))
    reference_side, found, exact = compare_files(before, after, wanted)
    if not reference_side.profile.columns:
        first = next(iter(reference_side.faults.items()), ("", "it has no column of the contract"))
        raise ModelyardError(f"{table} cannot be a reference: {first[0]} {first[1]}.", "Name a table with the inputs.")
    readable = {column.name for column in found.profile.columns}
    shared = replace(
        reference_side.profile, columns=tuple(c for c in reference_side.profile.columns if c.name in readable)
    )
    slices = drift_in_slices(model, before, after, shared)
    return _compared(reference_side.profile, found, name, exact, slices=slices)


def _current(
    candidate: Candidate, current: Path, reference: Profile, options: DriftOptions, say: Callable[[str], None]
) -> Profiled:
    known = {column.name for column in reference.columns}
    columns = Columns(
        tuple(c for c in Columns.of(candidate.model, "input", "label", "score").wanted if c.name in known)
    )
    if options.current is None:
        predictions = candidate.file(candidate.model.files.predictions)
        rest = Columns(tuple(column for column in columns.wanted if column.role != "score"))
        score = Columns(tuple(column for column in columns.wanted if column.role == "score"))
        return joined(
            [profile_file(TableFile(current, rest.texts), rest, reference), profile_file(predictions, score, reference)]
        )
    parts = partitions(current)
    if options.engine == "dask":
        return profile_partitions(parts, columns, reference, options.scheduler, say)
    if len(parts) == 1:
        return profile_file(TableFile(parts[0], columns.texts), columns, reference)
    return profile_partitions(parts, columns, reference, None, say)


def _other_scores(candidate: Candidate, champion: RegisteredVersion, options: DriftOptions) -> dict[str, str]:
    """Another model scores otherwise: that is why it is proposed, and no sign of other data."""
    if options.current is not None or (champion.record and champion.record.artifact == candidate.sha256()):
        return {}
    return dict.fromkeys(prediction_columns(candidate.model), "another model's scores")


def _compared(
    reference: Profile,
    current: Profiled,
    name: str,
    exact: dict[str, Exact] | None = None,
    no_alarm: dict[str, str] | None = None,
    slices: tuple[SliceDrift, ...] = (),
) -> Drift:
    """Unlabelled or unscored data are no drift of the label or the score: such a column is left out."""
    there = {column.name for column in current.profile.columns}
    columns = tuple(c for c in reference.columns if c.role == "input" or c.name in there)
    return measure_drift(
        replace(reference, columns=columns), current.profile, name, exact, current.faults, no_alarm, slices
    )


def _estimate(candidate: Candidate, current: Path) -> Estimate | None:
    file = TableFile(partitions(current)[0])
    if SCORE not in file.names:
        return None
    return estimate_quality(file.numbers(SCORE), candidate.model.contract.threshold)
