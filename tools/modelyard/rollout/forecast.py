"""How much traffic the analysis of a rollout will need before a sound candidate passes its first step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from modelyard.manifests.deployment import Analysis, Step
from modelyard.rollout.analysis import Samples
from modelyard.rollout.sequential import boundary, distribution
from modelyard.rollout.strata import Floats

_SURE = 1.28
"""Standard deviations: nine of ten candidates that are like the champion pass with what is forecast."""
_MOST = 1e9


def forecast(analysis: Analysis, steps: tuple[Step, ...], champion: Samples, minutes: float) -> str:
    """A sentence on a candidate like the champion, by what that did in so many minutes; '' where nothing can be said.

    The first step in which the candidate has traffic is the slowest, because its share is the smallest.
    """
    first = next((step for step in steps if step.mirror or 0 < step.weight < 100), None)
    if first is None or not champion.requests or minutes <= 0:
        return ""
    needs = _weights(analysis, champion)
    if not needs:
        return ""
    share = 0.5 if first.mirror else first.weight / 100
    waits = []
    for test, (weight, rows) in needs.items():
        # A row of each of n and m counts nm / (n + m). A mirrored request is one of both versions.
        a_minute = rows / minutes * (0.5 if first.mirror else share * (1 - share))
        own = rows / minutes * (1.0 if first.mirror else share)
        waits.append((max(weight / a_minute, analysis.minimum_samples / own), own, test))
    longest, own, test = max(waits)
    if longest > _MOST:
        return f"{test} has a margin that a candidate like the champion never passes"
    where = "a copy of all requests" if first.mirror else f"{first.weight:g} %"
    return (
        f"at the traffic of the last {minutes / 60:.3g} h, {test} needs about {_rounded(own * longest)} samples of the"
        f" candidate to pass at {where}: {_span(longest)}"
    )


def _weights(analysis: Analysis, champion: Samples) -> dict[str, tuple[float, int]]:
    """Test → the weight of rows that it needs, and the rows it had."""
    rules = (analysis.errors, analysis.latency, analysis.scores, analysis.confidence, analysis.ground_truth)
    alpha = analysis.alpha / max(1, sum(rule is not None for rule in rules))
    found: dict[str, tuple[float, int]] = {}
    if analysis.errors:
        rate = (champion.errors + 0.5) / (champion.requests + 1)
        found["errors"] = _weight(analysis.errors.margin, rate * (1 - rate), alpha), champion.requests
    if analysis.latency and analysis.latency.maximum_ratio is not None and champion.latencies.size:
        slow = float(np.quantile(champion.latencies, analysis.latency.quantile))
        shares = [float((champion.latencies > limit).mean()) for limit in (slow, slow * analysis.latency.maximum_ratio)]
        spread = sum(share * (1 - share) for share in shares) / 2
        found["latency"] = _weight(shares[0] - shares[1], spread, alpha), champion.latencies.size
    if analysis.scores and champion.scores.size:
        margin = analysis.scores.margin
        enough = _first(lambda weight: distribution(weight, alpha) + _SURE / (2 * weight**0.5) <= margin)
        found["scores"] = enough, len(champion.scores)
    for name, rule, values in (("confidence", analysis.confidence, champion.confidences),
                               ("ground_truth", analysis.ground_truth, champion.losses)):  # fmt: skip
        if rule and values.size:
            found[name] = _weight(rule.margin, _variance(values), alpha), values.size
    return found


def _weight(margin: float, variance: float, alpha: float) -> float:
    """Where an estimate of no difference lies below the margin, for one row's variance."""
    return _first(lambda w: w * margin >= boundary(w * variance, alpha) + _SURE * (w * variance) ** 0.5)


def _first(holds: Callable[[float], bool]) -> float:
    """The smallest weight, within a tenth, at which a condition holds; inf for none."""
    weight = 10.0
    while not holds(weight):
        weight *= 1.1
        if weight > _MOST:
            return np.inf
    return weight


def _variance(values: Floats) -> float:
    return float(values.var())


def _rounded(count: float) -> str:
    return f"{float(f'{count:.2g}'):,.0f}"


def _span(minutes: float) -> str:
    for unit, size in (("days", 1440), ("h", 60)):
        if minutes >= size:
            return f"{minutes / size:.1f} {unit}"
    return f"{minutes:.0f} min"
