"""Samples from Prometheus: counters of requests, of failures, and a histogram of latencies, by version."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from modelyard.errors import ModelyardError, UsageError
from modelyard.manifests.configuration import Environment
from modelyard.secrets.interface import Secrets
from modelyard.targets.http import Http
from modelyard.targets.sample_sources import version_in

if TYPE_CHECKING:
    from modelyard.rollout.analysis import Samples

_STEP = 60
_BEFORE = 600
"""Seconds before the rollout from which a counter's value is its base, also over a short gap."""
_POINTS = 10_000
"""Prometheus answers with at most 11,000 points of a series."""
_MILLISECONDS = 1000.0
_Series = tuple[dict[str, str], list[tuple[float, float]]]
"""The labels of one series, and its values (seconds since 1970, value) in time order."""


class PrometheusSamples:
    """One Prometheus server. ``query``, ``errors`` and ``latency`` select raw counters, which are summed here."""

    def __init__(self, environment: Environment, secrets: Secrets, clock: Callable[[], float] = time.time) -> None:
        settings = environment.samples
        if settings is None or not settings.url or not settings.query:
            raise UsageError(
                f"modelyard.yaml: samples of the environment {environment.name} lack url or query.",
                'Name the server, and the counter of requests, such as requests_total{model="{model}"}.',
            )
        token = secrets.read_for(settings.token, settings.url) if settings.token else ""
        self._settings, self._clock = settings, clock
        self._http = Http(settings.url, "Prometheus", token, extra="samples")

    def samples(self, model: str, since: float) -> Mapping[str, Samples]:
        """Version → its samples. Series whose label names no version are of none."""
        from modelyard.rollout.counts import Counts, added, buckets, increments, samples_from

        requests: dict[str, list[dict[int, float]]] = defaultdict(list)
        errors: dict[str, list[dict[int, float]]] = defaultdict(list)
        latencies: dict[str, dict[float, list[dict[int, float]]]] = defaultdict(lambda: defaultdict(list))
        for labels, series in self._series(self._settings.query, model, since):
            requests[self._version(labels)].append(increments(series, since))
        for labels, series in self._series(self._settings.errors, model, since):
            errors[self._version(labels)].append(increments(series, since))
        for labels, series in self._series(self._settings.latency, model, since):
            bound = _bound(labels, self._settings.latency)
            latencies[self._version(labels)][bound].append(increments(series, since))
        return {
            version: samples_from(
                Counts(
                    added(requests[version]),
                    added(errors.get(version, [])),
                    buckets({bound: added(parts) for bound, parts in latencies.get(version, {}).items()}),
                )
            )
            for version in requests
            if version
        }

    def _series(
        self, query: str, model: str, since: float
    ) -> Iterator[tuple[dict[str, str], list[tuple[float, float]]]]:
        """The labels and values of each counter that a query selects, from before the rollout until now."""
        if not query:
            return
        asked = query.replace("{model}", model)
        begin, end = (since // _STEP) * _STEP - _BEFORE, self._clock()
        found: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = defaultdict(list)
        while begin <= end:
            until = min(end, begin + _STEP * _POINTS)
            parameters = {"query": asked, "start": f"{begin:.0f}", "end": f"{until:.0f}", "step": str(_STEP)}
            answer = self._http.call("GET", f"/api/v1/query_range?{urlencode(parameters)}")
            for labels, values in _matrix(answer, asked):
                found[tuple(sorted(labels.items()))] += values
            begin = until + _STEP if until < end else math.inf
        yield from ((dict(labels), values) for labels, values in found.items())

    def _version(self, labels: Mapping[str, str]) -> str:
        return version_in(labels.get(self._settings.label, ""))


def _matrix(answer: Any, query: str) -> Iterator[_Series]:
    data = answer.get("data", {}) if isinstance(answer, dict) else {}
    if data.get("resultType") != "matrix":
        raise ModelyardError(
            f"Prometheus did not answer {query} with series of counters.", "Correct the query, or the server's url."
        )
    for one in data["result"]:
        values = [(float(at), float(value)) for at, value in one.get("values", [])]
        yield dict(one["metric"]), [(at, value) for at, value in values if math.isfinite(value)]


def _bound(labels: Mapping[str, str], query: str) -> float:
    """The upper bound of a histogram's bucket, in milliseconds."""
    try:
        return float(labels["le"]) * _MILLISECONDS
    except (KeyError, ValueError) as error:
        raise ModelyardError(
            f"The series of {query} have no label le.", "Select the buckets of a histogram in seconds: …_bucket."
        ) from error
