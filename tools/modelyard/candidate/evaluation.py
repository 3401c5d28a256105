"""Candidate against champion on the candidate's held-out rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from modelyard.candidate.files import Candidate
from modelyard.checkout.artifacts import FetchedVersion
from modelyard.errors import ModelyardError
from modelyard.flavors.discovery import load_scorer
from modelyard.flavors.interface import TableScorer, prediction_columns, stacked
from modelyard.flavors.lightgbm import LightGBMScorer
from modelyard.manifests.model import Model
from modelyard.metrics.evaluation import Evaluation, Holdout, compare
from modelyard.metrics.flips import Driver, FlippedRow, most_moved
from modelyard.metrics.folds import Stability, stability
from modelyard.metrics.leakage import Leakage, identical, input_strengths, overlap, row_hashes
from modelyard.metrics.scores import Floats, Settings, query_scores
from modelyard.metrics.slices import MISSING, Levels, levels_of_numbers
from modelyard.tables import Table, read_table

_DRIVERS = 3


def evaluate(candidate: Candidate, champion: FetchedVersion | None) -> Evaluation:
    """Measures the candidate, against the champion where there is one."""
    model = candidate.model
    settings, contract = model.evaluation, model.contract
    table = candidate.holdout()
    if not table.rows:
        raise ModelyardError(f"{table.path} holds no row.", "Hold some rows out: look at the split in params.yaml.")
    label = _label(table, model)
    predictions = candidate.predictions(table)
    _check_range(model, predictions)
    scorer: TableScorer | None = None
    theirs: Floats | None = None
    if champion is not None:
        table.require([c.name for c in champion.model.contract.inputs], f"the champion {champion.name}")
        scorer = load_scorer(champion.model, champion.artifact, candidate.folder)
        theirs = scorer.score_table(table)
    comparable = theirs is None or theirs.shape == predictions.shape
    slices = {name: levels_of(table, name) for name in settings.slices}
    comparison = compare(
        Holdout(
            label,
            predictions,
            theirs if comparable else None,
            slices,
            {name: levels_of(table, name) for name in settings.groups},
            table.codes(settings.block) if settings.block else None,
            table.codes(settings.query) if settings.query else None,
        ),
        model.task,
        settings_of(model),
        settings.minimum_support,
    )
    flips = comparison.flips
    if flips is not None and theirs is not None:
        flips = replace(flips, rows=_flipped_rows(candidate, scorer, table, label, predictions, theirs))
    before = {c.name for c in champion.model.contract.inputs} if champion else {c.name for c in contract.inputs}
    after = {c.name for c in contract.inputs}
    return Evaluation(
        task=model.task,
        rows=table.rows,
        positives=int(label.sum()) if model.task == "binary" else None,
        threshold=contract.threshold,
        champion=str(champion.name) if champion and comparable else None,
        identical_bytes=champion is not None and champion.sha256 == candidate.sha256(),
        metrics=comparison.metrics,
        slices=comparison.slices,
        fairness=comparison.fairness,
        calibration=comparison.calibration,
        champion_calibration=comparison.champion_calibration,
        flips=flips,
        leakage=_leakage(candidate, table, label),
        inputs_added=tuple(sorted(after - before)),
        inputs_removed=tuple(sorted(before - after)),
        notes=_notes(champion, comparable),
        stability=_stability(candidate),
    )


def settings_of(model: Model) -> Settings:
    """What the model's metrics depend on besides the rows."""
    settings = model.evaluation
    return Settings(model.contract.threshold, settings.precision, settings.quantile, settings.at)


def _notes(champion: FetchedVersion | None, comparable: bool) -> tuple[str, ...]:
    if champion is None:
        return ("A first version: there is no champion, so only absolute rules were applied.",)
    if not comparable:
        return (f"{champion.name} predicts other classes: it cannot be compared, so only absolute rules were applied.",)
    return ()


def _check_range(model: Model, predictions: Floats) -> None:
    if model.task in ("binary", "multiclass") and (predictions.min() < 0 or predictions.max() > 1):
        raise ModelyardError(
            f"Predictions of {model.name} reach from {predictions.min():g} to {predictions.max():g}.",
            f"A {model.task} model must predict probabilities from 0 to 1.",
        )


def _flipped_rows(
    candidate: Candidate, champion: TableScorer | None, table: Table, label: Floats, mine: Floats, theirs: Floats
) -> tuple[FlippedRow, ...]:
    """The rows that moved the most, with the inputs that moved them where both models can say it."""
    model = candidate.model
    rows = most_moved(mine, theirs, model.contract.threshold)
    if not rows.size:
        return ()
    # Evidence is kept for good, so it does not name whom a prediction log may not name.
    named = model.contract.personal_id == "no"
    ids = table.texts(model.contract.id)[rows] if named else [f"held-out row {row + 1}" for row in rows]
    part = table.take(rows)
    drivers: list[tuple[Driver, ...]] = [()] * rows.size
    if isinstance(champion, LightGBMScorer):
        scorer = load_scorer(model, candidate.artifact, candidate.folder)
        if isinstance(scorer, LightGBMScorer):
            drivers = _drivers(scorer.contributions(part), champion.contributions(part))
    return tuple(
        FlippedRow(str(ids[i]), float(label[row]), float(theirs[row]), float(mine[row]), drivers[i])
        for i, row in enumerate(rows.tolist())
    )


def _drivers(mine: dict[str, Floats], theirs: dict[str, Floats]) -> list[tuple[Driver, ...]]:
    names = sorted(mine.keys() | theirs.keys())
    rows = next(iter(mine.values())).size
    nothing = np.zeros(rows)
    changes = np.column_stack([mine.get(name, nothing) - theirs.get(name, nothing) for name in names])
    order = np.argsort(-np.abs(changes), axis=1, kind="stable")[:, :_DRIVERS]
    return [tuple(Driver(names[i], float(changes[row, i])) for i in order[row].tolist()) for row in range(rows)]


def _stability(candidate: Candidate) -> Stability | None:
    model = candidate.model
    if not model.files.folds:
        return None
    path = candidate.folder / model.files.folds
    if not path.is_file():
        raise ModelyardError(f"{path} is not there.", f"Run: modelyard retrain {model.name}, or leave files.folds out.")
    table = read_table(path)
    columns = prediction_columns(model)
    table.require(["fold", model.contract.label, *columns], "files.folds in model.yaml")
    names, codes = table.level_codes("fold")
    trained: tuple[int, ...] = ()
    if "trained_rows" in table.names:
        sizes = table.numbers("trained_rows")
        trained = tuple(int(sizes[codes == i].max()) for i in range(len(names)))
    shown = tuple(MISSING if name is None else name for name in names)
    label, prediction = _label(table, model), stacked(table, columns)
    if model.task == "ranking" and model.evaluation.query:
        table.require([model.evaluation.query], "evaluation.query in model.yaml")
        queries = table.codes(model.evaluation.query)
        prediction = query_scores(label, prediction, queries, model.evaluation.at)
        first = np.unique(queries, return_index=True)[1]
        label, codes = label[first], codes[first]
    return stability(label, prediction, shown, codes, model.task, settings_of(model), trained)


def _leakage(candidate: Candidate, holdout: Table, label: Floats) -> Leakage:
    contract = candidate.model.contract
    names = [c.name for c in contract.inputs]
    holdout.require(names, "the contract in model.yaml")
    columns = {c.name: holdout.values(c.name, c.type) for c in contract.inputs}
    strengths = input_strengths(columns, label) if candidate.model.task == "binary" else ()
    trained = candidate.training([contract.id, contract.label, *names])
    trained.require([contract.id], "the leakage check")
    same: int | None = None
    if set(names) <= set(trained.names) and contract.label in trained.names:
        label_type = "float" if trained.is_number(contract.label) else "string"
        kinds = [(c.name, c.type) for c in contract.inputs] + [(contract.label, label_type)]
        same = identical(*(row_hashes({n: t.values(n, k) for n, k in kinds}) for t in (trained, holdout)))
    return Leakage(strengths, overlap(trained.texts(contract.id), holdout.texts(contract.id)), same)


def _label(table: Table, model: Model) -> Floats:
    name = model.contract.label
    if model.task == "multiclass":
        at = {level: i for i, level in enumerate(model.contract.classes)}
        names, codes = table.level_codes(name)
        unknown = next((level for level in names if level not in at), model.contract.classes[0])
        if unknown not in at:
            raise ModelyardError(
                f"Column {name!r} of {table.path} holds {unknown!r}, which contract.classes does not name.",
                "Name all classes in model.yaml, and hold out only rows whose outcome is known.",
            )
        return np.array([at[level] for level in names if level is not None], dtype=np.float64)[codes]
    label = table.numbers(name)
    if not np.isfinite(label).all():
        raise ModelyardError(
            f"Column {name!r} of {table.path} has {int((~np.isfinite(label)).sum())} empty values.",
            "Hold out only rows whose outcome is known.",
        )
    if model.task == "binary" and not np.isin(label, (0, 1)).all():
        raise ModelyardError(
            f"Column {name!r} of {table.path} holds values other than 0 and 1.", "A binary label is 0 or 1."
        )
    return label


def levels_of(table: Table, name: str) -> Levels:
    """A column as rows are cut by it: texts by their levels, many numbers at their quartiles."""
    if table.is_number(name):
        return levels_of_numbers(table.numbers(name))
    names, codes = table.level_codes(name)
    return Levels(tuple(MISSING if level is None else level for level in names), codes)
