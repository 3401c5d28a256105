"""What a fairness check finds: a rule on the gap between groups, on its value or on its whole interval."""

from __future__ import annotations

from typing import Literal

from modelyard.gate.finding import Finding
from modelyard.manifests.policy import FairnessCheck
from modelyard.measure.evaluation import Evaluation
from modelyard.measure.fairness import Gap


def find_fairness(check: FairnessCheck, evaluation: Evaluation) -> Finding:
    """The worst group column by one measure; groups too small to judge are counted, and never a pass by themselves."""
    gaps = [(f.column, gap) for f in evaluation.fairness for gap in f.gaps if gap.measure == check.measure]
    if not gaps:
        return Finding("inconclusive", "No two groups have enough rows of each class.", check.measure)
    judged = [(_fair(check, gap), column, gap) for column, gap in gaps]
    order = ("fail", "inconclusive", "pass")
    sign = -1 if check.measure.endswith("ratio") else 1
    outcome, column, gap = min(judged, key=lambda e: (order.index(e[0]), -sign * (e[2].candidate or 0)))
    if gap.candidate is None:
        return Finding("inconclusive", f"The gap between groups of {column} is undefined.", check.measure)
    asked = [f"at most {check.maximum:g}"] if check.maximum is not None else []
    asked += [f"at least {check.minimum:g}"] if check.minimum is not None else []
    asked += [f"growth at most {check.maximum_increase:g}"] if check.maximum_increase is not None else []
    interval = f" [{gap.interval.low:.3f}, {gap.interval.high:.3f}]" if gap.interval else ""
    words = check.measure.replace("_", " ")
    sentence = (
        f"Between groups of {column} the {words} is {gap.candidate:.3f}{interval}; {', '.join(asked)} is asked for."
    )
    thin = sum(not group.sufficient for f in evaluation.fairness for group in f.groups if f.column == column)
    sentence += f" {thin} too small to judge." if thin else ""
    return Finding(outcome, sentence, check.measure, gap.champion, gap.candidate, gap.change, gap.change_interval)


def _fair(check: FairnessCheck, gap: Gap) -> Literal["fail", "inconclusive", "pass"]:
    """The rule on a gap's value, or on its whole interval."""
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
