from __future__ import annotations

import pytest
from modelyard.candidate.baselines import best_of
from modelyard.manifests.names import Version
from modelyard.registry.history import ModelHistory, RegisteredVersion
from modelyard.registry.tags import VersionRecord, write_record


def version(number: str, **metrics: float) -> RegisteredVersion:
    record = VersionRecord(
        artifact="a" * 64, code="c" * 40, data={}, verdict="pass", by="ada", metrics=dict(metrics), params={}
    )
    return RegisteredVersion(Version(number), "c" * 40, 0, "ada", write_record(f"Registering {number}", record))


HISTORY = ModelHistory(
    "churn",
    (
        version("v1.0.0", auc=0.9, log_loss=0.5), version("v2.0.0", auc=0.8, log_loss=0.6),
        version("v2.1.0", auc=0.7, log_loss=0.4), version("v2.2.0", auc=0.75, log_loss=0.45), version("v2.3.0"),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "count", "best"),
    [
        ("auc", 10, "v2.0.0"), ("auc", 3, "v2.2.0"), ("log_loss", 10, "v2.1.0"), ("auc", 1, "v2.3.0"),
        ("brier", 10, "v2.3.0"),
    ],
)  # fmt: skip
def test_the_best_of_the_last_versions_of_the_same_contract(metric: str, count: int, best: str) -> None:
    found = best_of(HISTORY, metric, count, "binary")
    assert found is not None and found.version == best


def test_without_versions_there_is_none() -> None:
    assert best_of(ModelHistory("churn"), "auc", 10, "binary") is None
