"""Attribution of logged predictions to versions, deployments and lineage, with a log and a Git in memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from modelyard.audit import attribution
from modelyard.audit.attribution import MAXIMUM_PREDICTIONS, Attribution, attribute
from modelyard.errors import ModelyardError, UsageError
from modelyard.predictions.interface import Window
from modelyard.secrets.interface import Secrets
from support.memory import START, MemoryYard, memory_yard

WINDOW = Window(START, START + 10_000)
SCHEMA = pa.schema(
    [("id", pa.string()), ("entity", pa.string()), ("time", pa.timestamp("us", "UTC")), ("version", pa.string()),
     ("variant", pa.string()), ("score", pa.float64()), ("error", pa.string())]
)  # fmt: skip


class MemoryLog:
    """A prediction log: rows, in two tables."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def read(
        self, model: object, begin: float, end: float, columns: tuple[str, ...] | None = None
    ) -> Iterator[pa.Table]:
        rows = [row for row in self.rows if begin <= row["time"].timestamp() < end]
        yield pa.Table.from_pylist(rows[::2], SCHEMA)
        yield pa.Table.from_pylist(rows[1::2], SCHEMA)


def row(identity: str, at: int, version: str = "v1.0.0", variant: str | None = None, **more: Any) -> dict[str, Any]:
    time = datetime.fromtimestamp(START + at, UTC)
    return {"id": identity, "entity": f"e-{identity}", "time": time, "version": version, "variant": variant,
            "score": 0.5, "error": None} | more  # fmt: skip


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryYard:
    """churn v1.0.0, then v1.1.0 in production."""
    found = memory_yard(tmp_path, monkeypatch)
    found.add_version("v1.0.0", approved_by=("grace",))
    found.add_version("v1.1.0")
    found.add_stage("v1.0.0", "production", at=START + 100, approved_by=("heidi",))
    found.add_stage("v1.1.0", "production", at=START + 200)
    return found


def ask(
    yard: MemoryYard, monkeypatch: pytest.MonkeyPatch, wanted: str, rows: list[dict[str, Any]], environments: int = 1
) -> list[Attribution]:
    logs = {"production": MemoryLog(rows), "staging": MemoryLog([])}
    monkeypatch.setattr(attribution, "open_reader", lambda environment, root: logs[environment.name])
    places = [yard.checkout.repository.environment(name) for name in ("production", "staging")][:environments]
    return attribute([yard.view()], places, wanted, WINDOW, Secrets({}), yard.said.append)


def test_a_prediction_has_the_version_and_the_deployment_of_its_time(
    yard: MemoryYard, monkeypatch: pytest.MonkeyPatch
) -> None:
    [found] = ask(yard, monkeypatch, "r1", [row("r1", 150), row("r2", 150)])
    assert (found.model, found.environment, found.version, found.variant) == (
        "churn",
        "production",
        "v1.0.0",
        "champion",
    )
    assert found.time == "2023-11-14T22:15:50Z" and (found.score, found.error) == (0.5, None)
    assert found.lineage and found.lineage.version == "v1.0.0" and found.lineage.approved_by == ("grace",)
    assert found.period and found.period.approved_by == ("heidi",) and found.period.until == START + 200


@pytest.mark.parametrize("wanted", ["r1", "r1/0", "e-r1/0"])
def test_it_is_found_by_request_prediction_or_entity(
    yard: MemoryYard, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    found = ask(yard, monkeypatch, wanted, [row("r1/0", 150), row("r1/1", 150), row("r10", 150)])
    assert [one.id for one in found] == (["r1/0", "r1/1"] if wanted == "r1" else ["r1/0"])


def test_a_candidate_a_wrong_time_and_an_unknown_version_have_no_deployment(
    yard: MemoryYard, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row("r", 150, "v1.1.0", "candidate"), row("r", 50), row("r", 250, "v1.1.0"), row("r", 260, "v9.0.0")]
    found = {(one.version, one.variant): one for one in ask(yard, monkeypatch, "r", rows)}
    assert found["v1.1.0", "candidate"].period is None and found["v1.0.0", "champion"].period is None
    assert (now := found["v1.1.0", "champion"].period) and now.until is None
    assert found["v9.0.0", "champion"].lineage is None


def test_the_oldest_predictions_come_first_and_no_more_than_twenty(
    yard: MemoryYard, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(f"r/{n}", 5000 - n, error="it crashed", score=None) for n in range(MAXIMUM_PREDICTIONS + 5)]
    found = ask(yard, monkeypatch, "r", rows)
    assert len(found) == MAXIMUM_PREDICTIONS and found[0].id == f"r/{MAXIMUM_PREDICTIONS + 4}"
    assert [one.time for one in found] == sorted(one.time for one in found)
    assert (found[0].score, found[0].error) == (None, "it crashed")


def test_nothing_found_is_wrong_usage_that_names_the_log(yard: MemoryYard, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no prediction 'x' in that window in the log of production"):
        ask(yard, monkeypatch, "x", [row("r", 150)])
    with pytest.raises(UsageError, match="no prediction 'x' in that window in any readable log"):
        ask(yard, monkeypatch, "x", [row("r", 150)], environments=2)


def test_one_unreadable_log_is_an_error_and_one_of_several_is_reported(
    yard: MemoryYard, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unreadable(MemoryLog):
        def read(self, *_: object) -> Iterator[pa.Table]:
            raise ModelyardError("The bucket does not answer.", "Check it.")

    logs = {"production": Unreadable([]), "staging": MemoryLog([row("r", 150)])}
    monkeypatch.setattr(attribution, "open_reader", lambda environment, root: logs[environment.name])
    places = [yard.checkout.repository.environment(name) for name in logs]
    with pytest.raises(ModelyardError, match="The bucket does not answer"):
        attribute([yard.view()], places[:1], "r", WINDOW, Secrets({}), yard.said.append)
    [found] = attribute([yard.view()], places, "r", WINDOW, Secrets({}), yard.said.append)
    assert found.environment == "staging"
    assert yard.said == ["Not searched: churn in production: The bucket does not answer."]


def test_hashed_ids_are_looked_up_by_their_digest_after_the_plain_id(
    yard: MemoryYard, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = (
        (yard.root / "models/churn/model.yaml").read_text().replace("  id: id\n", "  id: id\n  personal_id: hash\n")
    )
    yard.commit({"models/churn/model.yaml": manifest}, "ids are personal")
    yard.reopen()
    asked: list[str] = []

    def as_logged(environment: object, model: object, secrets: object) -> Any:
        asked.append("key")
        return lambda ids: [f"digest of {one}" for one in ids]

    monkeypatch.setattr(attribution, "as_logged", as_logged)
    rows = [row("r1", 150, entity="digest of F7"), row("r2", 150)]
    assert [one.id for one in ask(yard, monkeypatch, "r1", rows)] == ["r1"] and asked == []
    assert [one.id for one in ask(yard, monkeypatch, "F7", rows)] == ["r1"] and asked == ["key"]
