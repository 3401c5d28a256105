"""The answers of commands as text: registry, deployments, history, doctor, erasures."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import click
import msgspec
import pytest
from modelyard.evidence.artifact import Artifact
from modelyard.evidence.production import Erasure, Joined
from modelyard.evidence.training import Difference, Reproduction
from modelyard.gate.backtest import Backtest
from modelyard.gate.waivers import WaiverState
from modelyard.manifests.names import Version
from modelyard.metrics.drift import Drift
from modelyard.registry.comparison import VersionDifference
from modelyard.registry.faults import Fault
from modelyard.registry.lineage import Descendant, Lineage
from modelyard.registry.search import Entry
from modelyard.registry.storage import StoragePlan
from modelyard.registry.timeline import Event, Period, events, running
from modelyard.report.terminal.deployments import delivery_lines, render_deliveries, render_status
from modelyard.report.terminal.doctor import render_findings
from modelyard.report.terminal.history import render_history, render_running
from modelyard.report.terminal.layout import Layout
from modelyard.report.terminal.production import render_erasure, render_joined, render_monitoring
from modelyard.report.terminal.proposal import render_backtest, render_drift, render_scan, render_waivers
from modelyard.report.terminal.registry import (
    render_attribution,
    render_descendants,
    render_faults,
    render_found,
    render_lineage,
    render_plans,
    render_reproduction,
    render_version_difference,
    size,
)
from modelyard.report.terminal.text import coloured, when
from modelyard.rollout.plan import Delivery, StatusLine
from report import samples

V1, V2 = Version("v1.0.0"), Version("v1.1.0")


def plain(layout: Layout, width: int = 80) -> str:
    return click.unstyle(layout.fit(width))


def delivery(**given: Any) -> Delivery:
    known: dict[str, Any] = {
        "environment": "production",
        "model": "churn",
        "desired": "v1.1.0",
        "live": "v1.0.0",
        "actions": (),
    }
    return Delivery(**known | given)


def status(**given: Any) -> StatusLine:
    known: dict[str, Any] = {
        "model": "churn", "environment": "production", "desired": "v1.1.0", "live": "v1.0.0", "sync": "out of sync",
        "health": "healthy", "reason": "", "since": samples.AT, "why": "Promote v1.0.0", "by": "ada", "approved_by": ("grace",),
    }  # fmt: skip
    return StatusLine(**known | given)


def test_a_plan_is_a_diff_and_a_delivery_names_its_receipt() -> None:
    moving = delivery(actions=("install v1.1.0", "route all to v1.1.0"), tag="churn#production#2")
    assert delivery_lines(moving, True)[:2] == ["  - v1.0.0", "  + v1.1.0"]
    assert delivery_lines(moving, False)[-1] == "    v1.0.0  live, receipt churn#production#2"
    assert delivery_lines(delivery(), False) == ["    v1.1.0  in sync"]
    assert delivery_lines(delivery(rollout="step 1"), True) == ["    v1.1.0  live v1.0.0"]
    assert delivery_lines(delivery(skipped="refused: no approval"), True) == ["    refused: no approval"]
    assert delivery_lines(delivery(skipped="no version"), True) == ["    no version: nothing to deploy"]
    shown = plain(render_deliveries([delivery(rollout="waits " * 30, pull=7)], False))
    assert "production/churn" in shown and "pull request 7" in shown and max(map(len, shown.splitlines())) <= 80
    assert plain(render_deliveries([], False)).startswith("No deployment matches")


def test_status_in_short_and_in_detail() -> None:
    assert "Nothing is deployed" in plain(render_status([], False))
    short = plain(render_status([status(rollout="20 % to v1.1.0")], False))
    assert "out of sync" in short and "churn in production: 20 % to v1.1.0" in short and "ada" not in short
    lines = [status(), status(environment="staging", approved_by=(), by="", why="", health="down", reason="no answer"),
             status(environment="dev", live=None)]  # fmt: skip
    detailed = plain(render_status(lines, True))
    assert "churn in production: Promote v1.0.0\n  proposed by ada, approved by grace" in detailed
    assert "churn in staging: no reason is recorded\n  proposed by unknown, no recorded approval" in detailed
    assert "down: no answer" in detailed and "churn in dev" not in detailed
    assert coloured("out of sync") in render_status([status()], False).fit(80)


def test_the_doctor_says_what_to_do_about_each_finding() -> None:
    def finding(state: str, remedy: str) -> SimpleNamespace:
        return SimpleNamespace(what="git", state=state, found="2.47 at /usr/bin/git", remedy=remedy)

    assert plain(render_findings([finding("ok", "")])).endswith("Nothing is missing.")
    shown = plain(render_findings([finding("missing", "Install it: apt-get install git")]))
    assert shown.endswith("What to do:\n  git: Install it: apt-get install git")


def test_history_and_the_versions_in_service() -> None:
    history = samples.history("churn", "word")
    shown = plain(render_history("churn", events(history)))
    assert shown.splitlines()[0].endswith("v1.2.0 withdrawn") and "by word, approved by word, word: word" in shown
    assert plain(render_history("churn", ())) == "churn has no tags."
    bare = msgspec.structs.replace(samples.filled(Event, "", what="registered"), approved_by=(), at=0, unapproved=False)
    assert "by unknown: no reason is recorded" in plain(render_history("churn", [bare]))
    alone = msgspec.structs.replace(bare, unapproved=True)
    assert "by unknown, unapproved: no reason is recorded" in plain(render_history("churn", [alone]))
    found = [msgspec.structs.replace(period, environment="production") for period in running(history)]
    table = plain(render_running(found, "this moment"))
    assert "v1.1.0" in table and "now" in table and "approved by word" in table
    assert len(plain(render_running(found * 4, "this moment")).splitlines()) == 9, "many periods are a table only"
    assert "No version was in service at noon" in plain(render_running([], "noon"))


def test_differences_show_whole_versions_and_short_digests() -> None:
    version = "2.11.0+cu130.post20260501.local"
    found = samples.filled(
        VersionDifference, "word", model="churn", before=V1, after=V2, same_bytes=False,
        params=(Difference("train.trees", "5", "x" * 100),), data=(Difference("data/flights", "a" * 32, ""),),
        environment=(Difference("torch", version, "2.12.0"),),
    )  # fmt: skip
    shown = plain(render_version_difference(found))
    assert version in shown and "a" * 16 in shown and "a" * 17 not in shown and max(map(len, shown.splitlines())) <= 80
    assert "+0.5000 [+0.5000, +0.5000]" in shown and "Features" in shown and "[95 %]" in shown
    equal = samples.filled(VersionDifference, "", before=V1, after=V2, metrics=(), params=(), data=(), features=(),
                           environment=(), files=())  # fmt: skip
    assert plain(render_version_difference(equal)).endswith(": the same bytes")


def test_search_shows_the_metrics_that_were_asked_for() -> None:
    entry = samples.filled(Entry, "word", model="churn", version="v1.0.0", at=samples.AT, metrics={"auc": 0.7, "f1": 0.5},
                           words={"lifecycle": ("active",), "live": ("staging", "production")})  # fmt: skip
    assert "auc 0.7000" in plain(render_found([entry])) and "f1" not in plain(render_found([entry]))
    assert "f1 0.5000" in plain(render_found([entry], ["f1", "unknown"]))
    assert "staging, production" in plain(render_found([entry]))
    assert plain(render_found([])) == "No version meets all conditions."


def test_faults_and_waivers() -> None:
    fault = Fault("error", "churn@v1.0.0", "was moved", "Restore it.")
    assert plain(render_faults([fault])) == "error  churn@v1.0.0: was moved\n  Restore it."
    assert plain(render_faults([])) == "Tags and evidence agree."
    state = samples.filled(WaiverState, "word", artifact="a" * 64, expired=False, days_left=3, approved_by="")
    shown = plain(render_waivers([state, msgspec.structs.replace(state, expired=True, approved_by="grace")]))
    assert "(3 days left)" in shown and "(expired)" in shown and "approved by grace" in shown
    assert plain(render_waivers([])) == "There is no waiver."


def test_lineage_up_and_down() -> None:
    found = samples.filled(Lineage, "word", model="churn", version=V1, params={"train": {"trees": 5}}, pull=7)
    shown = plain(render_lineage(found))
    assert shown.startswith("churn v1.0.0\n  sha256") and "train.trees 5" in shown and "in pull request 7" in shown
    unknown = msgspec.structs.replace(
        found, artifact="", verdict="", champion="", approved_by=(), proposed_by="", pull=0
    )
    shown = plain(render_lineage(unknown))
    assert "sha256     unknown" in shown and "verdict    none" in shown
    assert "proposed by unknown, no recorded approval" in " ".join(shown.split())
    live = samples.filled(Period, "word", environment="production", until=None)
    one = samples.filled(Descendant, "word", model="churn", version=V1, live=(live,))
    assert "1 version was trained on data/x; 1 of them is in service now." in plain(render_descendants([one], "data/x"))
    past = msgspec.structs.replace(one, live=())
    never = msgspec.structs.replace(past, ever_live=False)
    shown = plain(render_descendants([past, never], "data/x"))
    assert "2 versions were trained" in shown and "served before" in shown and "never served" in shown
    assert "No version's record names data/x" in plain(render_descendants([], "data/x"))


def test_storage_says_how_to_delete_only_while_there_is_something_to_delete() -> None:
    plan = StoragePlan("the cache of this clone", 10, 2_500_000, 1, ("a", "b"), 999)
    shown = plain(render_plans([plan], 3, removed=False))
    assert "10 (2.5 MB)" in shown and "2 (999 B)" in shown and "Add --remove" in shown
    assert "Add --remove" not in plain(render_plans([plan], 3, removed=True))
    assert "Add --remove" not in plain(render_plans([StoragePlan("x", 1, 1, 0, (), 0)], 3, removed=False))
    assert [size(10**n) for n in (0, 3, 6, 9, 12, 15)] == ["1 B", "1.0 kB", "1.0 MB", "1.0 GB", "1.0 TB", "1000.0 TB"]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("pass", "reproduced byte for byte"),
        ("inconclusive", "the predictions are the same"),
        ("fail", "the predictions differ"),
    ],
)
def test_a_reproduction_lists_what_differs(outcome: str, said: str) -> None:
    found = samples.filled(
        Reproduction, "word", outcome=outcome, largest_difference=0.25, outputs=("model.txt",), probe="97/100"
    )
    shown = plain(render_reproduction(found))
    assert said in shown and ("largest difference of a prediction: 0.25" in shown) == (outcome != "pass")
    assert "probe 97/100" in shown and "outputs that differ: model.txt" in shown and "package" in shown


def test_predictions_are_attributed_to_a_receipt_a_rollout_or_nothing() -> None:
    period = samples.filled(Period, "word", environment="production", since=samples.AT, approved_by=())
    lineage = samples.filled(Lineage, "word", model="churn", version=V1)
    known = {"model": "churn", "environment": "production", "id": "r1/0", "time": "2026-05-01T00:00:00Z"}

    def one(**given: Any) -> Any:
        return SimpleNamespace(**known | {"version": "v1.0.0", "variant": "champion", "score": 0.123456} | given)

    shown = plain(render_attribution([
        one(period=period, lineage=lineage), one(version="v2", variant="shadow", period=None, lineage=None, score=None),
        one(version="v3", period=None, lineage=None, score=[0.1, 0.9], environment="staging"),
    ]))  # fmt: skip
    told = " ".join(shown.split())
    assert "churn in production" in shown and "churn in staging" in shown
    assert "v1.0.0 was in service in production since 2026-05-01 00:00: word (no recorded approval)" in told
    assert "v2 answered as shadow in a rollout" in told and "v2 is not registered." in told
    assert "No receipt says that v3 was in service there then" in told
    assert "0.1235" in shown and "failed" in shown and "0.1, 0.9" in shown


def test_joined_labels_and_erasures() -> None:
    joined = samples.filled(Joined, "name")
    assert "1,234 labelled rows for churn\nfeedback/1.parquet" in plain(
        render_joined("churn", joined, "feedback/1.parquet")
    )
    shown = plain(render_joined("churn", replace(joined, lacking=()), ""))
    assert shown.startswith("No new labelled rows for churn") and "Personal inputs" not in shown
    erasure = samples.filled(Erasure, "word", digest="d" * 64, waiting={"staging": 0, "production": 2})
    shown = plain(render_erasure("churn", erasure))
    assert "tombstone dddddddddddd" in shown and "2 in the open segment" in shown and "versions trained on it" in shown
    assert "log of staging" not in shown and "evidence branch contain the id" in shown
    nothing = samples.filled(Erasure, "", logs={}, waiting={}, unreached=(), increments=(), trained=(), judged=(), unknown=(),
                             evidence=())  # fmt: skip
    assert len(plain(render_erasure("churn", nothing)).splitlines()) == 1


def test_a_window_with_little_and_one_with_everything() -> None:
    model, monitoring, verdict = samples.window("word")
    shown = plain(render_monitoring(model, monitoring, verdict))
    assert "rows per day" in shown and "baseline" in shown and "Note: word" in shown and "importance" in shown
    little = replace(monitoring, days=(), drift=None, realised=None, estimated_slices=(), estimate=None)
    shown = plain(render_monitoring(model, little, replace(verdict, checks=(), notes=())))
    assert "rows per day" not in shown and "baseline" not in shown and "Note" not in shown
    estimated = plain(render_monitoring(model, replace(monitoring, realised=None), verdict))
    assert "Estimated without labels" in estimated and "estimated" in estimated


def test_drift_by_profile_and_by_all_values() -> None:
    exact = samples.filled(Drift, "word")
    shown = " ".join(plain(render_drift(exact)).split())
    assert " KS " in shown and "AUC 0.5000 [0.5000, 0.5000]" in shown
    column = replace(exact.columns[0], exact=None)
    profile = replace(exact, columns=(column,), slices=(), domain=None, estimate=None)
    shown = plain(render_drift(profile))
    assert " PSI " in shown and "effect" in shown and "classifier" not in shown and "estimated" not in shown
    assert exact.domain is not None
    alone = replace(exact, domain=replace(exact.domain, interval=None, strongest=()))
    assert "(0.5 means not at all)." in " ".join(plain(render_drift(alone)).split())


def test_a_backtest_marks_what_loosens() -> None:
    shown = plain(render_backtest(samples.filled(Backtest, "word")))
    assert "LOOSER  word" in shown and "blocked by" in shown and "word, word" in shown


def test_a_scan_is_one_line_and_times_are_utc() -> None:
    assert (
        plain(render_scan("churn", Artifact("onnx", 1234, 0.25)))
        == "churn: onnx, 1,234 bytes, one row in at most 0.25 ms"
    )
    assert "unknown format" in plain(render_scan("churn", samples.filled(Artifact, "", format=None)))
    assert (when(0), when(samples.AT), coloured("word")) == ("–", "2026-05-01 00:00", "word")
