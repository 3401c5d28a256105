"""A model with its own program, which reads a Parquet file of rows and writes one of predictions. Batches only."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .frames import arrow_table
from .interface import Fault, Flavor, Options, as_scores, empty
from .signature import Signature
from .values import Columns, Floats


class Command(Flavor):
    """Any artifact, with a command that scores a table."""

    name = "command"
    own_code = True

    def recognise(self, head: bytes, members: tuple[str, ...]) -> str | None:
        """None: its files have no common format."""
        return None

    def load(self, artifact: Path, signature: Signature, options: Options) -> CommandScorer:
        """The scorer. The command first runs when there are rows."""
        if not options.command:
            raise Fault(
                "model.yaml has no command for the flavor command.",
                "Add flavor: command: with a program and its arguments.",
            )
        return CommandScorer(artifact, signature, options)


@dataclass(frozen=True)
class CommandScorer:
    """The command of one version."""

    artifact: Path
    signature: Signature
    options: Options

    def score(self, columns: Columns) -> Floats:
        """The scores that the command writes; it runs in the model's folder, on a table with the contract's inputs."""
        rows = len(next(iter(columns.values())))
        if not rows:
            return empty(self.signature)
        import pyarrow as pa
        import pyarrow.parquet as pq

        name = self.signature.model
        with tempfile.TemporaryDirectory(prefix="modelyard-") as scratch:
            source, output = Path(scratch) / "rows.parquet", Path(scratch) / "predictions.parquet"
            pq.write_table(arrow_table(self.signature, columns), source)
            places = {"{model}": str(self.artifact), "{input}": str(source), "{output}": str(output)}
            command = [_filled(part, places) for part in self.options.command]
            try:
                done = subprocess.run(command, cwd=self.options.folder, capture_output=True, text=True, check=False)
            except OSError as error:
                raise Fault(
                    f"The scorer command of {name} cannot be run: {error.strerror}: {command[0]}.",
                    "Correct flavor: command: in model.yaml.",
                ) from error
            if done.returncode or not output.is_file():
                last = (done.stderr.strip().splitlines() or ["it wrote no output"])[-1]
                raise Fault(
                    f"The scorer command of {name} failed ({done.returncode}): {last}",
                    "Run flavor: command: of model.yaml yourself in the model's folder.",
                )
            wanted = [f"prediction_{c}" for c in self.signature.classes] if self.signature.classes else ["prediction"]
            try:
                table = pq.read_table(output)
                found = np.column_stack([table[column].cast(pa.float64()).to_numpy() for column in wanted])
            except (OSError, KeyError, pa.ArrowException) as error:
                raise Fault(
                    f"The scorer command of {name} wrote no Parquet file with {', '.join(wanted)}: {error}.",
                    "Let the command write these columns, with one number for each row.",
                ) from error
        if len(found) != rows:
            raise Fault(
                f"The scorer command of {name} gave {len(found)} predictions for {rows} rows.",
                "Let the command keep the rows and their order.",
            )
        return as_scores(found, self.signature, f"The scorer command of {name}")

    def close(self) -> None:
        """Nothing to end."""


def _filled(part: str, places: dict[str, str]) -> str:
    for name, value in places.items():
        part = part.replace(name, value)
    return part
