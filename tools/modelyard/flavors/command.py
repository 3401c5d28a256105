"""A model that brings its own program: a table in, a Parquet file of predictions out."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from modelyard.errors import ModelyardError
from modelyard.flavors.interface import Floats, prediction_columns, stacked
from modelyard.manifests.model import Model
from modelyard.tables import Table, read_table


@dataclass(frozen=True)
class CommandScorer:
    """A model that brings its own program: table in, a Parquet file with a ``prediction`` column out."""

    model: Model
    artifact: Path
    folder: Path

    def score_table(self, table: Table) -> Floats:
        """Runs the command of model.yaml in the model's folder; one prediction per row."""
        with tempfile.TemporaryDirectory(prefix="modelyard-") as scratch:
            output = Path(scratch) / "predictions.parquet"
            places = {"{model}": str(self.artifact), "{input}": str(table.path), "{output}": str(output)}
            command = [_fill(part, places) for part in self.model.scorer.command]
            try:
                done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
            except OSError as error:
                raise ModelyardError(
                    f"The scorer command of {self.model.name} cannot be run: {error.strerror}: {command[0]}.",
                    "Mend scorer.command in model.yaml.",
                ) from error
            if done.returncode or not output.is_file():
                last = (done.stderr.strip().splitlines() or ["it wrote no output"])[-1]
                raise ModelyardError(
                    f"The scorer command of {self.model.name} failed ({done.returncode}): {last}",
                    "Run it by hand in the model's folder; it is scorer.command in model.yaml.",
                )
            result = read_table(output)
            columns = prediction_columns(self.model)
            result.require(columns, "the scorer's output")
            scores = stacked(result, columns)
        if len(scores) != table.rows:
            raise ModelyardError(
                f"The scorer command of {self.model.name} gave {len(scores)} predictions for {table.rows} rows.",
                "It must keep the rows and their order.",
            )
        return scores


def _fill(part: str, places: dict[str, str]) -> str:
    for name, value in places.items():
        part = part.replace(name, value)
    return part
