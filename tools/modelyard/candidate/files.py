"""The candidate's files in this checkout, and the tables that its pipeline wrote."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelyard.checkout.checkout import ModelView
from modelyard.errors import ModelyardError
from modelyard.files import sha256_of
from modelyard.flavors.signature import Signature
from modelyard.manifests.model import Model, reference_rows
from modelyard.metrics.held_out import HeldOut
from modelyard.metrics.scores import Floats
from modelyard.scoring.scorer import LoadedArtifact, loaded, prediction_columns, stacked
from modelyard.scoring.signature import signature_of
from modelyard.tables.file import TableFile, read_table
from modelyard.tables.table import Table

_LONGEST_NAME = 120


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
        """The artifact's sha256; ModelyardError when it is not in this checkout."""
        if not self.artifact.is_file():
            raise ModelyardError(
                f"The artifact {self.artifact} does not exist.",
                f"Run: modelyard retrain {self.model.name} (it pulls the artifact or builds it).",
            )
        return sha256_of(self.artifact)

    @property
    def signature(self) -> Signature:
        """The model's inputs and output."""
        return signature_of(self.model)

    def load(self, threads: int = 0) -> AbstractContextManager[LoadedArtifact]:
        """The loaded artifact; it is closed when the context ends."""
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

    def held_out(self, holdout: Table) -> HeldOut:
        """The identity of the held-out rows, and their number with the first and the last block."""
        contract, block = self.model.contract, self.model.evaluation.block
        ids, labels = holdout.texts(contract.id), holdout.texts(contract.label)
        lines = sorted(f"{i}\x1f{label}\n" for i, label in zip(ids, labels, strict=True))
        digest = hashlib.sha256("".join(lines).encode()).hexdigest()
        name = f"{holdout.rows:,} rows"
        if block:
            values = sorted({str(value) for value in holdout.texts(block)}, key=_in_order)
            name += f", {block} {values[0]}" + (f" to {values[-1]}" if len(values) > 1 else "")
        return HeldOut(digest, name[:_LONGEST_NAME])

    def predictions(self, holdout: Table) -> Floats:
        """The pipeline's predictions in the order of the held-out rows: (rows,), multiclass (rows, classes)."""
        contract = self.model.contract
        columns = prediction_columns(self.model)
        table = self._table(self.model.files.predictions, [contract.id, *columns])
        table.require([contract.id, *columns], "modelyard evaluate")
        scores = stacked(table, columns)
        if not np.isfinite(scores).all():
            raise ModelyardError(
                f"{table.path} has {int((~np.isfinite(scores)).sum())} predictions that are not finite numbers.",
                "Correct the predict stage.",
            )
        wanted, given = holdout.texts(contract.id), table.texts(contract.id)
        if wanted.size == given.size and bool((wanted == given).all()):
            return scores
        at = {identifier: i for i, identifier in enumerate(given)}
        if len(at) != given.size or set(at) != set(wanted):
            raise ModelyardError(
                f"{table.path} and {holdout.path} must have the same {contract.id} values, each once.",
                "Let the predict stage write one row for each held-out row.",
            )
        return scores[[at[identifier] for identifier in wanted]]

    def file(self, path: str) -> TableFile:
        """A table that model.yaml names, read by column."""
        return TableFile(self._there(path), self.model.contract.texts)

    @property
    def trained_here(self) -> bool:
        """Whether the pipeline of this repository trains it."""
        return self.model.trained == "here"

    def training(self, columns: list[str] | None = None) -> Table:
        """The rows the candidate was trained on; of one that was trained elsewhere, the held-out rows."""
        return self._table(reference_rows(self.model), columns)

    def _table(self, path: str, columns: list[str] | None = None) -> Table:
        return read_table(self._there(path), columns, self.model.contract.texts)

    def _there(self, path: str) -> Path:
        full = self.folder / path
        if not full.is_file():
            raise ModelyardError(f"The file {full} does not exist.", f"Run: modelyard retrain {self.model.name}")
        return full


def _in_order(value: str) -> tuple[bool, float, str]:
    """Numbers by value, before other texts."""
    try:
        return False, float(value), value
    except ValueError:
        return True, 0.0, value
