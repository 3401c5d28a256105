"""A version that scores tables, whatever its flavor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelyard.errors import ModelyardError
from modelyard.flavors.interface import Explained, Fault, Flavor, Scorer
from modelyard.flavors.signature import Signature
from modelyard.flavors.trial import try_out
from modelyard.flavors.values import Columns, Floats
from modelyard.manifests.model import Model
from modelyard.scoring.signature import flavor_of, options_of, signature_of
from modelyard.tables.table import Table


@dataclass(frozen=True)
class LoadedArtifact:
    """One artifact, loaded. Faults of its flavor become ModelyardErrors here."""

    flavor: Flavor
    signature: Signature
    scorer: Scorer

    @classmethod
    def load(cls, model: Model, artifact: Path, folder: Path, version: str = "", threads: int = 0) -> LoadedArtifact:
        """The artifact of a manifest; ``folder`` holds the model's other files. Close it when it is done with."""
        flavor, signature = flavor_of(model), signature_of(model, version)
        with told():
            return cls(flavor, signature, flavor.load(artifact, signature, options_of(model, folder, threads)))

    def score(self, columns: Columns) -> Floats:
        """Scores (rows,), of a multiclass model (rows, classes), of canonical columns."""
        with told():
            return self.scorer.score(columns)

    def score_table(self, table: Table) -> Floats:
        """The same of a table that holds the contract's inputs."""
        return self.score(table.columns(self.signature.inputs, f"the contract of {self.signature.model}"))

    def contributions(self, table: Table) -> dict[str, Floats] | None:
        """Input → its part in the raw score of each row (rows,); None where the flavor cannot tell."""
        if not isinstance(self.scorer, Explained):
            return None
        with told():
            return self.scorer.contributions(table.columns(self.signature.inputs, "the model"))

    def importance(self) -> dict[str, float]:
        """Input → its share of the model's importance, 0 to 1; empty where the flavor cannot tell."""
        if not isinstance(self.scorer, Explained):
            return {}
        with told():
            return self.scorer.importance()

    def close(self) -> None:
        """Ends what the scorer holds."""
        self.scorer.close()


@contextmanager
def loaded(model: Model, artifact: Path, folder: Path, version: str = "", threads: int = 0) -> Iterator[LoadedArtifact]:
    """The same, closed afterwards."""
    found = LoadedArtifact.load(model, artifact, folder, version, threads)
    try:
        yield found
    finally:
        found.close()


@contextmanager
def told() -> Iterator[None]:
    """Turns a flavor's faults into the errors that commands show."""
    try:
        yield
    except Fault as fault:
        raise ModelyardError(fault.problem, fault.remedy) from fault


def try_artifact(model: Model, artifact: Path, folder: Path) -> None:
    """ModelyardError when the reader of an artifact's format would refuse it, end its process or hang."""
    flavor, signature = flavor_of(model), signature_of(model, "")
    if flavor.own_code:
        return  # its own process reads it
    with told():
        if flavor.checks_files:
            flavor.check(artifact)
        else:
            try_out(flavor, artifact, signature, options_of(model, folder, 1))


def prediction_columns(model: Model) -> list[str]:
    """Where predictions are in a table: one column, or one for each class."""
    return [f"prediction_{name}" for name in model.contract.classes] if model.task == "multiclass" else ["prediction"]


def stacked(table: Table, columns: list[str]) -> Floats:
    """Numbers (rows,) of one column, (rows, columns) of several."""
    found = [table.numbers(name) for name in columns]
    return found[0] if len(found) == 1 else np.column_stack(found)
