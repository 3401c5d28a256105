"""The headline of a report on a candidate, and its next step: the verdict, the reason, and who does what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from modelyard.evidence.verdict import CheckResult, Verdict
from modelyard.gate.backtest import Backtest
from modelyard.metrics.evaluation import Evaluation, MetricResult

_EVIDENCE = ("evidence", "artifact", "drift")
"""Kinds of checks whose error always means missing evidence."""
_COMPARISONS = ("champion", "slices")
_WORDS = {"error": "could not be judged", "fail": "failed", "inconclusive": "inconclusive"}
_ORDER = ("error", "fail", "inconclusive")
_STARTS = re.compile(r"(?:^|(?<=[.] ))(?=(?:The|No|There|Fewer) )")
_LONGEST = 240


def headline(model: str, verdict: Verdict, evaluation: Evaluation | None, backtest: Backtest | None) -> str:
    """The verdict with its reason, in one sentence. Names are in backticks."""
    if blocking := failures_first(verdict.blocking):
        first, *more = blocking
        counts = [(sum(check.outcome == outcome for check in more), outcome) for outcome in _ORDER]
        present = [(count, _WORDS[outcome]) for count, outcome in counts if count]
        others = "".join(
            f"; {count} more {'check' if count == 1 else 'checks'} {word}" if i == 0 else f", {count} {word}"
            for i, (count, word) in enumerate(present)
        )
        said = f"{reason(first)}{others}"
        if verdict.outcome == "inconclusive":
            return f"⚪ {model} needs more data: {said}"
        return f"⛔ Do not merge {model}: {said}"
    if verdict.outcome not in ("pass", "waived"):
        return f"⚪ {model} is not judged: no check of the policy can block"
    if rules_only(evaluation, backtest) and backtest is not None:
        return f"📜 Rules of {model} change: {backtest.counted}"
    warnings = sum(check.level == "advisory" and check.outcome != "pass" for check in verdict.checks)
    note = f"; {warnings} advisory {'warning' if warnings == 1 else 'warnings'}" if warnings else ""
    waived = [check for check in verdict.checks if check.outcome == "waived"]
    if waived:
        many = "a waiver" if len(waived) == 1 else f"{len(waived)} waivers"
        return f"🟡 {model} may be merged with {many}: {'; '.join(reason(check) for check in waived[:2])}{note}"
    return f"✅ {model} may be merged: {cost(verdict, evaluation)}{note}"


def cost(verdict: Verdict, evaluation: Evaluation | None) -> str:
    """What a candidate that passed costs: ``within margins; better in 0 metrics, worse in 1 (log loss), 8 undecided``.

    A metric is better or worse where the whole interval of its difference is on one side of 0.
    """
    passed = [check for check in verdict.checks if check.outcome == "pass" and check.applicable]
    absent = sum(not check.applicable for check in verdict.checks)
    counted = f"{len(passed)} {'check' if len(passed) == 1 else 'checks'} passed"
    if evaluation is None:
        return counted
    if evaluation.champion is None:
        return f"a first version; {counted}" + (f", {absent} not applicable" if absent else "")
    if evaluation.identical_bytes:
        return f"the same bytes as {evaluation.champion}; {counted}"
    better, worse, undecided = _sides(evaluation.metrics)
    compared = any(check.kind in _COMPARISONS and check.applicable for check in verdict.checks)
    start = "within margins" if compared else f"no rule compares it with {evaluation.champion}"
    return (
        f"{start}; better in {len(better)} {'metric' if len(better) == 1 else 'metrics'}, worse in"
        f" {len(worse)}{_named(worse)}, {len(undecided)} undecided"
    )


def next_step(
    verdict: Verdict,
    evaluation: Evaluation | None,
    backtest: Backtest | None,
    owners: Sequence[str],
    approvers: Sequence[str],
    version: str,
) -> str:
    """Who does what next, in one sentence. ``version`` is what merging registers; '' if not known."""
    who = ", ".join(owners) or "the owners"
    if verdict.outcome in ("pass", "waived"):
        if rules_only(evaluation, backtest):
            approving = " and ".join(approvers) or who
            return f"Next: approval by {approving}. Merging changes the rules and registers no version."
        if evaluation is not None and evaluation.identical_bytes:
            return f"Next: a review by {who}; merging registers no new version."
        return f"Next: a review by {who}; merging registers it{f' as {version}' if version else ''} and deploys it."
    if not verdict.blocking:
        return "Next: the owners of the policy add a check that can block."
    if verdict.outcome == "inconclusive":
        return _more_data(verdict)
    if verdict.outcome == "error":
        return _repair(verdict, evaluation)
    hard = [check.id for check in verdict.blocking if check.level == "hard"]
    if hard:
        return f"Next: the author corrects the candidate; {', '.join(hard)} cannot be waived."
    waivable = [check.id for check in verdict.blocking if check.level == "soft"]
    return f"Next: the author corrects the candidate, or a waiver of {', '.join(waivable)} is approved by {who}."


def reason(check: CheckResult) -> str:
    """The finding of a check in a few words: its own reason, or its sentence without the capital and the full stop."""
    sentences = _STARTS.split(check.sentence.strip())
    shortened = "; ".join(_lowered(part.strip().removesuffix(".")) for part in sentences if part)
    said = check.reason or shortened or f"{check.id} {_WORDS.get(check.outcome, 'passed')}"
    return said if len(said) <= _LONGEST else said[: _LONGEST - 1] + "…"


def failures_first(checks: Iterable[CheckResult]) -> tuple[CheckResult, ...]:
    """Checks in reading order: those that block, by severity, waived ones, advisory ones that did not pass, others."""
    return tuple(sorted(checks, key=_place))


def rules_only(evaluation: Evaluation | None, backtest: Backtest | None) -> bool:
    """Whether a change is one of rules: the policy changes, and the artifact does not."""
    return backtest is not None and evaluation is not None and evaluation.identical_bytes


def _lowered(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:] if _STARTS.match(sentence) else sentence


def _place(check: CheckResult) -> tuple[int, int]:
    if check.blocks:
        return 0, _ORDER.index(check.outcome)
    if check.outcome == "waived":
        return 1, 0
    if check.outcome != "pass":
        return 2, _ORDER.index(check.outcome)
    return (3, 0) if check.applicable else (4, 0)


def _sides(metrics: Sequence[MetricResult]) -> tuple[list[str], list[str], list[str]]:
    """The names of metrics that are better, worse and undecided."""
    sides: tuple[list[str], list[str], list[str]] = ([], [], [])
    for metric in metrics:
        if metric.difference is None or metric.interval is None:
            side = 2
        else:
            sign = 1 if metric.higher_is_better else -1
            low, high = sorted((sign * metric.interval.low, sign * metric.interval.high))
            side = 0 if low > 0 else 1 if high < 0 else 2
        sides[side].append(metric.name.replace("_", " "))
    return sides


def _named(names: Sequence[str]) -> str:
    return f" ({', '.join(names[:4])}{', …' if len(names) > 4 else ''})" if names else ""


def _more_data(verdict: Verdict) -> str:
    """The next step where nothing failed and something could not be decided: what would settle it."""
    needed: dict[str, list[str]] = {}
    for check in verdict.blocking:
        needed.setdefault(check.settled_by or "what its sentence names as missing", []).append(check.id)
    parts = [
        f"{', '.join(ids[:4])} {'needs' if len(ids) == 1 else 'need'} {settled}"
        for settled, ids in list(needed.items())[:3]
    ]
    return f"Next: {'; '.join(parts)}."


def _repair(verdict: Verdict, evaluation: Evaluation | None) -> str:
    """The next step where something could not be judged at all."""
    broken = [check for check in verdict.blocking if check.outcome == "error"]
    if evaluation is None or any(check.kind in _EVIDENCE for check in broken):
        return "Next: the author runs the commands at the end again; evidence is missing or unreadable."
    names = ", ".join(check.id for check in broken)
    return f"Next: correct the rule or model.yaml, as these checks say: {names}."
