"""The measurements of a window of one model in one environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np

from modelyard.candidate.evaluation import settings_of
from modelyard.candidate.profiles import CONFIDENCE, SCORE
from modelyard.candidate.reference import decode_profile
from modelyard.checkout.checkout import ModelView
from modelyard.errors import UsageError
from modelyard.ground_truth.labels import GroundTruth
from modelyard.manifests.configuration import Environment
from modelyard.manifests.model import Model
from modelyard.manifests.names import seconds_of
from modelyard.manifests.policy import Policy
from modelyard.manifests.rules import watches_for
from modelyard.manifests.watches import AnyWatch, GroundTruthWatch, ServiceWatch
from modelyard.metrics.drift import Drift, measure_drift
from modelyard.metrics.estimate import SliceEstimate, estimate_quality
from modelyard.metrics.evaluation import Holdout, MetricResult, SliceResult, compare
from modelyard.metrics.outliers import FEWEST, outliers
from modelyard.metrics.profile import ColumnProfile, NumericBins, Profile
from modelyard.metrics.scores import Floats
from modelyard.metrics.tally import number_codes
from modelyard.metrics.thinning import kept_shares, thinned
from modelyard.metrics.window import (
    Confidence,
    Day,
    Monitoring,
    Objective,
    Realised,
    Served,
    burn,
    latency,
    selection,
)
from modelyard.predictions.interface import Reader, Window
from modelyard.predictions.profiles import ProfilesReader
from modelyard.production.monitoring.counts import VersionCounts, WindowCounts, score_column
from modelyard.production.monitoring.profiled import NOTE, profiled_counts
from modelyard.production.monitoring.reference import Earlier, earlier_inputs
from modelyard.progress import Progress
from modelyard.registry.history import ModelHistory

_DAY = 86400.0
_EPOCH = date(1970, 1, 1).toordinal()
_NO_DAY = (0, 0, 0.0)
FEWEST_LABELS = 30
"""With fewer labels, realised metrics are not computed."""


class NeverServed(UsageError):
    """No version of the model ever served in the environment."""


def monitor_window(
    view: ModelView,
    policy: Policy,
    environment: Environment,
    reader: Reader | ProfilesReader,
    window: Window,
    ground_truth: GroundTruth | None,
    progress: Progress,
    judged: float = 0.0,
) -> Monitoring:
    """Reads the window once and measures the champion that answered last; NeverServed when there never was one.

    ``judged`` is the moment (seconds since 1970) up to which earlier runs judged every minute.
    """
    model, history = view.manifest, view.history
    watches = watches_for(policy, model)
    due = min((seconds_of(w.due) for w in watches if isinstance(w, GroundTruthWatch)), default=0.0)
    objectives = _objectives(watches)

    def profile(version: str) -> Profile | None:
        return profile_of(view, version)

    if profiled := isinstance(reader, ProfilesReader):
        ground_truth = None
        found = profiled_counts(view, environment.name, reader, window, profile)
    else:
        found = WindowCounts(model, profile, window, objectives, ground_truth, window.end - due).read(reader, progress)
    version = _watched(found, history, environment.name)
    own = _own(found, version)
    reference = profile(version)
    earlier = earlier_inputs(model, reference, watches, reader, window, progress)
    drift = _drift(reference, earlier, own, version, (window.end - window.begin) / _DAY)
    notes = _notes(found, reference, version, ground_truth) + ((NOTE,) if profiled else ())
    said = {"binary": SCORE, "multiclass": CONFIDENCE}.get(model.task, "")
    before, after = reference.column(said) if reference else None, own.profiles.get(said, [None])[0]
    if profiled:  # a sketch is too coarse for a mean
        before = after = None
    now, then = (
        estimate_quality(_binned_scores(column), model.contract.threshold) if model.task == "binary" else None
        for column in (after, before)
    )
    judged_minutes = max(0, round((judged - window.begin) / 60))
    held = score_column(model, reference)
    known = history.known(version)
    since = _since(found, history, environment.name)
    accepted = known.record.metrics if known and known.record else {}
    return Monitoring(
        environment=environment.name,
        version=version,
        since=_shown(window.begin),
        until=_shown(window.end),
        rows=own.rows,
        served=_served(found),
        days=_days(found, own, window, since),
        burns=tuple(
            burn(own.minutes, own.bad.get(o.id, np.zeros(1)), o, window.end, judged_minutes) for o in objectives
        ),
        drift=drift,
        outliers=outliers(own.outliers, own.scored, own.blamed),
        confidence=_confidence(before, after),
        estimate=now if then else None,
        expected=then,
        held_out=held.rows if held else None,
        realised=_realised(model, own, window, accepted, held) if ground_truth is not None else None,
        accepted=dict(accepted),
        notes=notes,
        incomparable=earlier.missing if earlier else "",
        profiles=profiled,
        serving_seconds=max(window.end - since, 0.0) if since else None,
        estimated_slices=_estimated_slices(own, reference, model.contract.threshold) if model.task == "binary" else (),
    )


def artifact_of(history: ModelHistory, version: str) -> str:
    """sha256 of a version's bytes; '' when it was never registered."""
    known = history.known(version)
    return known.record.artifact if known and known.record else ""


def _watched(found: dict[tuple[str, str], VersionCounts], history: ModelHistory, environment: str) -> str:
    champions = [(g.last, version) for (version, variant), g in found.items() if variant == "champion" and g.last]
    if champions:
        return max(champions)[1]
    assigned = history.assigned(environment)
    if assigned is None or not assigned.version:
        raise NeverServed(
            f"No version of {history.model} ever served in {environment}.", "Deploy one with modelyard deploy."
        )
    return assigned.version


def _own(found: dict[tuple[str, str], VersionCounts], version: str) -> VersionCounts:
    """The version's counts as champion; what it answered as a candidate is judged by the rollout's analysis."""
    return found.get((version, "champion"), VersionCounts())


def profile_of(view: ModelView, version: str) -> Profile | None:
    """The profile committed with a version; None when it has none."""
    known = view.history.known(version)
    path = f"models/{view.name}/{view.manifest.files.profile}"
    content = view.checkout.git.file_at(known.commit, path) if known else None
    return decode_profile(content, f"{path} of {version}") if content is not None else None


def _drift(
    reference: Profile | None, earlier: Earlier | None, own: VersionCounts, version: str, days: float
) -> Drift | None:
    if reference is None:
        return None
    columns = tuple(c for c in reference.columns if c.role == "input" or (c.role == "score" and c.name in own.profiles))
    against, expected = replace(reference, columns=columns), {}
    if earlier is not None and earlier.profile is not None:
        scores = tuple(column for column in columns if column.role == "score")
        against, version = Profile(earlier.profile.rows, (*earlier.profile.columns, *scores)), earlier.name
    elif earlier is not None:
        expected = {column.name: "the season is new" for column in columns if column.role == "input"}
    return measure_drift(against, own.profile(), version, faults=own.faults, no_alarm=expected, blocks=days)


def _served(found: dict[tuple[str, str], VersionCounts]) -> tuple[Served, ...]:
    answered = sum(g.rows for (_, variant), g in found.items() if variant != "shadow")
    shown = []
    for (version, variant), counts in sorted(found.items(), key=lambda item: (item[0][1], item[0][0])):
        shown.append(
            Served(
                version=version,
                variant=variant,
                requests=counts.requests,
                errors=counts.errors,
                rows=counts.rows,
                share=counts.rows / answered if answered else 0.0,
                latency=latency(counts.milliseconds),
            )
        )
    return tuple(shown)


def _days(
    found: dict[tuple[str, str], VersionCounts], own: VersionCounts, window: Window, since: float
) -> tuple[Day, ...]:
    others = [g for (_, variant), g in found.items() if g is not own and variant != "shadow"]
    last = int(max(window.end - 1e-6, window.begin) // _DAY)
    days = []
    for day in range(int(max(window.begin, since) // _DAY), last + 1):
        rows, errors, total = own.days.get(day, _NO_DAY)
        elsewhere = sum(sum(other.days.get(day, _NO_DAY)[:2]) for other in others)
        name = date.fromordinal(_EPOCH + day).isoformat()
        mean = round(total / rows, 9) if rows and own.sums else None
        days.append(Day(day=name, rows=rows, errors=errors, mean_score=mean, others=elsewhere))
    return tuple(days)


def _since(found: dict[tuple[str, str], VersionCounts], history: ModelHistory, environment: str) -> float:
    """When the model began to serve, seconds since 1970: its first receipt or its first row, whichever is earlier."""
    receipts = [float(a.at) for a in history.assignments if a.environment == environment]
    answered = [day * _DAY for (_, variant), g in found.items() if variant != "shadow" for day in g.days]
    return min([*receipts, *answered], default=0.0)


def _objectives(watches: Sequence[AnyWatch]) -> list[Objective]:
    return [
        Objective(
            id=w.id,
            share=w.objective,
            maximum_milliseconds=w.maximum_milliseconds,
            long_seconds=seconds_of(w.long),
            short_seconds=seconds_of(w.short),
        )
        for w in watches
        if isinstance(w, ServiceWatch)
    ]


def _confidence(before: ColumnProfile | None, after: ColumnProfile | None) -> Confidence | None:
    then, now = _binned_scores(before), _binned_scores(after)
    if not then.size or not now.size:
        return None
    if before is not None and before.name == SCORE:
        now, then = (np.maximum(scores, 1 - scores) for scores in (now, then))
    return Confidence(float(now.mean()), float(then.mean()))


def _binned_scores(column: ColumnProfile | None) -> Floats:
    """Probabilities (rows,) as the middles of their bins; window and held-out rows lose the same precision."""
    if column is None or column.numeric is None or not column.numeric.edges:
        return np.empty(0)
    return np.repeat(np.clip(_middles(column)[:-2], 0.0, 1.0), column.numeric.counts)


def _middles(column: ColumnProfile) -> Floats:
    """A number for each of ``column.bins()`` (bins,): the middle of a bin; 0 for what is no finite number."""
    inner = column.numeric.edges if column.numeric else ()
    first, last = (
        (0.0, 1.0)
        if inner and inner[0] >= 0 and inner[-1] <= 1.000001
        else (inner[0], inner[-1])
        if inner
        else (0.0, 0.0)
    )
    edges = np.asarray([first, *inner, last])
    return np.array([*((edges[:-1] + edges[1:]) / 2), 0.0, 0.0])


def _realised(
    model: Model, own: VersionCounts, window: Window, accepted: dict[str, float], score: ColumnProfile | None
) -> Realised:
    rows = own.labelled.rows if own.labelled else 0
    oldest = None if own.oldest_missing is None else (window.end - own.oldest_missing) / 86400
    chosen = selection(own.arrived, _middles(score)) if own.arrived is not None and score is not None else None
    counted = Realised(own.due, rows, own.missing, oldest, selection=chosen)
    if own.labelled is None or rows < FEWEST_LABELS or model.task == "ranking":
        return counted
    holdout = own.labelled.holdout()
    metrics, slices = _measured(model, holdout, accepted)
    counted = replace(counted, metrics=metrics, slices=slices)
    if own.arrived is None or score is None or chosen is None or chosen.at_random:
        return counted
    shares = kept_shares(own.arrived)
    if shares is None:
        return counted
    tops = holdout.candidate if holdout.candidate.ndim == 1 else holdout.candidate.max(axis=1)
    kept = thinned(holdout, number_codes(tops, score), shares)
    enough = kept.label.size >= FEWEST_LABELS
    weighed = _measured(model, kept, accepted)[0] if enough else ()
    return replace(counted, weighed=kept.label.size, weighed_metrics=weighed)


def _measured(
    model: Model, rows: Holdout, accepted: dict[str, float]
) -> tuple[tuple[MetricResult, ...], tuple[SliceResult, ...]]:
    measured = compare(rows, model.task, settings_of(model), model.evaluation.minimum_support)
    metrics = tuple(
        replace(m, champion=accepted.get(m.name), difference=_minus(m.candidate, accepted.get(m.name)))
        for m in measured.metrics
    )
    return metrics, measured.slices


def _minus(now: float | None, then: float | None) -> float | None:
    return None if now is None or then is None else now - then


def _estimated_slices(own: VersionCounts, reference: Profile | None, threshold: float) -> tuple[SliceEstimate, ...]:
    """The estimate for every level of every slice column that has enough rows."""
    score = reference.column(SCORE) if reference else None
    found = []
    for name, cells in sorted(own.sliced.items()):
        column = reference.column(name) if reference else None
        if score is None or score.numeric is None or column is None:
            continue
        for level, counts in zip(column.bins()[0], cells[:, :-2].tolist(), strict=True):
            bins = replace(score, numeric=NumericBins(score.numeric.edges, tuple(counts)))
            if estimate := estimate_quality(_binned_scores(bins), threshold):
                found.append(SliceEstimate(name, level, estimate.rows, estimate.metrics))
    return tuple(found)


def _notes(
    found: dict[tuple[str, str], VersionCounts],
    reference: Profile | None,
    version: str,
    ground_truth: GroundTruth | None,
) -> tuple[str, ...]:
    notes = []
    others = sorted({v for (v, variant) in found if v != version and variant != "shadow"})
    if others:
        notes.append(f"{', '.join(others)} also answered in this window; only {version} is measured.")
    if reference is None:
        notes.append(f"{version} was registered without a profile, so data drift cannot be measured.")
    elif reference.shape is None:
        notes.append(f"The profile of {version} has no outlier limit; that needs {FEWEST:,} training rows.")
    if ground_truth is not None and (ground_truth.contradicting or ground_truth.unreadable):
        notes.append(
            f"Of {ground_truth.delivered:,} delivered labels, {ground_truth.unreadable:,} cannot be read;"
            f" {ground_truth.contradicting:,} ids have contradicting labels. Both count as missing."
        )
    return tuple(notes)


def _shown(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
