"""Comparisons with an earlier version: non-inferiority by the interval of a paired difference, overall and by slice."""

from __future__ import annotations

from modelyard.evidence.verdict import Finding, Outcome, named
from modelyard.manifests.policy import ChampionCheck, SlicesCheck
from modelyard.metrics.evaluation import Evaluation, MetricResult

FIRST = "There is no champion yet: this is the first version."
_MOST_TIMES = 100
"""A difference that needs more than so many times the rows lies on the margin."""


def find_champion(check: ChampionCheck, evaluation: Evaluation) -> Finding:
    """The finding of a candidate against the champion, or against the baseline that the check names."""
    if evaluation.champion is None:
        return Finding("pass", FIRST, check.metric, applicable=False)
    result, opponent = evaluation.metric(check.metric), evaluation.champion
    if check.opponent:
        baseline = evaluation.against(check.opponent)
        if baseline is None:
            sentence = f"The evaluation does not compare with {check.opponent}; run modelyard evaluate again."
            return Finding("error", sentence, check.metric)
        result = next((one for one in baseline.metrics if one.name == check.metric), None)
        opponent = baseline.version if baseline.version == check.opponent else f"{baseline.version}, {check.opponent},"
    if result is None or result.difference is None or result.interval is None:
        return undefined(check.metric, evaluation)
    margin = margin_of(check, result)
    outcome, word = non_inferiority(result, margin)
    shown = f"{result.difference:+.4f} [{result.interval.low:+.4f}, {result.interval.high:+.4f}]"
    wanted, settled = _rows_needed(result, margin, evaluation.rows) if outcome == "inconclusive" else ("", "")
    if outcome == "fail":
        reason = f"{named(check.metric)} is {abs(result.difference):.4f} worse than {opponent}"
    else:
        reason = f"{named(check.metric)} differs from {opponent} by {shown}"
    return Finding(
        outcome,
        f"{check.metric} differs from {opponent} by {shown}: {word} ({margin_text(check, margin)}).{wanted}",
        check.metric,
        result.champion,
        result.candidate,
        result.difference,
        result.interval,
        reason=f"{reason} ({margin_text(check, margin)})",
        settled_by=settled,
    )


def find_slices(check: SlicesCheck, evaluation: Evaluation) -> Finding:
    """The finding of the worst slice."""
    if evaluation.champion is None:
        return Finding("pass", FIRST, check.metric, applicable=False)
    if evaluation.metric(check.metric) is None:
        return undefined(check.metric, evaluation)
    if not evaluation.slices:
        what = "No slices were evaluated; name their columns in evaluation.slices."
        settled = "the columns of the slices, in evaluation.slices of model.yaml"
        return Finding("inconclusive", what, check.metric, settled_by=settled)
    judged = []
    for part in evaluation.slices:
        result = next((r for r in part.metrics if r.name == check.metric), None)
        if part.sufficient and result is not None and result.difference is not None and result.interval is not None:
            judged.append((result.difference * (1 if result.higher_is_better else -1), part, result))
    if not judged:
        what = "No slice has enough rows for a comparison."
        return Finding("inconclusive", what, check.metric, settled_by="more held-out rows in each slice")
    thin = sum(not part.sufficient for part in evaluation.slices)
    inferior = [entry for entry in judged if non_inferiority(entry[2], margin_of(check, entry[2]))[0] == "fail"]
    _, part, worst = min(inferior or judged, key=lambda entry: entry[0])
    sentence = (
        f"The worst of {len(judged)} slices is {part.column}={part.level}: {check.metric} {worst.difference:+.4f}"
        f" ({part.rows:,} rows). Inferior slices: {len(inferior)} ({margin_text(check, margin_of(check, worst))})."
        + (f" Slices too small to judge: {thin}." if thin else "")
    )
    outcome: Outcome = "fail" if inferior else "pass"
    more = f" and in {len(inferior) - 1} more" if len(inferior) > 1 else ""
    reason = (
        f"{named(check.metric)} is {abs(worst.difference or 0.0):.4f} worse for {named(f'{part.column}={part.level}')}"
        f"{more} ({margin_text(check, margin_of(check, worst))})"
    )
    return Finding(
        outcome, sentence, check.metric, worst.champion, worst.candidate, worst.difference, worst.interval,
        reason=reason,
    )  # fmt: skip


def non_inferiority(result: MetricResult, margin: float) -> tuple[Outcome, str]:
    """The outcome by the interval of the difference, and its name: superior, non-inferior, inferior or inconclusive."""
    if result.interval is None:
        return "inconclusive", "inconclusive"
    sign = 1 if result.higher_is_better else -1
    worst, best = sorted((sign * result.interval.low, sign * result.interval.high))
    if worst > 0:
        return "pass", "superior"
    if worst >= -margin:
        return "pass", "non-inferior"
    if best < -margin:
        return "fail", "inferior"
    return "inconclusive", "inconclusive"


def margin_of(check: ChampionCheck | SlicesCheck, result: MetricResult) -> float:
    """The margin in the metric's unit; a relative one is a share of the champion's value."""
    return check.margin * abs(result.champion or 0.0) if check.relative else check.margin


def margin_text(check: ChampionCheck | SlicesCheck, margin: float) -> str:
    """``margin 0.01``, or ``margin 0.04, 2 % of the champion's value``."""
    said = f", {check.margin * 100:g} % of the champion's value" if check.relative else ""
    return f"margin {margin:.4g}{said}"


def undefined(metric: str, evaluation: Evaluation) -> Finding:
    """The finding of a metric that is not measured, has no value, or has no interval."""
    result = evaluation.metric(metric)
    if result is None:
        sentence = f"{metric} is not measured for {evaluation.task} models; name the rule's tasks in the policy."
        return Finding("error", sentence, metric)
    if result.candidate is not None and result.reason:
        sentence = f"{metric} has no interval on this holdout of {evaluation.rows:,} rows: {result.reason}."
        return Finding(
            "inconclusive", sentence, metric, result.champion, result.candidate, result.difference,
            settled_by="a holdout with more rows, or more blocks of rows that depend on each other",
        )  # fmt: skip
    sentence = f"{metric} is undefined on this holdout of {evaluation.rows:,} rows."
    return Finding("inconclusive", sentence, metric, settled_by="held-out rows of every class")


def _rows_needed(result: MetricResult, margin: float, rows: int) -> tuple[str, str]:
    """What would settle an inconclusive comparison, as the sentence's end and alone.

    An interval narrows with the root of the rows.
    """
    if result.interval is None or result.difference is None:
        return "", ""
    away = abs((result.difference if result.higher_is_better else -result.difference) + margin)
    reach = (result.interval.high - result.interval.low) / 2
    if away * _MOST_TIMES**0.5 < reach:
        near = f"The difference is too near the margin for any number of rows up to {_MOST_TIMES * rows:,}."
        return f" {near}", "a candidate that is clearly better, or another margin: more rows do not settle it"
    needed = rows * (reach / away) ** 2
    rounded = round(needed, 1 - len(str(int(needed))))
    enough = f"about {max(int(rounded), rows + 1):,} held-out rows"
    return f" If it stays, {enough} settle it; there are {rows:,}.", f"{enough} (there are {rows:,})"
