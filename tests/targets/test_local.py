"""What the local target observes: the folder's state, and what a server that runs can load of it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from modelyard.predictions.layout import Layout, ServerReport, State
from modelyard.rollout.plan import Live, Traffic, described, plan
from modelyard.targets.local import LocalTarget

LIVE = Live(Traffic("v1.1.0"), {"v1.0.0": "a", "v1.1.0": "b"})


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    """The folder of production, in which v1.1.0 serves and a server runs."""
    found = Layout.of(tmp_path, "production")
    with found.changing():
        found.write_state(State({"churn": LIVE}))
    with found.lock.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield found


def observed(layout: Layout) -> Live:
    environment = SimpleNamespace(name="production", folder=str(layout.folder))
    return LocalTarget(environment, layout.folder, None).observe()["churn"]  # type: ignore[arg-type]


def report(layout: Layout, served: dict[str, Traffic], *, stamp: str | None = None) -> None:
    read = layout.state_stamp() if stamp is None else stamp
    layout.write_report(ServerReport(state_read=read, traffic=served, faults={"churn": "its bytes are others"}))


def test_a_version_that_the_server_refuses_is_installed_again(layout: Layout) -> None:
    report(layout, {})
    live = observed(layout)
    assert live == Live(Traffic("v1.1.0"), {"v1.0.0": "a", "v1.1.0": ""})
    actions = plan(Traffic("v1.1.0"), {"v1.1.0": "b"}, live, frozenset({"v1.0.0"}))
    assert described(actions) == ("install v1.1.0", "route all to v1.1.0"), "so nothing says in sync"


def test_what_the_server_serves_from_memory_is_there(layout: Layout) -> None:
    report(layout, {"churn": Traffic("v1.1.0")})
    assert observed(layout) == LIVE


def test_a_server_that_has_not_read_the_newest_state_says_nothing_of_it(layout: Layout) -> None:
    report(layout, {}, stamp="older")
    assert observed(layout) == LIVE


def test_without_a_server_the_folder_is_the_state(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path, "production")
    with layout.changing():
        layout.write_state(State({"churn": LIVE}))
    report(layout, {})
    assert observed(layout) == LIVE
