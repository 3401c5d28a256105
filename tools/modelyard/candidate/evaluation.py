"""Candidate against champion on the candidate's held-out rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from modelyard.candidate.files import Candidate
from modelyard.candidate.holdout import holdout_change, holdout_notes
from modelyard.candidate.notes import champion_notes, contract_notes, origin_notes
from modelyard.checkout.artifacts import FetchedVersion
from modelyard.errors import ModelyardError
from modelyard.flavors.probe import Probe
from modelyard.flavors.signature import Input, Kind
from modelyard.flavors.values import Column, Columns
from modelyard.manifests.model import Model, declared
from modelyard.metrics.evaluation import BaselineResult, Evaluation, Holdout, MetricResult, compare
from modelyard.metrics.flips import Driver, FlippedRow, most_moved
from modelyard.metrics.folds import Stability, stability
from modelyard.metrics.leakage import Leakage, identical, input_strengths, overlap, row_hashes
from modelyard.metrics.scores import Floats, Settings, query_scores
from modelyard.metrics.slices import MISSING, Levels, levels_of_numbers
from modelyard.scoring.comparison import difference, require_none
from modelyard.scoring.probe import ask, choose_probe, require_same
from modelyard.scoring.scorer import LoadedArtifact, loaded, prediction_columns, stacked
from modelyard.tables.file import read_table
from modelyard.tables.table import Table

_DRIVERS = 3


@dataclass(frozen=True)
class Evaluated:
    """The evaluation of a candidate, and its probe rows."""

    evaluation: Evaluation
    probe: Probe


def evaluate(
    candidate: Candidate, champion: FetchedVersion | None, baselines: Mapping[str, FetchedVersion] | None = None
) -> Evaluated:
    """Scores the held-out rows with the artifact and measures these scores, against the champion's where there is one.

    ModelyardError when the pipeline's own predictions are not what the artifact gives.
    """
    table = candidate.holdout()
    if not table.rows:
        raise ModelyardError(
            f"{table.path} has no rows.", "Let the pipeline hold rows out; see the split in params.yaml."
        )
    with candidate.load() as scorer, ExitStack() as stack:
        opponent = stack.enter_context(_champion(champion, table)) if champion else None
        found = _evaluated(candidate, scorer, champion, opponent, table)
        against = tuple(
            BaselineResult(name, str(version.name), _against(candidate, scorer, version, table))
            for name, version in (baselines or {}).items()
        )
        return replace(found, evaluation=replace(found.evaluation, baselines=against))


def _against(
    candidate: Candidate, scorer: LoadedArtifact, version: FetchedVersion, table: Table
) -> tuple[MetricResult, ...]:
    """The metrics of the candidate against one more version."""
    model = candidate.model
    predictions = scorer.score(table.columns(candidate.signature.inputs, "the contract in model.yaml"))
    with _champion(version, table) as other:
        theirs = other.score_table(table)
    if theirs.shape != predictions.shape:
        raise ModelyardError(
            f"{version.name} predicts other classes and cannot be a baseline.", "Name a later version in the policy."
        )
    blocks = table.codes(model.evaluation.block) if model.evaluation.block else None
    queries = table.codes(model.evaluation.query) if model.evaluation.query else None
    rows = Holdout(label_of(table, model), predictions, theirs, {}, {}, blocks, queries)
    return compare(rows, model.task, settings_of(model), model.evaluation.minimum_support).metrics


def _evaluated(
    candidate: Candidate,
    scorer: LoadedArtifact,
    champion: FetchedVersion | None,
    opponent: LoadedArtifact | None,
    table: Table,
) -> Evaluated:
    model = candidate.model
    settings, contract = model.evaluation, model.contract
    label = label_of(table, model)
    columns = table.columns(candidate.signature.inputs, "the contract in model.yaml")
    predictions = scorer.score(columns)
    check_range(model, predictions)
    _require_agreement(candidate, table, columns, predictions, scorer.flavor.tolerance)
    theirs = opponent.score_table(table) if opponent else None
    comparable = theirs is None or theirs.shape == predictions.shape
    inputs = candidate.signature
    change = holdout_change(candidate, champion, table) if champion else None
    slices = {name: levels_of(table, name, inputs.input(name)) for name in settings.slices}
    comparison = compare(
        Holdout(
            label,
            predictions,
            theirs if comparable else None,
            slices,
            {name: levels_of(table, name, inputs.input(name)) for name in settings.groups},
            table.codes(settings.block) if settings.block else None,
            table.codes(settings.query) if settings.query else None,
        ),
        model.task,
        settings_of(model),
        settings.minimum_support,
    )
    flips = comparison.flips
    if flips is not None and theirs is not None:
        flips = replace(flips, rows=_flipped_rows(model, (scorer, opponent), table, label, (predictions, theirs)))
    before = {c.name for c in champion.model.contract.inputs} if champion else {c.name for c in contract.inputs}
    after = {c.name for c in contract.inputs}
    evaluation = Evaluation(
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
        leakage=_leakage(candidate, table, columns, label),
        inputs_added=tuple(sorted(after - before)),
        inputs_removed=tuple(sorted(before - after)),
        held_out=candidate.held_out(table),
        notes=(
            *origin_notes(candidate),
            *champion_notes(champion, comparable),
            *holdout_notes(change),
            *contract_notes(candidate, columns),
        ),
        stability=_stability(candidate),
        smallest_class=_smallest_class(model, label),
        declared=tuple(sorted(declared(model))),
        holdout_change=change,
    )
    return Evaluated(evaluation, choose_probe(model, columns, predictions, scorer))


@contextmanager
def _champion(champion: FetchedVersion, table: Table) -> Iterator[LoadedArtifact]:
    """The champion's scorer, after its probe rows got the registered scores."""
    what = f"the champion {champion.name}"
    table.require([c.name for c in champion.model.contract.inputs], what)
    with loaded(champion.model, champion.artifact, champion.folder, str(champion.name)) as found:
        if champion.probe is not None:
            require_same(ask(found, champion.probe), what)
        yield found


def _require_agreement(candidate: Candidate, table: Table, columns: Columns, scores: Floats, tolerance: float) -> None:
    """Raises when the pipeline's predictions are not the artifact's scores: only the artifact is served."""
    model = candidate.model
    found = difference(scores, candidate.predictions(table), columns, candidate.signature.inputs, tolerance)
    if found is None:
        return
    if model.contract.personal_id == "no":
        names = [f"{model.contract.id} {name}" for name in table.texts(model.contract.id)]
    else:
        names = [f"row {row + 1}" for row in range(table.rows)]
    require_none(found, model.name, model.files.predictions, names)


def settings_of(model: Model) -> Settings:
    """The settings of the metrics, from the manifest."""
    settings = model.evaluation
    return Settings(model.contract.threshold, settings.precision, settings.quantile, settings.at)


def _smallest_class(model: Model, label: Floats) -> int | None:
    if model.task not in ("binary", "multiclass"):
        return None
    classes = 2 if model.task == "binary" else len(model.contract.classes)
    return int(np.bincount(label.astype(np.int64), minlength=classes).min())


def check_range(model: Model, predictions: Floats) -> None:
    """ModelyardError for scores that are no probabilities, of a model that must give them."""
    if model.task in ("binary", "multiclass") and (predictions.min() < 0 or predictions.max() > 1):
        raise ModelyardError(
            f"Predictions of {model.name} are between {predictions.min():g} and {predictions.max():g}.",
            f"A {model.task} model must predict probabilities from 0 to 1.",
        )


def _flipped_rows(
    model: Model,
    scorers: tuple[LoadedArtifact, LoadedArtifact | None],
    table: Table,
    label: Floats,
    scores: tuple[Floats, Floats],
) -> tuple[FlippedRow, ...]:
    """The rows with the largest change, with the inputs that caused it where both flavors can explain scores."""
    mine, theirs = scores
    rows = most_moved(mine, theirs, model.contract.threshold)
    if not rows.size:
        return ()
    # Evidence is kept permanently, so it has no id that the prediction log must hide.
    named = model.contract.personal_id == "no"
    ids = table.texts(model.contract.id)[rows] if named else [f"held-out row {row + 1}" for row in rows]
    part = table.take(rows)
    drivers: list[tuple[Driver, ...]] = [()] * rows.size
    parts = [scorer.contributions(part) if scorer else None for scorer in scorers]
    if parts[0] is not None and parts[1] is not None:
        drivers = _drivers(parts[0], parts[1])
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
        raise ModelyardError(
            f"The file {path} does not exist.",
            f"Run: modelyard retrain {model.name}, or remove files.folds from model.yaml.",
        )
    table = read_table(path)
    columns = prediction_columns(model)
    table.require(["fold", model.contract.label, *columns], "files.folds in model.yaml")
    names, codes = table.text_codes("fold")
    trained: tuple[int, ...] = ()
    if "trained_rows" in table.names:
        sizes = table.numbers("trained_rows")
        trained = tuple(int(sizes[codes == i].max()) for i in range(len(names)))
    shown = tuple(MISSING if name is None else name for name in names)
    label, prediction = label_of(table, model), stacked(table, columns)
    if model.task == "ranking" and model.evaluation.query:
        table.require([model.evaluation.query], "evaluation.query in model.yaml")
        queries = table.codes(model.evaluation.query)
        prediction = query_scores(label, prediction, queries, model.evaluation.at)
        first = np.unique(queries, return_index=True)[1]
        label, codes = label[first], codes[first]
    return stability(label, prediction, shown, codes, model.task, settings_of(model), trained)


def _leakage(candidate: Candidate, holdout: Table, columns: Columns, label: Floats) -> Leakage:
    contract, inputs = candidate.model.contract, candidate.signature.inputs
    names = [c.name for c in inputs]
    flat = {name: np.asarray(part) for c in inputs for name, part in _flat(c, columns[c.name])}
    strengths = input_strengths(flat, label) if candidate.model.task == "binary" else ()
    if not candidate.trained_here:
        return Leakage(strengths, None)
    trained = candidate.training([contract.id, contract.label, *names])
    trained.require([contract.id], "the leakage check")
    same: int | None = None
    if set(names) <= set(trained.names) and contract.label in trained.names:
        kind: Kind = "float" if trained.is_number(contract.label) else "string"
        compared = (*inputs, Input(contract.label, kind))
        same = identical(*(_hashes(table, compared) for table in (trained, holdout)))
    return Leakage(strengths, overlap(trained.texts(contract.id), holdout.texts(contract.id)), same)


def _flat(column: Input, values: Column) -> Iterator[tuple[str, Column]]:
    """An input as columns of one value a row."""
    if column.kind != "vector":
        yield column.name, values
        return
    numbers = np.asarray(values)
    for i in range(column.length):
        yield f"{column.name}[{i}]", np.ascontiguousarray(numbers[:, i])


def _hashes(table: Table, columns: tuple[Input, ...]) -> NDArray[np.uint64]:
    return row_hashes({name: np.asarray(part) for c in columns for name, part in _flat(c, table.values(c))})


def label_of(table: Table, model: Model) -> Floats:
    """The label as numbers (rows,): 0 and 1, the place in contract.classes, or the value itself."""
    name = model.contract.label
    if model.task == "multiclass":
        at = {level: i for i, level in enumerate(model.contract.classes)}
        names, codes = table.text_codes(name)
        unknown = next((level for level in names if level not in at), model.contract.classes[0])
        if unknown not in at:
            raise ModelyardError(
                f"Column {name!r} of {table.path} has the value {unknown!r}, which contract.classes does not list.",
                "List all classes in model.yaml, and hold out only rows with a known label.",
            )
        return np.array([at[level] for level in names if level is not None], dtype=np.float64)[codes]
    label = table.numbers(name)
    if not np.isfinite(label).all():
        raise ModelyardError(
            f"Column {name!r} of {table.path} has {int((~np.isfinite(label)).sum())} empty values.",
            "Hold out only rows with a known label.",
        )
    if model.task == "binary" and not np.isin(label, (0, 1)).all():
        raise ModelyardError(
            f"Column {name!r} of {table.path} has values other than 0 and 1.",
            "Let the pipeline write a binary label as 0 or 1.",
        )
    return label


def levels_of(table: Table, name: str, column: Input | None = None) -> Levels:
    """A column cut into slices: texts by their levels, many numbers at their quartiles.

    ``column`` says how an input is read; the type of another column follows from its values.
    """
    if column is not None and column.kind != "string":
        if column.kind == "boolean" or column.categories:
            names, codes = table.levels(column)
            return Levels(tuple(MISSING if level is None else level for level in names), codes)
        return levels_of_numbers(table.scalars(column))
    if table.is_number(name):
        return levels_of_numbers(table.numbers(name))
    names, codes = table.text_codes(name)
    return Levels(tuple(MISSING if level is None else level for level in names), codes)
