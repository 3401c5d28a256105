"""What each watch finds in a window, and the verdict on the version that served it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date

from modelyard.evidence.verdict import Finding, Outcome, Verdict, overall
from modelyard.gate.judge import apply
from modelyard.manifests.approvals import Waiver
from modelyard.manifests.document import Document
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
from modelyard.metrics.intervals import Interval
from modelyard.metrics.window import Monitoring

MINIMUM_ROWS = 200


def judge_window(
    policy: Policy,
    lines: Document,
    model: str,
    artifact: str,
    monitoring: Monitoring,
    waivers: Sequence[tuple[str, Waiver]],
    today: date,
) -> Verdict:
    """The verdict of the policy's ``monitoring`` rules; without any rule nothing is proven."""
    results = tuple(
        apply(watch, find_watch(watch, monitoring), lines, ("monitoring", i), (model, artifact), waivers, today)
        for i, watch in enumerate(policy.monitoring)
    )
    digest = hashlib.sha256(lines.content).hexdigest() if lines.content else ""
    notes = monitoring.notes if results else (*monitoring.notes, f"The policy {policy.name} has no monitoring rules.")
    return Verdict(overall(results), policy.name, lines.file, results, {}, notes, digest)


def find_watch(watch: AnyWatch, monitoring: Monitoring) -> Finding:
    """Applies one rule. Thin windows are inconclusive, never a pass and never an alarm."""
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
        return Finding("inconclusive", f"{monitoring.rows:,} predictions in the window; {MINIMUM_ROWS} are needed.")
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
    silent = [day.day for day in monitoring.days[1:-1] if day.silent]  # the ends may be parts of days
    said = f"{monitoring.rows:,} predictions; {watch.minimum_rows:,} are asked for"
    if silent:
        said += f"; without any: {', '.join(silent[:5])}{' …' if len(silent) > 5 else ''}"
    fails = monitoring.rows < watch.minimum_rows or len(silent) > watch.maximum_silent_days
    return Finding("fail" if fails else "pass", f"{said}.")


def _service(watch: ServiceWatch, monitoring: Monitoring) -> Finding:
    burn = next((burn for burn in monitoring.burns if burn.id == watch.id), None)
    if burn is None or not burn.requests:
        return Finding("inconclusive", "No requests in the window.")
    what = "failed" if watch.maximum_milliseconds is None else f"failed or took over {watch.maximum_milliseconds:g} ms"
    said = f"{burn.bad:,} of {burn.requests:,} requests {what}; {watch.objective:.4g} of them must be good"
    if burn.long is None:
        share = 1 - burn.bad / burn.requests
        few = f"too few in the last {watch.long} for a burn rate"
        return Finding("pass" if share >= watch.objective else "inconclusive", f"{said}; {few}.")
    short = f"{burn.short:.1f}" if burn.short is not None else "nothing"
    said += f"; the budget burns {burn.long:.1f} times too fast over {watch.long}, {short} over {watch.short}"
    said += f"; {watch.burn:g} is the alarm"
    alarm = burn.long >= watch.burn and (burn.short or 0.0) >= watch.burn
    return Finding("fail" if alarm else "pass", f"{said}.")


def _ground_truth(watch: GroundTruthWatch, monitoring: Monitoring) -> Finding:
    found = monitoring.realised
    if found is None:
        return Finding(
            "inconclusive", "Nobody said what happened: name the ground_truth in model.yaml, or with --ground-truth."
        )
    if not found.due:
        return Finding("inconclusive", f"No prediction is older than {watch.due}.")
    share = found.missing / found.due
    said = f"{share:.1%} of {found.due:,} predictions older than {watch.due} have no outcome"
    if found.oldest_missing_days is not None:
        said += f", the oldest for {found.oldest_missing_days:.1f} days"
    return Finding(
        "fail" if share > watch.maximum_missing else "pass", f"{said}; {watch.maximum_missing:.1%} are allowed."
    )


def _quality(watch: QualityWatch, monitoring: Monitoring) -> Finding:
    found = monitoring.realised
    accepted = monitoring.accepted.get(watch.metric)
    if accepted is None:
        return Finding("inconclusive", f"{monitoring.version} was registered without {watch.metric}.", watch.metric)
    result = next((m for m in found.metrics if m.name == watch.metric), None) if found else None
    if found and result and result.candidate is not None and result.interval and found.labelled >= watch.minimum_labels:
        said = f"{watch.metric} of {found.labelled:,} labels is"
        return _fall(watch, result.candidate, result.interval, accepted, result.higher_is_better, said)
    labelled = found.labelled if found else 0
    few = f"{labelled:,} of {watch.minimum_labels:,} labels"
    if watch.before_ground_truth == "wait":
        return Finding("inconclusive", f"{few}.", watch.metric, accepted)
    now, then = (
        next((m for m in estimate.metrics if m.name == watch.metric), None) if estimate else None
        for estimate in (monitoring.estimate, monitoring.expected)
    )
    if now is None or then is None:
        return Finding(
            "inconclusive", f"{few}, and {watch.metric} cannot be estimated without.", watch.metric, accepted
        )
    # The estimate's own bias is the same then and now, so it is the change that counts.
    shift = accepted - then.value
    interval = Interval(now.interval.low + shift, now.interval.high + shift)
    said = f"{few}; by the scores alone {watch.metric} would be"
    return _fall(watch, now.value + shift, interval, accepted, watch.metric not in ("brier", "log_loss"), said)


def _fall(
    watch: QualityWatch, value: float, interval: Interval, accepted: float, higher_is_better: bool, said: str
) -> Finding:
    """Fails when all of the interval lies below what was accepted less the margin, passes when none of it does."""
    low, high = interval.low - accepted, interval.high - accepted
    worst, best = (low, high) if higher_is_better else (-high, -low)
    outcome: Outcome = "fail" if best < -watch.margin else "pass" if worst >= -watch.margin else "inconclusive"
    sentence = (
        f"{said} {value:.4f} [{interval.low:.4f}, {interval.high:.4f}]; it was accepted with {accepted:.4f}, and"
        f" {watch.margin:g} less is allowed."
    )
    return Finding(outcome, sentence, watch.metric, accepted, value, value - accepted, Interval(low, high))


def _inputs(watch: InputsWatch, monitoring: Monitoring) -> Finding:
    if monitoring.drift is None:
        return Finding("inconclusive", "The version has no profile to compare with.")
    columns = [c for c in monitoring.drift.columns if c.role == "input"]
    measured = [c for c in columns if c.state != "insufficient"]
    if not measured:
        return Finding("inconclusive", "No input could be compared.")
    alarms = [c.name for c in columns if c.alarm]
    share = len(alarms) / len(measured)
    said = f"{len(alarms)} of {len(measured)} inputs drifted" + (f" ({', '.join(alarms[:5])})" if alarms else "")
    outcome: Outcome = "fail" if share > watch.maximum_alarm_share else "pass"
    if len(measured) < len(columns):
        unknown = [c.name for c in columns if c.state == "insufficient"]
        said += f"; not comparable: {', '.join(unknown[:5])}"
    return Finding(outcome, f"{said}; {watch.maximum_alarm_share:.0%} may.", "inputs", None, share)


def _scores(watch: ScoresWatch, monitoring: Monitoring) -> Finding:
    """Of several score columns, one a class, the one that moved most says it."""
    columns = [c for c in monitoring.drift.columns if c.role == "score"] if monitoring.drift else []
    known = [
        (c.significant, c.js, max(watch.maximum_distance, c.threshold), c.name)
        for c in columns
        if c.js is not None and c.threshold is not None
    ]
    if not known:
        return Finding("inconclusive", "The scores cannot be compared with a profile.")
    significant, distance, limit, name = max(known, key=lambda one: (one[0] and one[1] > one[2], one[1] / one[2]))
    whose = f"Scores ({name})" if len(columns) > 1 else "Scores"
    said = (
        f"{whose} lie {distance:.3f} from those of the held-out rows; {limit:.3f} is allowed in windows of this size."
    )
    return Finding("fail" if significant and distance > limit else "pass", said, "scores", None, distance)


def _outliers(watch: OutliersWatch, monitoring: Monitoring) -> Finding:
    found = monitoring.outliers
    if found is None:
        return Finding("inconclusive", "Outliers cannot be told: the profile has no threshold, or columns are missing.")
    rise = Interval(found.interval.low - found.reference_rate, found.interval.high - found.reference_rate)
    said = (
        f"{found.rate:.2%} of the rows are unlike what was learnt from, of the training rows"
        f" {found.reference_rate:.0%}; {watch.maximum_increase:.1%} more are allowed."
    )
    outcome: Outcome = (
        "fail"
        if rise.low > watch.maximum_increase
        else "pass"
        if rise.high <= watch.maximum_increase
        else "inconclusive"
    )
    return Finding(outcome, said, "outliers", found.reference_rate, found.rate, found.rate - found.reference_rate, rise)


def _confidence(watch: ConfidenceWatch, monitoring: Monitoring) -> Finding:
    found = monitoring.confidence
    if found is None:
        return Finding("inconclusive", "The version's scores are no probabilities that a profile holds.")
    fall = found.reference - found.current
    said = f"Mean confidence {found.current:.3f}, on the held-out rows {found.reference:.3f}"
    said += f"; a fall of {watch.maximum_fall:g} is allowed."
    return Finding(
        "fail" if fall > watch.maximum_fall else "pass", said, "confidence", found.reference, found.current, -fall
    )
