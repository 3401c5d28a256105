"""The metrics at ``/metrics`` for Prometheus: requests, failures, latency and rows by version and variant."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from modelyard.report.prometheus.rules import REQUEST_BUCKETS

Variant = Literal["champion", "candidate", "shadow"]
_LABELS = ("environment", "model", "version", "variant")


class Metrics:
    """The counters of one server. Names follow Prometheus' conventions: base units, ``_total``."""

    def __init__(self, environment: str) -> None:
        self.registry = CollectorRegistry()
        self._environment = environment
        self._requests = self._counter("requests", "Requests answered with a score.")
        self._failures = self._counter("failures", "Valid requests that could not be answered.")
        self._rows = self._counter("rows", "Rows scored.")
        self._seconds = Histogram(
            "modelyard_request_seconds", "Time from a request's last byte to its answer.", _LABELS,
            registry=self.registry, buckets=REQUEST_BUCKETS,
        )  # fmt: skip
        self._weight = Gauge("modelyard_traffic_percent", "Share of the traffic.", _LABELS, registry=self.registry)
        self._weighed: dict[str, dict[tuple[str, Variant], float]] = {}
        self.refused = Counter(
            "modelyard_refused", "Requests refused, by status.", ("environment", "status"), registry=self.registry
        )
        self.lost = Counter("modelyard_log_lost_rows", "Rows that the log could not take.", registry=self.registry)
        self.shadow_dropped = Counter(
            "modelyard_shadow_dropped",
            "Copies that were dropped because the shadow was too slow.",
            registry=self.registry,
        )

    @lru_cache(maxsize=512)  # noqa: B019 - the server lives as long as its metrics
    def of(self, model: str, version: str, variant: Variant) -> tuple[Any, Any, Any, Any]:
        """The counters (requests, failures, rows, seconds) of one version as one variant."""
        labels = (self._environment, model, version, variant)
        kinds = (self._requests, self._failures, self._rows, self._seconds)
        return tuple(kind.labels(*labels) for kind in kinds)  # type: ignore[return-value]

    def refuse(self, status: int) -> None:
        """Counts a request that got a 4xx or 5xx before any version saw it."""
        self.refused.labels(self._environment, str(status)).inc()

    def weigh(self, model: str, shares: dict[tuple[str, Variant], float]) -> None:
        """Sets each version's share of a model's traffic; versions that are not named have none."""
        gone = dict.fromkeys(self._weighed.get(model, {}), 0.0)
        for (version, variant), share in (gone | shares).items():
            self._weight.labels(self._environment, model, version, variant).set(share)
        self._weighed[model] = shares

    def text(self) -> bytes:
        """The metrics in Prometheus' exposition format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, what: str) -> Counter:
        return Counter(f"modelyard_{name}", what, _LABELS, registry=self.registry)
