from __future__ import annotations

import fairlearn.metrics as fairlearn
import numpy as np
import pytest
from modelyard.metrics.curves import calibration
from modelyard.metrics.evaluation import Holdout, compare
from modelyard.metrics.intervals import Resampling
from modelyard.metrics.leakage import input_strengths, overlap
from modelyard.metrics.scores import Floats, Settings, auc
from modelyard.metrics.slices import Levels
from sklearn import metrics as sk

RESAMPLING = Resampling(20_000, None, 1)


def rows(n: int, seed: int = 0, ties: bool = False) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < 0.3).astype(float)
    first = np.clip(0.3 + 0.2 * label + 0.2 * rng.normal(size=n), 0, 1)
    second = np.clip(0.3 + 0.1 * label + 0.2 * rng.normal(size=n), 0, 1)
    return label, np.round(first, 1) if ties else first, second


def holdout(label: Floats, first: Floats, second: Floats | None, **columns: object) -> Holdout:
    return Holdout(label, first, second, columns.get("slices", {}), columns.get("groups", {}), columns.get("blocks"))  # type: ignore[arg-type]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [10, 1001])
def test_binary_metrics_equal_scikit_learn(n: int, ties: bool) -> None:
    label, first, _ = rows(n, ties=ties)
    label[:2] = (0, 1)
    result = {m.name: m.candidate for m in compare(holdout(label, first, None), "binary", Settings(0.4), 50).metrics}
    decided = first >= 0.4
    expected = {
        "auc": sk.roc_auc_score(label, first),
        "log_loss": sk.log_loss(label, first),
        "brier": sk.brier_score_loss(label, first),
        "accuracy": sk.accuracy_score(label, decided),
        "f1": sk.f1_score(label, decided),
        "precision": sk.precision_score(label, decided),
        "recall": sk.recall_score(label, decided),
        "average_precision": sk.average_precision_score(label, first),
        "recall_at_precision": max(
            recall
            for precision, recall, _ in zip(*sk.precision_recall_curve(label, first), strict=False)
            if precision >= 0.9
        )
        if n > 10
        else result["recall_at_precision"],
    }
    assert result == pytest.approx(expected, rel=1e-9)


def test_regression_metrics_equal_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    label, first = rng.normal(size=500), rng.normal(size=500)
    result = {
        m.name: m.candidate
        for m in compare(holdout(label, first, None), "regression", Settings(quantile=0.8), 50).metrics
    }
    expected = {
        "mae": sk.mean_absolute_error(label, first),
        "rmse": sk.root_mean_squared_error(label, first),
        "r2": sk.r2_score(label, first),
        "pinball": sk.mean_pinball_loss(label, first, alpha=0.8),
    }
    assert result == pytest.approx(expected, rel=1e-9)


def test_multiclass_metrics_equal_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    label = rng.integers(0, 3, 700).astype(float)
    first = rng.dirichlet([1, 1, 1], 700)
    first[np.arange(700), label.astype(int)] += 0.3
    first /= first.sum(axis=1, keepdims=True)
    second = rng.dirichlet([1, 1, 1], 700)
    found = compare(holdout(label, first, second), "multiclass", Settings(), 50).metrics
    expected = {
        "log_loss": sk.log_loss(label, first),
        "brier": sk.brier_score_loss(label, first, scale_by_half=False),
        "accuracy": sk.accuracy_score(label, first.argmax(axis=1)),
        "macro_f1": sk.f1_score(label, first.argmax(axis=1), average="macro"),
    }
    assert {m.name: m.candidate for m in found} == pytest.approx(expected, rel=1e-9)
    assert all(m.interval and (m.interval.low > 0) == m.higher_is_better for m in found), "the candidate is better"


@pytest.mark.parametrize("ties", [False, True])
def test_ranking_metrics_equal_scikit_learn(ties: bool) -> None:
    rng = np.random.default_rng(2)
    query = np.repeat(np.arange(60), 15)
    relevance = rng.integers(0, 3, query.size).astype(float)
    first = relevance + rng.normal(0, 2, query.size)
    first = np.round(first) if ties else first
    made = Holdout(relevance, first, rng.normal(size=query.size), {}, {}, None, query)
    found = {m.name: m for m in compare(made, "ranking", Settings(at=5), 10).metrics}
    shape = (60, 15)
    assert found["ndcg"].candidate == pytest.approx(
        sk.ndcg_score(relevance.reshape(shape), first.reshape(shape), k=5), rel=1e-9
    )
    assert found["ndcg"].interval and found["ndcg"].interval.low > 0
    if not ties:  # at the query's full length AP@k is scikit-learn's average precision
        whole = {m.name: m.candidate for m in compare(made, "ranking", Settings(at=15), 10).metrics}
        each = [sk.average_precision_score(relevance[query == q] > 0, first[query == q]) for q in range(60)]
        assert whole["map"] == pytest.approx(np.mean(each), rel=1e-9)


def test_one_class_is_undefined_and_three_rows_have_no_tight_interval() -> None:
    one_class = compare(holdout(np.ones(50), np.linspace(0, 1, 50), np.linspace(0, 1, 50)), "binary", Settings(0.5), 10)
    assert one_class.metrics[0].candidate is None and one_class.metrics[0].interval is None
    three = compare(
        holdout(np.array([0.0, 1, 1]), np.array([0.1, 0.9, 0.4]), np.array([0.2, 0.8, 0.5])),
        "binary",
        Settings(0.5),
        10,
    )
    assert three.metrics[0].interval is None
    assert auc(np.array([]), np.array([])) is None


@pytest.mark.parametrize("blocked", [False, True])
def test_intervals_have_about_their_nominal_coverage(blocked: bool) -> None:
    covered = {"auc": 0, "brier": 0}
    trials = 120
    for seed in range(trials):
        label, first, second = rows(600, seed)
        blocks = np.arange(600) // 12 if blocked else None
        result = compare(holdout(label, first, second, blocks=blocks), "binary", Settings(0.4), 50)
        truth = {"auc": 0.12235, "brier": -0.03224}  # of the same generator on 2,000,000 rows
        for metric in result.metrics:
            if metric.name in covered:
                assert metric.interval is not None
                covered[metric.name] += metric.interval.low <= truth[metric.name] <= metric.interval.high
    for name, count in covered.items():
        assert 0.9 <= count / trials <= 1.0, (name, count / trials)


def test_dependent_rows_widen_the_interval() -> None:
    label, first, second = (np.repeat(part, 10) for part in rows(200, 3))
    free = compare(holdout(label, first, second), "binary", Settings(0.4), 50).metrics
    blocked = compare(holdout(label, first, second, blocks=np.arange(2000) // 10), "binary", Settings(0.4), 50).metrics
    for loose, honest in zip(free, blocked, strict=True):
        assert loose.interval and honest.interval
        ratio = (honest.interval.high - honest.interval.low) / (loose.interval.high - loose.interval.low)
        assert 2.3 < ratio < 4.2, (loose.name, ratio)  # √10 = 3.16


def test_the_same_rows_give_the_same_results() -> None:
    label, first, second = rows(5000, 2)
    assert compare(holdout(label, first, second), "binary", Settings(0.4), 50) == compare(
        holdout(label, first, second), "binary", Settings(0.4), 50
    )


def test_slices_below_the_support_are_not_judged() -> None:
    label, first, second = rows(500, 2)
    part = np.array(["big"] * 480 + ["tiny"] * 20)
    big, tiny = compare(
        holdout(label, first, second, slices={"c": Levels.of(part.tolist())}), "binary", Settings(0.4), 50
    ).slices
    assert big.sufficient and big.metrics and not tiny.sufficient and tiny.metrics == ()


def test_fairness_gaps_are_fairlearns_definitions() -> None:
    label, first, second = rows(4000, 5)
    group = np.array(["a", "b"] * 2000)
    first = np.where(group == "a", np.clip(first + 0.1, 0, 1), first)
    fairness = compare(
        holdout(label, first, second, groups={"g": Levels.of(group.tolist())}), "binary", Settings(0.4), 50
    ).fairness[0]
    decided = first >= 0.4
    selection = [decided[group == g].mean() for g in "ab"]
    tpr = [decided[(group == g) & (label == 1)].mean() for g in "ab"]
    fpr = [decided[(group == g) & (label == 0)].mean() for g in "ab"]
    gaps = {gap.measure: gap.candidate for gap in fairness.gaps}
    assert gaps["demographic_parity_difference"] == pytest.approx(abs(selection[0] - selection[1]))
    for measure, value in gaps.items():
        theirs = getattr(fairlearn, measure)(label, decided, sensitive_features=group)
        assert value == pytest.approx(theirs, rel=1e-9)
    assert gaps["equal_opportunity_difference"] == pytest.approx(abs(tpr[0] - tpr[1]))
    assert gaps["equalized_odds_difference"] == pytest.approx(max(abs(tpr[0] - tpr[1]), abs(fpr[0] - fpr[1])))
    for gap in fairness.gaps:
        assert gap.interval and gap.interval.low <= (gap.candidate or 0) <= gap.interval.high
        assert gap.change_interval and gap.change_interval.low <= (gap.change or 0) <= gap.change_interval.high


def test_a_group_without_positives_is_not_judged() -> None:
    label, first, second = rows(1000, 5)
    group = np.where(label == 1, "a", np.array(["a", "b"] * 500))
    fairness = compare(
        holdout(label, first, second, groups={"g": Levels.of(group.tolist())}), "binary", Settings(0.4), 50
    ).fairness[0]
    assert fairness.gaps == () and not fairness.groups[1].sufficient


def test_calibration_of_a_perfect_and_of_an_overconfident_model() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(20000)
    label = (rng.random(20000) < p).astype(float)
    good, bad = calibration(label, p, RESAMPLING), calibration(label, np.clip(p + 0.2, 0, 1), RESAMPLING)
    assert good and good.expected_error < 0.02 and sum(b.rows for b in good.bins) == 20000
    assert good.interval and 0 < good.interval.low < good.interval.high < 0.03
    assert good.brier and bad and bad.brier and bad.brier.reliability > 10 * good.brier.reliability
    whole = good.brier.reliability - good.brier.resolution + good.brier.uncertainty
    assert whole == pytest.approx(sk.brier_score_loss(label, p), abs=0.002), "but for the spread within bins"
    assert bad and 0.15 < bad.expected_error < 0.21


def test_a_leaked_input_has_a_high_auc_and_noise_has_not() -> None:
    rng = np.random.default_rng(0)
    label = (rng.random(4000) < 0.3).astype(float)
    found = {
        s.name: s.auc
        for s in input_strengths(
            {
                "leak": label * 10 + rng.normal(size=4000),
                "u_shaped": np.where(label == 1, rng.choice([-3.0, 3.0], 4000), rng.normal(size=4000)),
                "noise": rng.normal(size=4000),
                "unique_text": np.array([f"row{i}" for i in range(4000)], dtype=object),
                "all_null": np.full(4000, np.nan),
            },
            label,
        )
    }
    assert found["leak"] and found["leak"] > 0.99
    assert found["u_shaped"] and found["u_shaped"] > 0.9
    assert found["noise"] and found["noise"] < 0.56
    assert found["unique_text"] == 0.5 and found["all_null"] == 0.5
    assert overlap(np.array(["a", "b"]), np.array(["b", "c"])) == 1
