"""The monitoring rules (watches) of a policy applied to a window, and the verdict on the monitored version."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from statistics import NormalDist

from modelyard.evidence.verdict import Finding, Outcome, Verdict, overall
from modelyard.gate.judge import apply
from modelyard.manifests.approvals import Waiver
from modelyard.manifests.document import Document
from modelyard.manifests.model import Model, declared
from modelyard.manifests.policy import Policy
from modelyard.manifests.rules import applies
from modelyard.manifests.watches import (
    AnyWatch,
    ConfidenceWatch,
    GroundTruthWatch,
    InputsWatch,
    OutliersWatch,
    QualityWatch,
    ScoresWatch,
    ServiceWatch,
    TrafficWatch,
)
from modelyard.metrics.evaluation import MetricResult
from modelyard.metrics.intervals import CONFIDENCE, Interval
from modelyard.metrics.window import FEWEST, Monitoring, Selection

_STATISTICAL = (InputsWatch, ScoresWatch, OutliersWatch, ConfidenceWatch, QualityWatch)
_BY_DAYS = (TrafficWatch, InputsWatch, ScoresWatch)
"""What profiles of whole days can tell."""
_YEAR = 365 * 86400.0
MINIMUM_ROWS = 200
"""A window with fewer rows is not judged by distributions."""
_YOUNG = 3600.0
"""Seconds for which a model may be without traffic after its first deployment."""


def judge_window(
    policy: Policy,
    lines: Document,
    model: Model,
    artifact: str,
    monitoring: Monitoring,
    waivers: Sequence[tuple[str, Waiver]],
    today: date,
) -> Verdict:
    """The verdict of the policy's ``monitoring`` rules; inconclusive for a policy without any."""
    rules = [(i, w) for i, w in enumerate(policy.monitoring) if applies(w, model.task, declared(model))]
    alpha = false_alarm_rate(policy, [watch for _, watch in rules], monitoring)
    subject = (model.name, artifact)
    results = tuple(
        apply(watch, find_watch(watch, monitoring, alpha), lines, ("monitoring", i), subject, waivers, today)
        for i, watch in rules
    )
    digest = hashlib.sha256(lines.content).hexdigest() if lines.content else ""
    notes = monitoring.notes if results else (*monitoring.notes, f"The policy {policy.name} has no monitoring rules.")
    return Verdict(
        outcome=overall(results),
        policy=policy.name,
        policy_file=lines.file,
        checks=results,
        evidence={},
        notes=notes,
        policy_sha256=digest,
    )


def false_alarm_rate(policy: Policy, watches: Sequence[AnyWatch], monitoring: Monitoring) -> float:
    """How seldom each rule may alarm in a window in which nothing is wrong, by the policy's false alarms a year.

    A year holds so many windows of this length side by side; windows that overlap share their alarms. At most 0.05.
    """
    since, until = (datetime.fromisoformat(moment) for moment in (monitoring.since, monitoring.until))
    windows = _YEAR / max((until - since).total_seconds(), 60.0)
    judged = sum(isinstance(watch, _STATISTICAL) for watch in watches)
    return min(policy.false_alarms_a_year / windows / max(judged, 1), 0.05)


def find_watch(watch: AnyWatch, monitoring: Monitoring, alpha: float = 0.025) -> Finding:
    """The finding of one rule. A window with too few rows is inconclusive: neither a pass nor an alarm.

    ``alpha`` is how seldom a rule that judges statistics may alarm when nothing is wrong.
    """
    if monitoring.profiles and not isinstance(watch, _BY_DAYS):
        return Finding("inconclusive", "Profiles of whole days hold no single prediction, so this cannot be told.")
    match watch:
        case TrafficWatch():
            return _traffic(watch, monitoring)
        case ServiceWatch():
            return _service(watch, monitoring)
        case GroundTruthWatch():
            return _ground_truth(watch, monitoring)
        case QualityWatch():
            return _quality(watch, monitoring, alpha)
    if monitoring.rows < MINIMUM_ROWS:
        return Finding("inconclusive", f"{monitoring.rows:,} predictions in the window ({MINIMUM_ROWS} needed).")
    match watch:
        case InputsWatch():
            return _inputs(watch, monitoring)
        case ScoresWatch():
            return _scores(watch, monitoring, alpha)
        case OutliersWatch():
            return _outliers(watch, monitoring, alpha)
        case ConfidenceWatch():
            return _confidence(watch, monitoring)


def _traffic(watch: TrafficWatch, monitoring: Monitoring) -> Finding:
    silent = [day.day for day in monitoring.days[1:-1] if day.silent]  # the first and last may be parts of days
    said = f"{monitoring.rows:,} predictions (minimum {watch.minimum_rows:,})"
    if silent:
        named = f"{', '.join(silent[:5])}{', …' if len(silent) > 5 else ''}"
        count = f"{len(silent)} day{'s' if len(silent) > 1 else ''}"
        said += f"; {count} without traffic (limit {watch.maximum_silent_days}): {named}"
    young = monitoring.serving_seconds is not None and monitoring.serving_seconds < _YOUNG
    if monitoring.rows < watch.minimum_rows and young:
        return Finding("inconclusive", f"{said}; the model had served for less than an hour when the window ended.")
    fails = monitoring.rows < watch.minimum_rows or len(silent) > watch.maximum_silent_days
    return Finding("fail" if fails else "pass", f"{said}.")


def _service(watch: ServiceWatch, monitoring: Monitoring) -> Finding:
    burn = next((burn for burn in monitoring.burns if burn.id == watch.id), None)
    if burn is None or not burn.requests:
        return Finding("inconclusive", "There are no requests in the window.")
    what = "failed" if watch.maximum_milliseconds is None else f"failed or took over {watch.maximum_milliseconds:g} ms"
    bad = burn.bad / burn.requests
    said = f"{burn.bad:,} of {burn.requests:,} requests {what}"
    said += f" ({_percent(bad)}, error budget {_limit(1 - watch.objective)})"
    if burn.long is None:
        few = f"fewer than {FEWEST} requests in the last {watch.long}, so the burn rate is unknown"
        return Finding("pass" if 1 - bad >= watch.objective else "inconclusive", f"{said}; {few}.")
    short = f"{burn.short:.1f}" if burn.short is not None else "unknown"
    said += f"; burn rate {burn.long:.1f} over {watch.long} and {short} over {watch.short}"
    said += f" (alarm at {watch.burn:g} in both)"
    alarm = burn.long >= watch.burn and (burn.short or 0.0) >= watch.burn
    if not alarm and burn.worst is not None and burn.worst_at is not None and burn.worst >= watch.burn:
        alarm = True
        at = datetime.fromtimestamp(burn.worst_at, UTC)
        said += f"; both were at {burn.worst:.1f} at {at:%Y-%m-%d %H:%M} UTC"
    return Finding("fail" if alarm else "pass", f"{said}.")


def _ground_truth(watch: GroundTruthWatch, monitoring: Monitoring) -> Finding:
    found = monitoring.realised
    if found is None:
        sentence = "There is no ground truth; declare it in model.yaml under ground_truth, or pass --ground-truth."
        return Finding("inconclusive", sentence)
    if not found.due:
        return Finding("inconclusive", f"No prediction is older than {watch.due}, so no label is due.")
    share = found.missing / found.due
    said = f"{_percent(share)} of {found.due:,} predictions older than {watch.due} have no label"
    said += f" (limit {_limit(watch.maximum_missing)})"
    if found.oldest_missing_days is not None:
        said += f"; the oldest of them is {found.oldest_missing_days:.1f} days old"
    return Finding("fail" if share > watch.maximum_missing else "pass", f"{said}.")


def _quality(watch: QualityWatch, monitoring: Monitoring, alpha: float) -> Finding:
    found, metric = monitoring.realised, watch.metric
    baseline = monitoring.accepted.get(metric)
    if baseline is None:
        said = f"{monitoring.version} was registered without {metric}, so there is no baseline."
        return Finding("inconclusive", said, metric)
    if found and (result := _named_metric(found.metrics, metric)) and found.labelled >= watch.minimum_labels:
        labels, said = found.labelled, f"On {found.labelled:,} labels, {metric} is"
        if found.selection is not None and not found.selection.at_random:
            weighed = _named_metric(found.weighed_metrics, metric) if watch.missing_labels == "weigh" else None
            if weighed is None or found.weighed < watch.minimum_labels:
                few = f" Only {found.weighed:,} labelled rows can stand for all." if weighed else ""
                return Finding("inconclusive", _selected(found.selection) + few, metric, baseline, result.candidate)
            result, labels = weighed, found.weighed
            said = f"On {labels:,} of {found.labelled:,} labelled rows, kept so that they stand for all, {metric} is"
        assert result.candidate is not None and result.interval is not None  # noqa: S101
        # The baseline was measured on held-out rows, whose number says how well it is known.
        widened = (1 + labels / monitoring.held_out) ** 0.5 if monitoring.held_out else 1.0
        interval = _at(result.interval, result.candidate, widened * _reach(alpha))
        return _fall(watch, result.candidate, interval, baseline, result.higher_is_better, said)
    few = f"{found.labelled if found else 0:,} labels ({watch.minimum_labels:,} needed)"
    if watch.before_ground_truth == "wait":
        return Finding("inconclusive", f"{few}.", metric, baseline)
    now, then = (
        next((m for m in estimate.metrics if m.name == metric), None) if estimate else None
        for estimate in (monitoring.estimate, monitoring.expected)
    )
    if now is None or then is None:
        said = f"{few}, and {metric} cannot be estimated without labels."
        return Finding("inconclusive", said, metric, baseline)
    # The estimate has the same bias in the window and in the held-out rows, so only their difference counts.
    shift = baseline - then.value
    interval = _at(Interval(now.interval.low + shift, now.interval.high + shift), now.value + shift, _reach(alpha))
    said = f"{few}; estimated from the scores, {metric} is"
    return _fall(watch, now.value + shift, interval, baseline, metric not in ("brier", "log_loss"), said)


def _named_metric(metrics: Sequence[MetricResult], name: str) -> MetricResult | None:
    """The metric if it has a value and an interval."""
    found = next((metric for metric in metrics if metric.name == name), None)
    return found if found and found.candidate is not None and found.interval else None


def _selected(selection: Selection) -> str:
    """Why quality by these labels says nothing about the other rows."""
    return (
        f"Labels are missing not at random: rows with a label have a mean score of {selection.labelled:.3f}, those that"
        f" lack one {selection.missing:.3f} (Jensen-Shannon distance {selection.js:.2f}), so the labels do not stand"
        " for all rows."
    )


def _reach(alpha: float) -> float:
    """By what a 95 % interval is stretched, so that each of its sides fails with a probability of ``alpha``."""
    return NormalDist().inv_cdf(1 - alpha) / NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


def _at(interval: Interval, centre: float, times: float) -> Interval:
    """An interval that reaches ``times`` as far from its centre."""
    return Interval(centre - times * (centre - interval.low), centre + times * (interval.high - centre))


def _fall(
    watch: QualityWatch, value: float, interval: Interval, baseline: float, higher_is_better: bool, said: str
) -> Finding:
    """Fails when the whole interval is worse than the baseline by more than the margin, passes when none of it is."""
    low, high = interval.low - baseline, interval.high - baseline
    worst, best = (low, high) if higher_is_better else (-high, -low)
    margin = watch.margin * abs(baseline) if watch.relative else watch.margin
    outcome: Outcome = "fail" if best < -margin else "pass" if worst >= -margin else "inconclusive"
    allowed = f"allowed {'drop' if higher_is_better else 'rise'} {margin:g}"
    allowed += f", {watch.margin * 100:g} % of the baseline" if watch.relative else ""
    sentence = f"{said} {value:.4f} [{interval.low:.4f}, {interval.high:.4f}] (baseline {baseline:.4f}, {allowed})."
    return Finding(
        outcome=outcome,
        sentence=sentence,
        subject=watch.metric,
        champion=baseline,
        candidate=value,
        difference=value - baseline,
        interval=Interval(low, high),
    )


def _inputs(watch: InputsWatch, monitoring: Monitoring) -> Finding:
    if monitoring.drift is None:
        return Finding("inconclusive", "The version has no profile, so input drift cannot be measured.")
    if monitoring.incomparable:
        return Finding("inconclusive", monitoring.incomparable)
    columns = [c for c in monitoring.drift.columns if c.role == "input"]
    measured = [c for c in columns if c.state != "insufficient"]
    if not measured:
        return Finding("inconclusive", "No input could be compared with the profile.")
    alarms = [c.name for c in columns if c.alarm]
    share = len(alarms) / len(measured)
    said = f"{len(alarms)} of {len(measured)} inputs drifted"
    said += f" ({_percent(share)}, limit {_limit(watch.maximum_alarm_share)})"
    said += f" from {monitoring.drift.reference}" if watch.reference else ""
    said += f": {_names(alarms)}" if alarms else ""
    if len(measured) < len(columns):
        said += f"; not comparable: {_names([c.name for c in columns if c.state == 'insufficient'])}"
    outcome: Outcome = "fail" if share > watch.maximum_alarm_share else "pass"
    return Finding(outcome, f"{said}.", "inputs", candidate=share)


def _scores(watch: ScoresWatch, monitoring: Monitoring, alpha: float) -> Finding:
    """Of several score columns, one a class, the one that drifted most counts."""
    columns = [c for c in monitoring.drift.columns if c.role == "score"] if monitoring.drift else []
    known = [(c.p_value, c.js, c.name) for c in columns if c.js is not None and c.p_value is not None]
    if not known:
        return Finding("inconclusive", "The version has no profile of its scores, so score drift cannot be measured.")
    limit = watch.maximum_distance
    p_value, distance, name = max(known, key=lambda one: (one[0] <= alpha / len(known) and one[1] > limit, one[1]))
    said = (
        f"Score drift{f' of {name}' if len(columns) > 1 else ''} is {distance:.3f}, as the Jensen-Shannon distance to"
    )
    said += f" the held-out rows (limit {limit:.3f})"
    significant = p_value <= alpha / len(known)
    if distance > limit and not significant:
        said += f"; windows of this length and size often differ as much (p = {p_value:.2g})"
    outcome: Outcome = "fail" if significant and distance > limit else "pass"
    return Finding(outcome, f"{said}.", "scores", candidate=distance)


def _outliers(watch: OutliersWatch, monitoring: Monitoring, alpha: float) -> Finding:
    found = monitoring.outliers
    if found is None:
        said = "The outlier rate is unknown: the profile has no outlier limit, or the log lacks input columns."
        return Finding("inconclusive", said)
    training, allowed = found.reference_rate, watch.maximum_increase
    interval = _at(found.interval, found.rate, max(_reach(alpha), 1.0))
    rise = Interval(interval.low - training, interval.high - training)
    limits = f"held-out rows {_limit(training)}, limit {_limit(training + allowed)}"
    outcome: Outcome = "fail" if rise.low > allowed else "pass" if rise.high <= allowed else "inconclusive"
    said = f"{_percent(found.rate)} of rows are outliers ({limits})"
    if outcome == "inconclusive":
        said += f"; the interval, {_percent(interval.low)} to {_percent(interval.high)}, includes the limit"
    if outcome != "pass" and found.columns:
        name, rows = found.columns[0]
        said += f"; {name} adds the most to {_percent(rows / found.found)} of them"
    return Finding(
        outcome=outcome,
        sentence=f"{said}.",
        subject="outliers",
        champion=training,
        candidate=found.rate,
        difference=found.rate - training,
        interval=rise,
    )


def _confidence(watch: ConfidenceWatch, monitoring: Monitoring) -> Finding:
    found = monitoring.confidence
    if found is None:
        return Finding("inconclusive", "The confidence is unknown: the version's profile holds no probabilities.")
    fall = found.reference - found.current
    said = f"Mean confidence is {found.current:.3f} (held-out rows {found.reference:.3f}"
    said += f", allowed drop {watch.maximum_fall:g})."
    return Finding(
        outcome="fail" if fall > watch.maximum_fall else "pass",
        sentence=said,
        subject="confidence",
        champion=found.reference,
        candidate=found.current,
        difference=-fall,
    )


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _limit(share: float) -> str:
    """A bound of a policy, as it was written: without rounding to one decimal."""
    return f"{share * 100:.6g} %"


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
