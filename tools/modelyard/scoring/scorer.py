"""A scorer of tables, the same for each flavor."""

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
    """A loaded artifact. It turns faults of the flavor into ModelyardErrors."""

    flavor: Flavor
    signature: Signature
    scorer: Scorer

    @classmethod
    def load(cls, model: Model, artifact: Path, folder: Path, version: str = "", threads: int = 0) -> LoadedArtifact:
        """The loaded artifact of a manifest; ``folder`` has the model's other files. The caller closes it."""
        flavor, signature = flavor_of(model), signature_of(model, version)
        with faults_as_errors(flavor, f"load {artifact.name}"):
            return cls(flavor, signature, flavor.load(artifact, signature, options_of(model, folder, threads)))

    def score(self, columns: Columns) -> Floats:
        """Scores (rows,), of a multiclass model (rows, classes), of canonical columns."""
        with faults_as_errors(self.flavor, "score"):
            return self.scorer.score(columns)

    def score_table(self, table: Table) -> Floats:
        """Scores of a table with the contract's inputs."""
        return self.score(table.columns(self.signature.inputs, f"the contract of {self.signature.model}"))

    def contributions(self, table: Table) -> dict[str, Floats] | None:
        """Input → its contribution to the raw score of each row (rows,); None if the flavor cannot explain scores."""
        if not isinstance(self.scorer, Explained):
            return None
        with faults_as_errors(self.flavor, "explain the scores"):
            return self.scorer.contributions(table.columns(self.signature.inputs, "the model"))

    def importance(self) -> dict[str, float]:
        """Input → its share of the model's importance, 0 to 1; empty if the flavor has none."""
        if not isinstance(self.scorer, Explained):
            return {}
        with faults_as_errors(self.flavor, "give the importance of inputs"):
            return self.scorer.importance()

    def close(self) -> None:
        """Ends the scorer's process, if it has one."""
        self.scorer.close()


@contextmanager
def loaded(model: Model, artifact: Path, folder: Path, version: str = "", threads: int = 0) -> Iterator[LoadedArtifact]:
    """The loaded artifact, closed when the context ends."""
    found = LoadedArtifact.load(model, artifact, folder, version, threads)
    try:
        yield found
    finally:
        found.close()


@contextmanager
def faults_as_errors(flavor: Flavor, doing: str) -> Iterator[None]:
    """Turns faults of a flavor and exceptions of its library into ModelyardErrors. ``doing`` follows "could not"."""
    try:
        yield
    except Fault as fault:
        raise ModelyardError(fault.problem, fault.remedy) from fault
    except ModelyardError:
        raise
    except Exception as error:
        library = flavor.packages[0] if flavor.packages else flavor.name
        first = (str(error).strip().splitlines() or [""])[0].rstrip(".")
        raise ModelyardError(
            f"{library} could not {doing}: {type(error).__name__}: {first}.",
            f"Try it with {library} alone in this environment to find the cause; --debug shows the traceback.",
        ) from error


def try_artifact(model: Model, artifact: Path, folder: Path) -> None:
    """ModelyardError when the reader of an artifact's format would refuse it, end its process or hang."""
    flavor, signature = flavor_of(model), signature_of(model, "")
    if flavor.own_code:
        return  # its own process reads it
    with faults_as_errors(flavor, f"read {artifact.name}"):
        flavor.check(artifact)
        if not flavor.checks_files:
            try_out(flavor, artifact, signature, options_of(model, folder, 1))


def prediction_columns(model: Model) -> list[str]:
    """The columns of predictions in a table: one, or one for each class."""
    return [f"prediction_{name}" for name in model.contract.classes] if model.task == "multiclass" else ["prediction"]


def stacked(table: Table, columns: list[str]) -> Floats:
    """Numbers (rows,) of one column, (rows, columns) of several."""
    found = [table.numbers(name) for name in columns]
    return found[0] if len(found) == 1 else np.column_stack(found)
