"""The candidate as it lies in this checkout: its files, and the tables its pipeline wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelyard.errors import ModelyardError
from modelyard.files import sha256_of
from modelyard.manifests.repository import ModelRepository
from modelyard.manifests.schema import Model
from modelyard.measure.evaluation import Evaluation, Holdout, compare
from modelyard.measure.leakage import Leakage, input_strengths, overlap
from modelyard.measure.scores import Floats
from modelyard.proposal.champion import FetchedVersion
from modelyard.scoring import load_scorer
from modelyard.tables import Table, TableFile, read_table


@dataclass(frozen=True)
class Candidate:
    """One model of this checkout."""

    model: Model
    folder: Path

    @classmethod
    def of(cls, repository: ModelRepository, name: str) -> Candidate:
        """The candidate of that name."""
        return cls(repository.model(name), repository.model_folder(name))

    @property
    def artifact(self) -> Path:
        """The model file."""
        return self.folder / self.model.files.artifact

    def sha256(self) -> str:
        """The artifact's digest; ModelyardError when the pipeline has not made it here."""
        if not self.artifact.is_file():
            raise ModelyardError(
                f"{self.artifact} is not there.", f"Run: modelyard retrain {self.model.name} (it pulls or makes it)."
            )
        return sha256_of(self.artifact)

    def holdout(self) -> Table:
        """The held-out rows with id, label, inputs, slices and block."""
        evaluation, contract = self.model.evaluation, self.model.contract
        table = self._table(self.model.files.holdout)
        extra = [*evaluation.slices, *evaluation.groups, *([evaluation.block] if evaluation.block else [])]
        table.require([contract.id, contract.label, *extra], "the contract in model.yaml")
        return table

    def predictions(self, holdout: Table) -> Floats:
        """The candidate's predictions in the order of the held-out rows."""
        contract = self.model.contract
        table = self._table(self.model.files.predictions, [contract.id, "prediction"])
        table.require([contract.id, "prediction"], "modelyard evaluate")
        scores = table.numbers("prediction")
        if not np.isfinite(scores).all():
            raise ModelyardError(
                f"{table.path} holds {int((~np.isfinite(scores)).sum())} predictions that are not numbers.",
                "Mend the predict stage.",
            )
        wanted, given = holdout.texts(contract.id), table.texts(contract.id)
        if wanted.size == given.size and bool((wanted == given).all()):
            return scores
        at = {identifier: i for i, identifier in enumerate(given)}
        if len(at) != given.size or set(at) != set(wanted):
            raise ModelyardError(
                f"{table.path} and {holdout.path} do not hold the same {contract.id} values once each.",
                "The predict stage must write one row for each held-out row.",
            )
        return scores[[at[identifier] for identifier in wanted]]

    def file(self, path: str) -> TableFile:
        """One of the tables that model.yaml names, to be read by column."""
        return TableFile(self._there(path))

    def training(self, columns: list[str] | None = None) -> Table:
        """The rows the candidate was trained on."""
        return self._table(self.model.files.training, columns)

    def _table(self, path: str, columns: list[str] | None = None) -> Table:
        return read_table(self._there(path), columns)

    def _there(self, path: str) -> Path:
        full = self.folder / path
        if not full.is_file():
            raise ModelyardError(f"{full} is not there.", f"Run: modelyard retrain {self.model.name}")
        return full


def evaluate(candidate: Candidate, champion: FetchedVersion | None) -> Evaluation:
    """Measures the candidate against the champion on the candidate's held-out rows."""
    model = candidate.model
    contract, settings = model.contract, model.evaluation
    table = candidate.holdout()
    if not table.rows:
        raise ModelyardError(f"{table.path} holds no row.", "Hold some rows out: look at the split in params.yaml.")
    label = _label(table, model)
    predictions = candidate.predictions(table)
    if model.task == "binary" and (predictions.min() < 0 or predictions.max() > 1):
        raise ModelyardError(
            f"Predictions of {model.name} reach from {predictions.min():g} to {predictions.max():g}.",
            "A binary model must predict probabilities from 0 to 1.",
        )
    notes = []
    theirs = None
    if champion is not None:
        table.require([c.name for c in champion.model.contract.inputs], f"the champion {champion.name}")
        theirs = load_scorer(champion.model, champion.artifact, candidate.folder).score_table(table)
    else:
        notes.append("A first version: there is no champion, so only absolute rules were applied.")
    comparison = compare(
        Holdout(
            label,
            predictions,
            theirs,
            {name: _levels(table, name) for name in settings.slices},
            {name: _levels(table, name) for name in settings.groups},
            table.codes(settings.block) if settings.block else None,
        ),
        model.task,
        contract.threshold,
        settings.minimum_support,
    )
    before = {c.name for c in champion.model.contract.inputs} if champion else {c.name for c in contract.inputs}
    after = {c.name for c in contract.inputs}
    return Evaluation(
        task=model.task,
        rows=table.rows,
        positives=int(label.sum()) if model.task == "binary" else None,
        threshold=contract.threshold,
        champion=champion.name if champion else None,
        identical_bytes=champion is not None and champion.sha256 == candidate.sha256(),
        metrics=comparison.metrics,
        slices=comparison.slices,
        fairness=comparison.fairness,
        calibration=comparison.calibration,
        champion_calibration=comparison.champion_calibration,
        flips=comparison.flips,
        leakage=_leakage(candidate, table, label),
        inputs_added=tuple(sorted(after - before)),
        inputs_removed=tuple(sorted(before - after)),
        notes=tuple(notes),
    )


def _leakage(candidate: Candidate, holdout: Table, label: Floats) -> Leakage:
    contract = candidate.model.contract
    holdout.require([c.name for c in contract.inputs], "the contract in model.yaml")
    columns = {c.name: holdout.values(c.name, c.type) for c in contract.inputs}
    strengths = input_strengths(columns, label) if candidate.model.task == "binary" else ()
    trained = candidate.training([contract.id])
    trained.require([contract.id], "the leakage check")
    return Leakage(strengths, overlap(trained.texts(contract.id), holdout.texts(contract.id)))


def _label(table: Table, model: Model) -> Floats:
    label = table.numbers(model.contract.label)
    if not np.isfinite(label).all():
        raise ModelyardError(
            f"Column {model.contract.label!r} of {table.path} has {int((~np.isfinite(label)).sum())} empty values.",
            "Hold out only rows whose outcome is known.",
        )
    if model.task == "binary" and not np.isin(label, (0, 1)).all():
        raise ModelyardError(
            f"Column {model.contract.label!r} of {table.path} holds values other than 0 and 1.",
            "A binary label is 0 or 1.",
        )
    return label


def _levels(table: Table, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.str_]]:
    return np.array(["(missing)" if value is None else value for value in table.texts(name)], dtype=np.str_)
