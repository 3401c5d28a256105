"""Counts of requests by version and minute, as the samples of a rollout's analysis."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from modelyard.rollout.analysis import Floats, Integers, Minutes, Samples

MOST_SAMPLES = 5_000_000
"""With more requests, each count is divided by the same number: fewer samples only widen the intervals."""
PerMinute = Mapping[int, float]
"""Minute since 1970 → a count in it."""


@dataclass(frozen=True)
class Counts:
    """What was counted of one version."""

    requests: PerMinute = field(default_factory=dict)
    """All requests, also those that failed."""
    errors: PerMinute = field(default_factory=dict)
    latencies: Mapping[float, PerMinute] = field(default_factory=dict)
    """Upper bound in milliseconds → requests that took at most so long, and longer than the bound below."""


def samples_from(counts: Counts) -> Samples:
    """The samples of a version: requests, failures and latencies.

    The latencies of a bucket lie evenly between its bounds, as Prometheus takes them for its quantiles; above the
    highest bound they are infinite. Counts are rounded so that their sums stay within one of the true ones.
    """
    most = max(sum(counts.requests.values()), sum(sum(one.values()) for one in counts.latencies.values()))
    thin = max(1.0, most / MOST_SAMPLES)
    minutes = np.array(sorted(counts.requests.keys() | counts.errors.keys()), dtype=np.int64)
    failed = _whole(minutes, counts.errors, thin)
    asked = np.maximum(_whole(minutes, counts.requests, thin), failed)
    latencies: list[Floats] = []
    answered: list[Integers] = []
    below = 0.0
    for bound, of_bucket in sorted(counts.latencies.items()):
        at = np.array(sorted(of_bucket), dtype=np.int64)
        whole = _whole(at, of_bucket, thin)
        places = [(np.arange(count) + 0.5) / count for count in whole if count]
        answered.append(np.repeat(at, whole))
        spread = np.concatenate([np.empty(0), *places])
        latencies.append(below + (bound - below) * spread if np.isfinite(bound) else np.full(len(spread), bound))
        below = bound
    none: list[Integers] = [np.empty(0, dtype=np.int64)]
    return Samples(
        requests=int(asked.sum()),
        errors=int(failed.sum()),
        latencies=np.concatenate([np.empty(0), *latencies]),
        minutes=Minutes(
            requests=np.concatenate([np.repeat(minutes, failed), np.repeat(minutes, asked - failed)]),
            latencies=np.concatenate([*none, *answered]),
        ),
    )


def increments(series: Iterable[tuple[float, float]], since: float) -> dict[int, float]:
    """Minute → growth of a counter after a moment (seconds since 1970), from its values (seconds, value) in time order.

    A counter that falls was reset and begins at 0, as Prometheus takes it. One that appears later began at 0 too.
    """
    found: dict[int, float] = defaultdict(float)
    before = 0.0
    for at, value in series:
        grown = value - before if value >= before else value
        before = value
        if at > since and grown > 0:
            found[int((at - 1) // 60)] += grown
    return dict(found)


def added(parts: Iterable[PerMinute]) -> dict[int, float]:
    """The sum of several counts, minute by minute."""
    found: dict[int, float] = defaultdict(float)
    for part in parts:
        for minute, count in part.items():
            found[minute] += count
    return dict(found)


def buckets(cumulative: Mapping[float, PerMinute]) -> dict[float, dict[int, float]]:
    """The counts of each bucket alone, from those of a histogram whose buckets hold the lower ones too."""
    found: dict[float, dict[int, float]] = {}
    below: PerMinute = {}
    for bound, counts in sorted(cumulative.items()):
        alone = {minute: count - below.get(minute, 0.0) for minute, count in counts.items()}
        found[bound] = {minute: count for minute, count in alone.items() if count > 0}
        below = counts
    return found


def _whole(minutes: Integers, counts: PerMinute, thin: float) -> Integers:
    """Whole counts of the minutes, whose running sums are those of the given counts, rounded."""
    running = np.cumsum([max(0.0, counts.get(int(minute), 0.0)) / thin for minute in minutes])
    return np.diff(np.floor(running + 0.5), prepend=0.0).astype(np.int64)
