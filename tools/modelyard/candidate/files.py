"""The candidate as it lies in this checkout: its files, and the tables its pipeline wrote."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelyard.checkout.checkout import ModelView
from modelyard.errors import ModelyardError
from modelyard.files import sha256_of
from modelyard.flavors.signature import Signature
from modelyard.manifests.model import Model
from modelyard.metrics.scores import Floats
from modelyard.scoring.scorer import LoadedArtifact, loaded, prediction_columns, stacked
from modelyard.scoring.signature import signature_of
from modelyard.tables.file import TableFile, read_table
from modelyard.tables.table import Table


@dataclass(frozen=True)
class Candidate:
    """One model of this checkout."""

    model: Model
    folder: Path

    @classmethod
    def of(cls, view: ModelView) -> Candidate:
        """The candidate of a model."""
        return cls(view.manifest, view.folder)

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

    @property
    def signature(self) -> Signature:
        """What the model takes and gives."""
        return signature_of(self.model)

    def load(self, threads: int = 0) -> AbstractContextManager[LoadedArtifact]:
        """The artifact, ready to score, for as long as the context lasts."""
        return loaded(self.model, self.artifact, self.folder, threads=threads)

    def holdout(self) -> Table:
        """The held-out rows with id, label, inputs, slices and block."""
        evaluation, contract = self.model.evaluation, self.model.contract
        table = self._table(self.model.files.holdout)
        table.require([contract.id, contract.label], "the contract in model.yaml")
        for field in ("slices", "groups"):
            table.require(getattr(evaluation, field), f"evaluation.{field} in model.yaml")
        for field in ("block", "query"):
            if name := getattr(evaluation, field):
                table.require([name], f"evaluation.{field} in model.yaml")
        return table

    def predictions(self, holdout: Table) -> Floats:
        """What the pipeline predicted, in the order of the held-out rows: (rows,), multiclass (rows, classes)."""
        contract = self.model.contract
        columns = prediction_columns(self.model)
        table = self._table(self.model.files.predictions, [contract.id, *columns])
        table.require([contract.id, *columns], "modelyard evaluate")
        scores = stacked(table, columns)
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
        return TableFile(self._there(path), self.model.contract.texts)

    def training(self, columns: list[str] | None = None) -> Table:
        """The rows the candidate was trained on."""
        return self._table(self.model.files.training, columns)

    def _table(self, path: str, columns: list[str] | None = None) -> Table:
        return read_table(self._there(path), columns, self.model.contract.texts)

    def _there(self, path: str) -> Path:
        full = self.folder / path
        if not full.is_file():
            raise ModelyardError(f"{full} is not there.", f"Run: modelyard retrain {self.model.name}")
        return full
