"""The finding of each kind of check: one function for each kind, without levels and waivers."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from modelyard.evidence.artifact import Artifact
from modelyard.evidence.bundle import Bundle, missing_evidence
from modelyard.evidence.training import NOT_APPLICABLE
from modelyard.evidence.verdict import Finding, Outcome, named
from modelyard.gate.comparisons import FIRST, find_champion, find_slices, undefined
from modelyard.gate.limits import limit_of
from modelyard.manifests.policy import (
    AnyCheck,
    ArtifactCheck,
    CalibrationCheck,
    ChampionCheck,
    ContractCheck,
    DriftCheck,
    EvidenceCheck,
    FairnessCheck,
    HoldoutCheck,
    LeakageCheck,
    RowsCheck,
    SlicesCheck,
    StabilityCheck,
    ThresholdCheck,
)
from modelyard.metrics.evaluation import Evaluation
from modelyard.metrics.fairness import Gap

_ELSEWHERE = "the training rows are not known, because the model was trained elsewhere"


def find(check: AnyCheck, bundle: Bundle) -> Finding:
    """The finding of one check, with its limit. Missing evidence is an error, never a pass."""
    return replace(_find(check, bundle), limit=limit_of(check))


def _find(check: AnyCheck, bundle: Bundle) -> Finding:
    if isinstance(check, EvidenceCheck):
        return _evidence(check, bundle)
    if isinstance(check, DriftCheck):
        return _drift(check, bundle) if bundle.drift else _missing("drift", bundle)
    if isinstance(check, ArtifactCheck):
        return _artifact(check, bundle.scan) if bundle.scan else _missing("artifact", bundle)
    if bundle.evaluation is None:
        return _missing("evaluation", bundle)
    evaluation = bundle.evaluation
    match check:
        case RowsCheck():
            return _rows(check, evaluation)
        case ThresholdCheck():
            return _threshold(check, evaluation)
        case ChampionCheck():
            return find_champion(check, evaluation)
        case SlicesCheck():
            return find_slices(check, evaluation)
        case FairnessCheck():
            return find_fairness(check, evaluation)
        case CalibrationCheck():
            return _calibration(check, evaluation)
        case HoldoutCheck():
            return _holdout(check, evaluation)
        case LeakageCheck():
            return _leakage(check, evaluation)
        case StabilityCheck():
            return _stability(check, evaluation)
        case ContractCheck():
            return _contract(check, evaluation)


def find_fairness(check: FairnessCheck, evaluation: Evaluation) -> Finding:
    """The finding for the worst group column by one measure. Groups that are too small are counted, not judged."""
    gaps = [(f.column, gap) for f in evaluation.fairness for gap in f.gaps if gap.measure == check.measure]
    if not evaluation.fairness:
        what = "No groups were evaluated; name their columns in evaluation.groups."
        settled = "the columns of the groups, in evaluation.groups of model.yaml"
        return Finding("inconclusive", what, check.measure, settled_by=settled)
    if not gaps:
        what = "No two groups have enough rows of each class."
        settled = "more held-out rows of the small groups"
        return Finding("inconclusive", what, check.measure, settled_by=settled)
    judged = [(_fair(check, gap), column, gap) for column, gap in gaps]
    order = ("fail", "inconclusive", "pass")
    sign = -1 if check.measure.endswith("ratio") else 1
    outcome, column, gap = min(judged, key=lambda e: (order.index(e[0]), -sign * (e[2].candidate or 0)))
    if gap.candidate is None:
        return Finding("inconclusive", f"The gap between groups of {column} is undefined.", check.measure)
    limits = [f"at most {check.maximum:g}"] if check.maximum is not None else []
    limits += [f"at least {check.minimum:g}"] if check.minimum is not None else []
    limits += [f"growth of at most {check.maximum_increase:g}"] if check.maximum_increase is not None else []
    interval = f" [{gap.interval.low:.3f}, {gap.interval.high:.3f}]" if gap.interval else ""
    words = check.measure.replace("_", " ")
    required = f" (required: {', '.join(limits)})" if limits else ""
    sentence = f"The {words} between groups of {column} is {gap.candidate:.3f}{interval}{required}."
    thin = sum(not group.sufficient for f in evaluation.fairness for group in f.groups if f.column == column)
    sentence += f" Groups too small to judge: {thin}." if thin else ""
    found = Finding(outcome, sentence, check.measure, gap.champion, gap.candidate, gap.change, gap.change_interval)
    changed = f", {gap.change:+.3f} against the champion" if gap.change is not None and check.maximum_increase else ""
    return replace(
        found,
        reason=f"the {words} between groups of {named(column)} is {gap.candidate:.3f}{changed} ({limit_of(check)})",
        settled_by="more held-out rows of each group, for a narrower interval",
        applicable=evaluation.champion is not None or check.maximum is not None or check.minimum is not None,
    )


def _missing(kind: str, bundle: Bundle) -> Finding:
    return Finding("error", bundle.faults.get(kind, missing_evidence(kind)))


def _evidence(check: EvidenceCheck, bundle: Bundle) -> Finding:
    absent = [kind for kind in check.require if kind not in bundle.digests]
    if absent:
        return Finding("error", " ".join(_missing(kind, bundle).sentence for kind in absent))
    found = f"All required evidence is about artifact {bundle.artifact[:12]} ({', '.join(check.require)})."
    if bundle.training is not None and bundle.training.elsewhere:
        found += f" {NOT_APPLICABLE}"
    return Finding("pass", found)


def _artifact(check: ArtifactCheck, scan: Artifact) -> Finding:
    form = scan.format or "other"
    if form not in check.formats:
        said = f"of the format {form}" if scan.format else "of an unknown format"
        reason = f"the artifact is {said}, which the policy does not allow"
        return Finding(
            "fail", f"The artifact is {said} (allowed: {', '.join(check.formats)}).", "format", reason=reason
        )
    found = f"The artifact is {form} and has {scan.bytes:,} bytes (limit {check.maximum_bytes:,})"
    if scan.bytes > check.maximum_bytes:
        reason = f"the artifact has {scan.bytes:,} bytes (limit {check.maximum_bytes:,})"
        return Finding("fail", f"{found}.", "bytes", reason=reason)
    limit = check.maximum_row_milliseconds
    if limit is not None:
        if scan.row_milliseconds is None:
            what = f"{found}; the time to score one row was not measured."
            settled = "the time to score one row, which modelyard scan measures"
            reason = "the time to score one row was not measured"
            return Finding("inconclusive", what, "row time", reason=reason, settled_by=settled)
        found += f"; one row takes at most {scan.row_milliseconds:g} ms (limit {limit:g} ms)"
        if scan.row_milliseconds > limit:
            reason = f"one row takes {scan.row_milliseconds:g} ms (limit {limit:g} ms)"
            return Finding("fail", f"{found}.", "row time", reason=reason)
    return Finding("pass", f"{found}.", "format")


def _rows(check: RowsCheck, evaluation: Evaluation) -> Finding:
    found = f"The holdout has {evaluation.rows:,} rows"
    smallest = evaluation.smallest_class
    if evaluation.positives is not None:
        found += f", {evaluation.positives:,} of them positive"
        smallest = min(evaluation.positives, evaluation.rows - evaluation.positives)
    elif smallest is not None:
        found += f", {smallest:,} of the smallest class"
    enough = evaluation.rows >= check.minimum and (smallest is None or smallest >= check.minimum_per_class)
    required = f"{check.minimum:,} rows"
    if check.minimum_per_class and smallest is not None:
        required += f", {check.minimum_per_class:,} of each class"
    return Finding(
        "pass" if enough else "inconclusive",
        f"{found} (required: {required}).",
        reason=f"{found[0].lower()}{found[1:]} ({required} required)",
        settled_by=f"a holdout of {required}",
    )


def _threshold(check: ThresholdCheck, evaluation: Evaluation) -> Finding:
    result = evaluation.metric(check.metric)
    if result is None or result.candidate is None:
        return undefined(check.metric, evaluation)
    value = result.candidate
    too_low = check.minimum is not None and value < check.minimum
    too_high = check.maximum is not None and value > check.maximum
    limits = [f"at least {check.minimum:g}"] if check.minimum is not None else []
    limits += [f"at most {check.maximum:g}"] if check.maximum is not None else []
    sentence = f"{check.metric} is {value:.4f} (required: {', '.join(limits) or 'any value'})."
    outcome: Outcome = "fail" if too_low or too_high else "pass"
    reason = f"{named(check.metric)} is {value:.4f} (limit {limit_of(check)})"
    return Finding(outcome, sentence, check.metric, result.champion, value, reason=reason)


def _calibration(check: CalibrationCheck, evaluation: Evaluation) -> Finding:
    now, before = evaluation.calibration, evaluation.champion_calibration
    if now is None:
        what = "Calibration is not known; it needs a binary model and 200 held-out rows."
        settled = "a binary model and at least 200 held-out rows"
        return Finding("inconclusive", what, "calibration error", settled_by=settled)
    sentence = (
        f"The expected calibration error is {now.expected_error:.3f} (limit {check.maximum_error:g}); the mean"
        " prediction"
        f" is {now.mean_prediction:.3f}, the base rate {now.base_rate:.3f}."
    )
    return Finding(
        "fail" if now.expected_error > check.maximum_error else "pass",
        sentence,
        "calibration error",
        before.expected_error if before else None,
        now.expected_error,
        now.expected_error - before.expected_error if before else None,
        reason=f"the calibration error is {now.expected_error:.3f} (limit {check.maximum_error:g})",
    )


def _holdout(check: HoldoutCheck, evaluation: Evaluation) -> Finding:
    change = evaluation.holdout_change
    if evaluation.champion is None:
        return Finding("pass", FIRST, "held-out rows", applicable=False)
    if change is None or change.reason:
        why = change.reason if change else "The evaluation does not compare the held-out rows; run it again."
        return Finding("inconclusive", why, "held-out rows")
    faults = []
    if change.relabelled > check.maximum_relabelled:
        faults.append(f"{change.relabelled:,} have another label (limit {check.maximum_relabelled:,})")
    if change.removed > check.maximum_removed:
        faults.append(f"{change.removed:,} are not held out any more (limit {check.maximum_removed:,})")
    told = f"Of {change.rows:,} held-out rows of {change.against}, "
    counts = [(change.kept, "are kept"), (change.moved_on, "became training rows as the window moved on")]
    if not faults:
        counts += [(change.relabelled, "have another label"), (change.removed, "are not held out any more")]
    parts = [*faults, *(f"{count:,} {words}" for count, words in counts if count)]
    sentence = f"{told}{', '.join(parts) or 'none is held out now'}. Added: {change.added:,}."
    reason = f"of {change.rows:,} held-out rows of {change.against}, {' and '.join(faults)}" if faults else ""
    return Finding("fail" if faults else "pass", sentence, "held-out rows", reason=reason)


def _leakage(check: LeakageCheck, evaluation: Evaluation) -> Finding:
    leakage = evaluation.leakage
    strongest = next((entry for entry in leakage.inputs if entry.auc is not None), None)
    auc_limit, identical_share = check.maximum_single_input_auc, check.maximum_identical_share
    leaks = [e for e in leakage.inputs if e.auc is not None and e.auc > auc_limit]
    faults = [f"the input {e.name} alone reaches AUC {e.auc:.3f} (limit {auc_limit:g})" for e in leaks]
    short = [f"{named(e.name)} alone reaches AUC {e.auc:.3f} (limit {auc_limit:g})" for e in leaks[:1]]
    short += [f"so {'does' if len(leaks) == 2 else 'do'} {len(leaks) - 1} more"] if len(leaks) > 1 else []
    held_out = f"of {evaluation.rows:,} held-out rows"
    overlap = _ELSEWHERE
    if leakage.overlap is not None:
        overlap = f"{leakage.overlap:,} {held_out} are in the training data (limit {check.maximum_overlap:,})"
    if leakage.overlap is not None and leakage.overlap > check.maximum_overlap:
        faults.append(overlap)
        short.append(overlap)
    if identical_share is not None and leakage.identical is not None:
        limit = identical_share * evaluation.rows
        if leakage.identical > limit:
            faults.append(f"{leakage.identical:,} {held_out} equal a training row (limit {int(limit):,})")
            short.append(faults[-1])
    if faults:
        value = leaks[0].auc if leaks else None
        sentence = f"Possible leakage: {'; '.join(faults)}."
        subject = "single-input AUC" if leaks else "overlap"
        return Finding("fail", sentence, subject, None, value, reason="; ".join(short))
    if strongest is None and leakage.overlap is None:
        return Finding("pass", f"T{overlap[1:]}.", "overlap", applicable=False)
    if identical_share is not None and leakage.identical is None and leakage.overlap is not None:
        sentence = "The training rows lack columns, so equal rows could not be counted."
        settled = "training rows with all input columns"
        return Finding("inconclusive", sentence, "identical rows", settled_by=settled)
    if strongest is None:
        return Finding("pass", f"{overlap}.", "overlap")
    sentence = (
        f"The strongest single input, {strongest.name}, reaches AUC {strongest.auc:.3f} (limit"
        f" {auc_limit:g}); {overlap}."
    )
    return Finding("pass", sentence, "single-input AUC", None, strongest.auc)


def _stability(check: StabilityCheck, evaluation: Evaluation) -> Finding:
    if evaluation.stability is None:
        what = "Fewer than two folds were evaluated; files.folds names their table."
        settled = "two folds or more, in the table that files.folds of model.yaml names"
        return Finding("inconclusive", what, check.metric, settled_by=settled)
    found = next((m for m in evaluation.stability.metrics if m.name == check.metric), None)
    if found is None or found.mean is None or found.deviation is None:
        what = f"{check.metric} is undefined in too many folds."
        return Finding("inconclusive", what, check.metric, settled_by="larger folds, with rows of every class")
    sentence = (
        f"{check.metric} over {len(found.values)} folds is {found.mean:.4f} ± {found.deviation:.4f}"
        f" (limit of the deviation {check.maximum_deviation:g})."
    )
    outcome: Outcome = "fail" if found.deviation > check.maximum_deviation else "pass"
    reason = (
        f"{named(check.metric)} has a deviation of {found.deviation:.4f} between folds (limit"
        f" {check.maximum_deviation:g})"
    )
    return Finding(outcome, sentence, check.metric, None, found.mean, reason=reason)


def _contract(check: ContractCheck, evaluation: Evaluation) -> Finding:
    if evaluation.champion is None:
        return Finding("pass", FIRST, "inputs", applicable=False)
    faults = []
    if evaluation.inputs_removed and not check.allow_removed:
        faults.append(f"removed: {', '.join(evaluation.inputs_removed)}")
    if evaluation.inputs_added and not check.allow_added:
        faults.append(f"added: {', '.join(evaluation.inputs_added)}")
    if faults:
        reason = f"the contract's inputs changed ({'; '.join(faults)})"
        return Finding("fail", f"T{reason[1:]}.", "inputs", reason=reason)
    if evaluation.inputs_added or evaluation.inputs_removed:
        changed = [*(f"+{name}" for name in evaluation.inputs_added), *(f"-{n}" for n in evaluation.inputs_removed)]
        return Finding("pass", f"The contract's inputs changed as allowed: {', '.join(changed)}.", "inputs")
    return Finding("pass", "The contract's inputs are the same as the champion's.", "inputs")


def _drift(check: DriftCheck, bundle: Bundle) -> Finding:
    drift = bundle.drift
    if drift is None or not drift.columns:
        return _missing("drift", bundle)
    judged = [column for column in drift.columns if column.state != "insufficient"]
    if not judged:
        what = "No column has enough rows to compare."
        return Finding("inconclusive", what, "drift", settled_by="more rows of the current data")
    alarms = [column.name for column in judged if column.alarm]
    share = len(alarms) / len(judged)
    named = f": {', '.join(alarms[:4])}{', …' if len(alarms) > 4 else ''}" if alarms else ""
    limit = f"{check.maximum_alarm_share * 100:.0f} %"
    sentence = (
        f"{len(alarms)} of {len(judged)} columns ({share * 100:.0f} %, limit {limit}) drifted from"
        f" {drift.reference}{named}."
    )
    outcome: Outcome = "fail" if share > check.maximum_alarm_share else "pass"
    reason = f"{len(alarms)} of {len(judged)} columns drifted from {drift.reference} (limit {limit})"
    return Finding(outcome, sentence, "drift share", None, share, reason=reason)


def _fair(check: FairnessCheck, gap: Gap) -> Literal["fail", "inconclusive", "pass"]:
    """The outcome for one gap, by its value or by its whole interval."""
    sides = [(gap.candidate, gap.interval, check.maximum, 1), (gap.candidate, gap.interval, check.minimum, -1),
             (gap.change, gap.change_interval, check.maximum_increase, 1)]  # fmt: skip
    outcomes = []
    for value, interval, bound, sign in sides:
        if bound is None or (value is None and gap.champion is None and bound is check.maximum_increase):
            continue
        if value is None or (check.bound == "interval" and interval is None):
            outcomes.append("inconclusive")
            continue
        low, high = (interval.low, interval.high) if check.bound == "interval" and interval else (value, value)
        best, worst = sorted((sign * low, sign * high))
        limit = sign * bound
        outcomes.append("fail" if best > limit else "pass" if worst <= limit else "inconclusive")
    return "fail" if "fail" in outcomes else "inconclusive" if "inconclusive" in outcomes else "pass"
