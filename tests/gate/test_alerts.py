"""Alerts of judged windows: when a cause begins, holds and ends."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from modelyard.evidence.verdict import Outcome
from modelyard.gate.alerts import alert_key, alerts_of
from production.windows import UNTIL, check, verdict, window

OUTCOMES: tuple[Outcome, ...] = ("pass", "fail", "inconclusive", "waived", "error")
SETTLED: tuple[Outcome, ...] = ("pass", "fail", "waived", "error")


def test_an_alert_starts_continues_and_ends() -> None:
    story: tuple[tuple[Outcome, Outcome | None, tuple[tuple[bool, bool], ...]], ...] = (
        ("pass", None, ((False, False),)),
        ("fail", None, ((True, True),)),
        ("fail", "pass", ((True, True),)),
        ("fail", "fail", ((True, False),)),
        ("error", "fail", ((True, False),)),
        ("inconclusive", "fail", ()),
        ("pass", "fail", ((False, True),)),
        ("waived", "fail", ((False, True),)),
        ("waived", "pass", ((False, False),)),
    )
    for now, before, expected in story:
        found = alerts_of("churn", window(), verdict(check("c", now)), {} if before is None else {"c": before})
        assert tuple((alert.firing, alert.changed) for alert in found) == expected, (now, before)


def test_an_advisory_rule_raises_no_alert() -> None:
    assert alerts_of("churn", window(), verdict(check("c", "fail", level="advisory")), {"c": "pass"}) == ()


def test_the_fields_of_an_alert() -> None:
    [alert] = alerts_of("churn", window(), verdict(check("score-drift", level="hard")), {})
    assert (alert.model, alert.environment, alert.version, alert.until) == ("churn", "production", "v1.0.0", UNTIL)
    assert alert.title == "churn in production: score-drift"
    assert alert.severity == "critical"
    assert alerts_of("churn", window(), verdict(check("score-drift")), {})[0].severity == "warning"


def test_the_key_outlives_versions_and_windows() -> None:
    [first] = alerts_of("churn", window(), verdict(check("c")), {})
    [second] = alerts_of("churn", window(version="v2.0.0", until="2026-06-01T00:00:00Z"), verdict(check("c")), {})
    assert first.key == second.key == alert_key("production", "churn", "c") == "production/churn/c"
    assert alerts_of("churn", window(environment="staging"), verdict(check("c")), {})[0].key != first.key


checks = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(OUTCOMES)), unique_by=lambda one: one[0])


@given(checks, st.dictionaries(st.sampled_from("abc"), st.sampled_from(SETTLED)))
def test_the_alerts_follow_from_this_window_and_the_one_before(
    now: Sequence[tuple[str, Outcome]], before: dict[str, Outcome]
) -> None:
    found = {a.check.id: a for a in alerts_of("m", window(), verdict(*(check(*one) for one in now)), before)}
    assert set(found) == {name for name, outcome in now if outcome != "inconclusive"}
    for name, outcome in now:
        if name in found:
            assert found[name].firing == (outcome in ("fail", "error"))
            assert found[name].changed == (found[name].firing != (before.get(name) in ("fail", "error")))
