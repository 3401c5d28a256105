"""The situation of a model: newer labelled rows, watches that failed, and what past runs cost."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from modelyard.checkout.checkout import ModelView
from modelyard.evidence.training import RetrainingRecord
from modelyard.gate.triggers import Failed, PastRun
from modelyard.production.monitoring.watch import Watched, file_window
from modelyard.retraining.situation import file_retraining, situation_of
from production.test_watch import FakeEvidence, store
from production.windows import check, verdict, window


class History:
    """A clone with a champion, commits of increments, and an evidence branch."""

    def __init__(self) -> None:
        self.evidence = FakeEvidence()
        self.evidence.filed = lambda folder: {p: c for p, c in self.evidence.files.items() if p.startswith(folder)}  # type: ignore[attr-defined]
        self.commits: dict[str, dict[str, bytes]] = {"HEAD": {}, "c1": {}}
        self.serves: str | None = "v1.0.0"
        self.champion: Any = SimpleNamespace(version="v1.0.0", commit="c1", at=1000)

    @property
    def view(self) -> ModelView:
        git = SimpleNamespace(
            files_at=lambda commit, folder: {p: "" for p in self.commits[commit] if p.startswith(folder)},
            file_at=lambda commit, path: self.commits[commit].get(path),
        )
        environments = [SimpleNamespace(name="staging"), SimpleNamespace(name="production")]
        repository = SimpleNamespace(config=SimpleNamespace(environments=environments))
        assigned = SimpleNamespace(version=self.serves) if self.serves is not None else None
        checkout = SimpleNamespace(git=git, evidence=self.evidence, repository=repository)
        found: Any = SimpleNamespace(
            checkout=checkout, name="m", champion=self.champion, history=SimpleNamespace(assigned=lambda _: assigned)
        )
        return cast(ModelView, found)

    def increment(self, stem: str, rows: object, *commits: str) -> None:
        for commit in commits:
            folder = f"data/feedback/m/{stem}"
            self.commits[commit] |= {
                f"{folder}.parquet.dvc": b"",
                f"{folder}.json": json.dumps({"joined": {"labelled": rows}}).encode(),
            }

    def watched(self, *checks: Any, version: str = "v1.0.0", day: int = 1, environment: str = "production") -> None:
        monitoring = window(version=version, environment=environment, until=f"2026-05-{day:02}T00:00:00Z")
        file_window(store(self.evidence), Watched("m", "a" * 64, monitoring, verdict(*checks)))


@pytest.fixture
def history() -> History:
    return History()


def test_only_rows_that_came_after_the_champion_are_new(history: History) -> None:
    history.increment("1", 100, "HEAD", "c1")
    history.increment("2", 30, "HEAD")
    history.increment("3", 4, "HEAD")
    found = situation_of(history.view)
    assert (found.champion, found.champion_at, found.new_rows) == ("v1.0.0", 1000.0, 34)
    history.increment("4", "many", "HEAD")
    assert situation_of(history.view).new_rows == 34, "a record that says no number counts as none"


def test_before_the_first_champion_nothing_is_new(history: History) -> None:
    history.champion = None
    history.increment("1", 100, "HEAD")
    found = situation_of(history.view)
    assert (found.champion, found.champion_at, found.new_rows) == ("", 0.0, 0)


def test_failures_of_the_newest_window_count(history: History) -> None:
    history.watched(check("old"), day=1)
    history.watched(check("c", sentence="It moved."), check("ok", "pass"), check("shown", level="advisory"), day=2)
    assert situation_of(history.view).failed == (
        Failed(environment="production", check="c", kind="scores", sentence="It moved.", until="2026-05-02T00:00:00Z"),
    )


def test_a_window_of_a_version_that_was_replaced_does_not_count(history: History) -> None:
    history.watched(check("c"))
    history.serves = "v1.1.0"
    assert situation_of(history.view).failed == ()
    history.serves = None
    assert len(situation_of(history.view).failed) == 1, "without a receipt the window's version counts"


def test_every_environment_is_looked_at(history: History) -> None:
    history.watched(check("c"), environment="staging")
    history.watched(check("c"), environment="production")
    assert [one.environment for one in situation_of(history.view).failed] == ["staging", "production"]


def test_past_runs_are_read_back(history: History) -> None:
    record = RetrainingRecord(
        at=1234.5, cause="due", reasons=("a reason",), seconds=60.0, proposed=True, sentence="auc is better.", gain=0.1
    )
    file_retraining(history.view, "a" * 64, record)
    assert list(history.evidence.files) == [f"m/retrainings/1234-{'a' * 12}.json"]
    assert history.evidence.message == "m: retrained, due"
    assert situation_of(history.view).runs == (PastRun(1234.5, 60.0),)
