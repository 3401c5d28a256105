"""What makes a retraining due, what holds it, and when its result is proposed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.gate.triggers import Cause, Failed, PastRun, Situation, due, worth_proposing
from modelyard.manifests.calendar import Freeze
from modelyard.manifests.model import Budget, Retrain
from modelyard.metrics.drift import Drift
from modelyard.metrics.evaluation import Evaluation
from production.windows import column, drift
from support.evidence import EVALUATION, metric

DAY = 86400.0
NOW = 20_000 * DAY  # 2024-10-04, a Friday
QUIET = Situation(now=NOW, champion="v1.0.0", champion_at=NOW - 10 * DAY, new_rows=0, failed=(), runs=())


def failed(kind: str) -> Failed:
    return Failed(
        environment="production", check=f"{kind}-kept", kind=kind, sentence="It moved.", until="2024-10-03T00:00:00Z"
    )


def test_nothing_is_due_without_a_reason() -> None:
    assert due(Retrain(), QUIET).reasons == ()
    assert due(Retrain(), QUIET).held == ""


@pytest.mark.parametrize(
    ("rules", "situation", "expected"),
    [
        (Retrain(new_rows=500), replace(QUIET, new_rows=500), ["data"]),
        (Retrain(new_rows=500), replace(QUIET, new_rows=499), []),
        (Retrain(), replace(QUIET, new_rows=10**9), []),
        (Retrain(maximum_age="10d"), replace(QUIET, champion_at=NOW - 10 * DAY - 1), ["age"]),
        (Retrain(maximum_age="10d"), QUIET, []),
        (Retrain(maximum_age="10d"), replace(QUIET, champion="", champion_at=0.0), []),
        (Retrain(), replace(QUIET, failed=(failed("quality"), failed("inputs"))), ["decay", "drift"]),
        (Retrain(on_drift=False), replace(QUIET, failed=(failed("quality"), failed("scores"))), ["decay"]),
        (Retrain(on_decay=False), replace(QUIET, failed=(failed("quality"),)), []),
        (Retrain(), replace(QUIET, failed=(failed("service"), failed("traffic"), failed("ground_truth"))), []),
    ],
)
def test_triggers(rules: Retrain, situation: Situation, expected: list[str]) -> None:
    assert [trigger for trigger, _ in due(rules, situation).reasons] == expected


def test_a_freeze_window_holds_a_due_retraining() -> None:
    rules = Retrain(new_rows=1, freezes=[Freeze(why="closing the books", days=["friday"])])
    found = due(rules, replace(QUIET, new_rows=1))
    assert found.reasons and found.held == "Retraining is frozen: closing the books"
    assert due(rules, replace(QUIET, new_rows=1, now=NOW + DAY)).held == ""


@given(
    st.lists(st.tuples(st.floats(0, 60), st.floats(0, 7200)), max_size=20),
    st.integers(1, 10),
    st.none() | st.floats(1, 500),
)
def test_the_budget_is_used_up_exactly_when_its_span_cost_as_much(
    runs: list[tuple[float, float]], most: int, minutes: float | None
) -> None:
    past = tuple(PastRun(NOW - age * DAY, seconds) for age, seconds in runs)
    found = due(Retrain(budget=Budget(runs=most, minutes=minutes, every="30d")), replace(QUIET, runs=past))
    counted = [run for run in past if run.at > NOW - 30 * DAY]
    over = len(counted) >= most or (minutes is not None and sum(run.seconds for run in counted) >= minutes * 60)
    assert bool(found.held) == over
    assert found.spent.startswith(f"{len(counted)} of {most} runs")


@pytest.mark.parametrize(
    ("rules", "situation", "sentence"),
    [
        (Retrain(new_rows=500), replace(QUIET, new_rows=1200), "1,200 labelled rows are newer than v1.0.0 (trigger at 500)"),
        (Retrain(maximum_age="9d"), QUIET, "v1.0.0 is 10 days old (maximum age 9d)"),
        (Retrain(), replace(QUIET, failed=(failed("scores"),)),
         "scores-kept failed in production in the window until 2024-10-03T00:00:00Z: It moved"),
    ],
)  # fmt: skip
def test_each_reason_is_a_sentence_for_the_pull_request(rules: Retrain, situation: Situation, sentence: str) -> None:
    assert [said for _, said in due(rules, situation).reasons] == [sentence]


def evaluation(name: str, candidate: float, champion: float | None, *, same: bool = False) -> Evaluation:
    return replace(EVALUATION, metrics=(metric(name, candidate, champion),), identical_bytes=same)


MOVED, STEADY = drift(column("x", alarm=True), column("y")), drift(column("x"))


@pytest.mark.parametrize(
    ("cause", "found", "moved", "propose", "sentence"),
    [
        ("due", evaluation("auc", 0.75, 0.70), STEADY, True, "auc is better by 0.0500."),
        ("due", evaluation("auc", 0.75, 0.70), MOVED, True, "x drifted; auc is better by 0.0500."),
        ("due", evaluation("auc", 0.75, 0.74), STEADY, False, "auc is better by 0.0100, which is below minimum_gain (0.02)."),
        ("schedule", evaluation("auc", 0.70, 0.75), STEADY, False,
         "auc is worse by 0.0500, which is below minimum_gain (0.02)."),
        ("schedule", evaluation("log_loss", 0.40, 0.50), STEADY, True, "log_loss is better by 0.1000."),
        ("schedule", evaluation("log_loss", 0.50, 0.40), STEADY, False,
         "log_loss is worse by 0.1000, which is below minimum_gain (0.02)."),
        ("manual", evaluation("auc", 0.70, 0.75), STEADY, True, "Requested by a person; auc is worse by 0.0500."),
        ("drift", evaluation("auc", 0.75, 0.70), STEADY, False, "No column drifted."),
        ("drift", evaluation("auc", 0.75, 0.70), None, False, "No column drifted."),
        ("drift", evaluation("auc", 0.75, 0.70), MOVED, True, "x drifted; auc is better by 0.0500."),
        ("due", evaluation("auc", 0.75, None), STEADY, True, "There is no champion to compare with."),
        ("manual", evaluation("auc", 0.75, 0.75, same=True), MOVED, False,
         "The retraining gave the same bytes as the champion, so there is nothing to propose."),
    ],
)  # fmt: skip
def test_which_results_are_worth_a_review(
    cause: Cause, found: Evaluation, moved: Drift | None, propose: bool, sentence: str
) -> None:
    worth = worth_proposing(cause, found, moved, 0.02)
    assert (worth.propose, worth.sentence) == (propose, sentence)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.5), st.sampled_from(["auc", "log_loss"]))
def test_only_a_person_gets_a_proposal_below_the_minimum_gain(
    candidate: float, champion: float, minimum: float, name: str
) -> None:
    found = evaluation(name, candidate, champion)
    gain = candidate - champion if name == "auc" else champion - candidate
    for cause in ("schedule", "due"):
        worth = worth_proposing(cause, found, STEADY, minimum)
        assert worth.propose == (gain >= minimum) and worth.gain == pytest.approx(gain)
    assert worth_proposing("manual", found, STEADY, minimum).propose
