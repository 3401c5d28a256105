"""Served versions: alarms when nothing is wrong, and those that must come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from modelyard.gate.watches import false_alarm_rate, find_watch
from modelyard.manifests.policy import Policy
from modelyard.manifests.watches import (
    AnyWatch,
    ConfidenceWatch,
    InputsWatch,
    OutliersWatch,
    QualityWatch,
    ScoresWatch,
    ServiceWatch,
    TrafficWatch,
)
from modelyard.metrics.drift import measure_drift
from modelyard.metrics.evaluation import Holdout, compare
from modelyard.metrics.outliers import OutlierScore, outliers, row_shape
from modelyard.metrics.profile import ColumnProfile
from modelyard.metrics.scores import Floats
from modelyard.metrics.tally import ColumnValues, number_codes, profile_column, profile_table
from modelyard.metrics.thinning import kept_shares, thinned
from modelyard.metrics.window import Monitoring, Objective, Realised, burn, selection
from msgspec.structs import replace as replace_struct

from support.honesty.candidates import SETTINGS, logistic
from support.honesty.claim import Claim, Trial
from support.honesty.data import reference, series

UNTIL = 1_800_000_000.0
EMPTY = Monitoring(
    environment="production", version="v1.0.0", since="2026-05-01T00:00:00Z", until="2026-05-08T00:00:00Z", rows=10_000,
    served=(), days=(), burns=(), drift=None, outliers=None, confidence=None, estimate=None, expected=None,
    realised=None, accepted={},
)  # fmt: skip
SCORES = ScoresWatch(id="scores", why="w", maximum_distance=0.1)
QUALITY = QualityWatch(id="quality", why="w", metric="auc", margin=0.03, minimum_labels=500)
OUTLIERS = OutliersWatch(id="outliers", why="w", maximum_increase=0.03)
_FAST = ServiceWatch(id="slo", why="w", objective=0.99)
_SLOW = ServiceWatch(id="slo", why="w", objective=0.99, long="24h", short="2h", burn=3)
STATISTICAL: tuple[AnyWatch, ...] = (
    SCORES, QUALITY, OUTLIERS, InputsWatch(id="inputs", why="w", maximum_alarm_share=0.2),
    ConfidenceWatch(id="confidence", why="w"),
)  # fmt: skip
STANDARD = Policy(name="standard", description="d", checks=[], monitoring=[*STATISTICAL, TrafficWatch(id="t", why="w")])
WEEKLY = false_alarm_rate(STANDARD, STATISTICAL, EMPTY)
"""How seldom one of its rules may alarm in a week."""


def _outcome(watch: AnyWatch, monitoring: Monitoring) -> str:
    return find_watch(watch, monitoring, WEEKLY).outcome


def a_year_of_scores(per_day: int) -> Trial:
    """52 stationary weeks with day effects against one profile of half a year: whether each alarms."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        base = reference(rng, 1, 0.5, "score", per_day=60)
        values = series(rng, 364, per_day, 0.5).reshape(52, -1)
        alarms = []
        for week in values:
            current = profile_table([ColumnValues("c0", "float", week, "score")], base)
            drift = measure_drift(base, current, "v1.0.0", blocks=7)
            alarms.append(_outcome(SCORES, replace(EMPTY, drift=drift)) == "fail")
        return alarms

    return trial


def shifted_scores(shift: float) -> Trial:
    """A week of scores that moved by so many deviations: whether it alarms."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        base = reference(rng, 1, 0.2, "score", per_day=60)
        week = series(rng, 7, 200, 0.2) + shift
        drift = measure_drift(
            base, profile_table([ColumnValues("c0", "float", week, "score")], base), "v1.0.0", blocks=7
        )
        return [_outcome(SCORES, replace(EMPTY, drift=drift)) == "fail"]

    return trial


def _labels(rng: np.random.Generator, rows: int, noise: float = 0.0) -> tuple[Floats, Floats]:
    known = rng.normal(-1.2, 1.2, rows)
    return (rng.random(rows) < logistic(known)).astype(np.float64), logistic(known + rng.normal(0, noise, rows))


def quality(labelled_below: float, noise: float = 0.0, labels: int = 2000, held: int = 2000) -> Trial:
    """Realised AUC of a week in which only low scores get a label, against a baseline from held-out rows: whether it
    alarms.
    """

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        return [_outcome(QUALITY, _week(rng, labelled_below, noise, labels, held)) == "fail"]

    return trial


def weighed(noise: float) -> Trial:
    """The same with ten labels for each high score's one, and labelled rows kept to stand for all: whether it alarms."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        week = _week(rng, 0.35, noise, 8000, 4000, above=0.08)
        return [_outcome(replace_struct(QUALITY, missing_labels="weigh"), week) == "fail"]

    return trial


def selected(labelled_below: float) -> Trial:
    """Whether the window says that labels are missing not at random."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        sentence = find_watch(QUALITY, _week(rng, labelled_below, 0.0, 2000, 2000), WEEKLY).sentence
        return ["not at random" in sentence]

    return trial


def _week(
    rng: np.random.Generator, below: float, noise: float, labels: int, held: int, above: float = 0.0
) -> Monitoring:
    """Half of the rows with scores under ``below`` have a label, and a share ``above`` of the others."""
    before = compare(Holdout(*_labels(rng, held), None, {}, {}, None), "binary", SETTINGS, 100, 200)
    baseline = next(m.candidate for m in before.metrics if m.name == "auc") or 0.0
    label, score = _labels(rng, 3 * labels, noise)
    known = rng.random(label.size) < np.where(score < below, 0.5, above)
    after = compare(Holdout(label[known], score[known], None, {}, {}, None), "binary", SETTINGS, 100, 200)
    edges = np.linspace(0, 1, 21)
    arrived = np.array([np.histogram(score[which], edges)[0] for which in (known, ~known)])
    realised = Realised(
        due=label.size, labelled=int(known.sum()), missing=int((~known).sum()), oldest_missing_days=1.0,
        metrics=after.metrics, selection=selection(arrived, (edges[1:] + edges[:-1]) / 2),
    )  # fmt: skip
    if above:
        codes = np.clip(np.searchsorted(edges, score[known], side="right") - 1, 0, 19).astype(np.int64)
        shares = kept_shares(arrived)
        assert shares is not None
        kept = thinned(Holdout(label[known], score[known], None, {}, {}, None), codes, shares)
        found = compare(kept, "binary", SETTINGS, 100, 200).metrics
        realised = replace(realised, weighed=kept.label.size, weighed_metrics=found)
    return replace(EMPTY, realised=realised, accepted={"auc": baseline}, held_out=held)


def outage(watch: ServiceWatch, hours: float, rate: float = 0.002) -> Trial:
    """A day of 20 requests a minute with a full outage at a random time, judged at its end: whether it alarms."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        requests = rng.poisson(20, 1440).astype(np.float64)
        share = np.full(1440, rate)
        if hours:
            begin = int(rng.integers(0, 1440 - int(60 * hours)))
            share[begin : begin + int(60 * hours)] = 1.0
        bad = rng.binomial(requests.astype(np.int64), share).astype(np.float64)
        objective = Objective(watch.id, watch.objective, None, 3600 if watch is _FAST else 86400,
                              300 if watch is _FAST else 7200)  # fmt: skip
        found = burn(requests, bad, objective, UNTIL)
        return [_outcome(watch, replace(EMPTY, burns=(found,))) == "fail"]

    return trial


def _inputs(rng: np.random.Generator, rows: int, later: bool = False, broken: float = 0.0) -> dict[str, Floats]:
    """Twelve inputs that a level of the season moves together; later rows are further on, and one sensor may break."""
    season = np.linspace(0, 1, rows) * 0.3 + 0.3 * later
    common = rng.normal(size=rows)
    made = {f"x{i}": 0.5 * common + rng.normal(size=rows) + (season if i < 3 else 0.0) for i in range(12)}
    made["x5"] = np.where(rng.random(rows) < broken, 50.0, made["x5"])
    return {name: np.asarray(values, dtype=np.float64) for name, values in made.items()}


def outlier_rate(broken: float, event: str) -> Trial:
    """Held-out rows that are later than the training rows, and as many new ones: whether the rule alarms, and whether
    it names the sensor that broke.
    """

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        train = _inputs(rng, 5000)
        columns = [profile_column(ColumnValues(name, "float", values)) for name, values in train.items()]
        shape = row_shape(columns, _codes(columns, train), _codes(columns, _inputs(rng, 2000, True)))
        assert shape is not None
        score = OutlierScore(columns, shape)
        codes = _codes(columns, _inputs(rng, 2000, True, broken))
        far = np.flatnonzero(score.of_rows(codes) > score.limit)
        names = score.strongest({name: part[far] for name, part in codes.items()})
        found = outliers(far.size, 2000, {name: names.count(name) for name in set(names)})
        finding = find_watch(OUTLIERS, replace(EMPTY, outliers=found), WEEKLY)
        return [finding.outcome == "fail" if event == "alarm" else "x5 adds the most" in finding.sentence]

    return trial


def _codes(columns: Sequence[ColumnProfile], values: dict[str, Floats]) -> dict[str, np.ndarray]:
    return {column.name: number_codes(values[column.name], column) for column in columns}


CLAIMS = (
    *(
        Claim("monitoring", f"score drift, 52 stationary weeks with day effects, {per_day:,} a day: a week alarms", "at most", 1 / 52, a_year_of_scores(per_day), runs, few)
        for per_day, runs, few in ((200, 60, 3), (2000, 20, 0))
    ),
    Claim("monitoring", "score drift, a week with effects of 0.2 σ, scores moved by 1 σ: found", "at least", 0.9, shifted_scores(1.0), 60, 8),
    Claim("monitoring", "labels only for scores below 0.35, nothing wrong, a week: alarm", "at most", 0.001, quality(0.35), 60, 8),
    Claim("monitoring", "labels only for scores below 0.35: the report says that they are missing not at random", "at least", 0.99, selected(0.35), 60, 8),
    Claim("monitoring", "labels six times as seldom for scores above 0.35, weighed, nothing wrong, a week: alarm", "at most", 0.02, weighed(0.0), 60, 6),
    Claim("monitoring", "labels six times as seldom for scores above 0.35, weighed, AUC lower by 0.13: found", "at least", 0.9, weighed(2.0), 60, 6),
    Claim("monitoring", "half of all rows have a label: the report says that labels are missing not at random", "at most", 0.01, selected(2.0), 60, 8),
    Claim("monitoring", "quality of 2,000 held-out and 2,000 labelled rows, nothing wrong, a week: alarm", "at most", 0.02, quality(2.0), 100, 8),
    Claim("monitoring", "AUC lower by 0.13, 2,000 labels a week: found", "at least", 0.9, quality(2.0, 2.0), 60, 8),
    Claim("monitoring", "full outage of 4 h at a random time, judged daily, 24h/2h: found", "at least", 0.99, outage(_SLOW, 4), 150, 50),
    Claim("monitoring", "full outage of 4 h at a random time, judged daily, 1h/5m: found", "at least", 0.99, outage(_FAST, 4), 150, 50),
    Claim("monitoring", "0.2 % errors where 1 % is allowed, a day judged minute by minute: alarm", "at most", 0.005, outage(_SLOW, 0), 150, 50),
    Claim("monitoring", "0.5 % errors where 1 % is allowed, 1h/5m: alarm", "at most", 0.005, outage(_FAST, 0, 0.005), 150, 50),
    Claim("monitoring", "outlier rate of rows like the held-out ones, later than the training rows: alarm", "at most", 0.01, outlier_rate(0.0, "alarm"), 60, 5),
    Claim("monitoring", "a sensor that breaks for a fifth of the rows: its column is named", "at least", 0.9, outlier_rate(0.2, "named"), 60, 5),
)  # fmt: skip
