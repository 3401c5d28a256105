"""The monitoring rules (watches) of a policy applied to a window, and the verdict on the monitored version."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date

from modelyard.evidence.verdict import Finding, Outcome, Verdict, overall
from modelyard.gate.judge import apply
from modelyard.manifests.approvals import Waiver
from modelyard.manifests.document import Document
from modelyard.manifests.model import Model, declared
from modelyard.manifests.policy import (
    AnyWatch,
    ConfidenceWatch,
    GroundTruthWatch,
    InputsWatch,
    OutliersWatch,
    Policy,
    QualityWatch,
    ScoresWatch,
    ServiceWatch,
    TrafficWatch,
)
from modelyard.manifests.rules import applies
from modelyard.metrics.intervals import Interval
from modelyard.metrics.window import FEWEST, Monitoring

MINIMUM_ROWS = 200
"""A window with fewer rows is not judged by distributions."""


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
    results = tuple(
        apply(watch, find_watch(watch, monitoring), lines, ("monitoring", i), (model.name, artifact), waivers, today)
        for i, watch in enumerate(policy.monitoring)
        if applies(watch, model.task, declared(model))
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


def find_watch(watch: AnyWatch, monitoring: Monitoring) -> Finding:
    """The finding of one rule. A window with too few rows is inconclusive: neither a pass nor an alarm."""
    match watch:
        case TrafficWatch():
            return _traffic(watch, monitoring)
        case ServiceWatch():
            return _service(watch, monitoring)
        case GroundTruthWatch():
            return _ground_truth(watch, monitoring)
        case QualityWatch():
            return _quality(watch, monitoring)
    if monitoring.rows < MINIMUM_ROWS:
        return Finding("inconclusive", f"{monitoring.rows:,} predictions in the window ({MINIMUM_ROWS} needed).")
    match watch:
        case InputsWatch():
            return _inputs(watch, monitoring)
        case ScoresWatch():
            return _scores(watch, monitoring)
        case OutliersWatch():
            return _outliers(watch, monitoring)
        case ConfidenceWatch():
            return _confidence(watch, monitoring)


def _traffic(watch: TrafficWatch, monitoring: Monitoring) -> Finding:
    silent = [day.day for day in monitoring.days[1:-1] if day.silent]  # the first and last may be parts of days
    said = f"{monitoring.rows:,} predictions (minimum {watch.minimum_rows:,})"
    if silent:
        named = f"{', '.join(silent[:5])}{', …' if len(silent) > 5 else ''}"
        count = f"{len(silent)} day{'s' if len(silent) > 1 else ''}"
        said += f"; {count} without traffic (limit {watch.maximum_silent_days}): {named}"
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


def _quality(watch: QualityWatch, monitoring: Monitoring) -> Finding:
    found, metric = monitoring.realised, watch.metric
    baseline = monitoring.accepted.get(metric)
    if baseline is None:
        said = f"{monitoring.version} was registered without {metric}, so there is no baseline."
        return Finding("inconclusive", said, metric)
    result = next((m for m in found.metrics if m.name == metric), None) if found else None
    if found and result and result.candidate is not None and result.interval and found.labelled >= watch.minimum_labels:
        said = f"On {found.labelled:,} labels, {metric} is"
        return _fall(watch, result.candidate, result.interval, baseline, result.higher_is_better, said)
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
    interval = Interval(now.interval.low + shift, now.interval.high + shift)
    said = f"{few}; estimated from the scores, {metric} is"
    return _fall(watch, now.value + shift, interval, baseline, metric not in ("brier", "log_loss"), said)


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
    columns = [c for c in monitoring.drift.columns if c.role == "input"]
    measured = [c for c in columns if c.state != "insufficient"]
    if not measured:
        return Finding("inconclusive", "No input could be compared with the profile.")
    alarms = [c.name for c in columns if c.alarm]
    share = len(alarms) / len(measured)
    said = f"{len(alarms)} of {len(measured)} inputs drifted"
    said += f" ({_percent(share)}, limit {_limit(watch.maximum_alarm_share)})"
    said += f": {_names(alarms)}" if alarms else ""
    if len(measured) < len(columns):
        said += f"; not comparable: {_names([c.name for c in columns if c.state == 'insufficient'])}"
    outcome: Outcome = "fail" if share > watch.maximum_alarm_share else "pass"
    return Finding(outcome, f"{said}.", "inputs", candidate=share)


def _scores(watch: ScoresWatch, monitoring: Monitoring) -> Finding:
    """Of several score columns, one a class, the one that drifted most counts."""
    columns = [c for c in monitoring.drift.columns if c.role == "score"] if monitoring.drift else []
    known = [
        (c.significant, c.js, max(watch.maximum_distance, c.threshold), c.name)
        for c in columns
        if c.js is not None and c.threshold is not None
    ]
    if not known:
        return Finding("inconclusive", "The version has no profile of its scores, so score drift cannot be measured.")
    significant, distance, limit, name = max(known, key=lambda one: (one[0] and one[1] > one[2], one[1] / one[2]))
    said = (
        f"Score drift{f' of {name}' if len(columns) > 1 else ''} is {distance:.3f}, as the Jensen-Shannon distance to"
    )
    said += f" the held-out rows (limit {limit:.3f} in windows of this size)"
    if distance > limit and not significant:
        said += "; it is not statistically significant"
    outcome: Outcome = "fail" if significant and distance > limit else "pass"
    return Finding(outcome, f"{said}.", "scores", candidate=distance)


def _outliers(watch: OutliersWatch, monitoring: Monitoring) -> Finding:
    found = monitoring.outliers
    if found is None:
        said = "The outlier rate is unknown: the profile has no outlier limit, or the log lacks input columns."
        return Finding("inconclusive", said)
    training, allowed = found.reference_rate, watch.maximum_increase
    rise = Interval(found.interval.low - training, found.interval.high - training)
    limits = f"training {_limit(training)}, limit {_limit(training + allowed)}"
    outcome: Outcome = "fail" if rise.low > allowed else "pass" if rise.high <= allowed else "inconclusive"
    said = f"{_percent(found.rate)} of rows are outliers ({limits})"
    if outcome == "inconclusive":
        low, high = _percent(found.interval.low), _percent(found.interval.high)
        said += f"; the 95 % interval, {low} to {high}, includes the limit"
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
