"""Scores any table with any version of a model: LightGBM built in, anything else by its own command."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from modelyard.boosting import import_lightgbm
from modelyard.errors import ModelyardError
from modelyard.manifests.model import Column, Model
from modelyard.tables import Table, read_table

Floats = NDArray[np.float64]

MAXIMUM_ARTIFACT_BYTES = 2_000_000_000
_LIGHTGBM_MAGIC = b"tree\n"
_MISSING = float("nan")


class TableScorer(Protocol):
    """One version of a model, ready to score tables."""

    def score_table(self, table: Table) -> Floats:
        """One prediction per row (rows,)."""


def load_scorer(model: Model, artifact: Path, folder: Path) -> TableScorer:
    """The scorer of an artifact, after its content was checked against the format that model.yaml names.

    ``folder`` is the model's folder, where a scoring command is run.
    """
    if model.scorer.type == "command":
        return CommandScorer(model, artifact, folder)
    return LightGBMScorer.load(model, artifact)


def prediction_columns(model: Model) -> list[str]:
    """Where predictions stand in a table: one column, or one a class."""
    return [f"prediction_{name}" for name in model.contract.classes] if model.task == "multiclass" else ["prediction"]


def stacked(table: Table, columns: list[str]) -> Floats:
    """Numbers (rows,) of one column, (rows, columns) of several."""
    found = [table.numbers(name) for name in columns]
    return found[0] if len(found) == 1 else np.column_stack(found)


@dataclass(frozen=True)
class LightGBMScorer:
    """A LightGBM text model and the contract it was trained under."""

    booster: Any
    inputs: tuple[Column, ...]
    levels: tuple[dict[str, int] | None, ...]
    """Per input: level → code for text inputs, None for numbers. An unknown level is scored as missing."""
    threads: int = 0

    @classmethod
    def load(cls, model: Model, artifact: Path, threads: int = 0) -> LightGBMScorer:
        """Loads and checks a model file; ModelyardError when it is not one, or not for this contract."""
        content = _checked_bytes(artifact)
        lightgbm = import_lightgbm()
        try:
            booster = lightgbm.Booster(model_str=content.decode("utf-8"))
        except (lightgbm.basic.LightGBMError, UnicodeDecodeError, ValueError) as error:
            raise _corrupt(artifact, str(error).splitlines()[0]) from error
        columns = {column.name: column for column in model.contract.inputs}
        names = booster.feature_name()
        unknown = [name for name in names if name not in columns]
        if unknown:
            raise ModelyardError(
                f"{artifact} was trained on {unknown[0]!r}, which the contract in model.yaml does not name.",
                "Add the input to the contract, or retrain without it.",
            )
        inputs = tuple(columns[name] for name in names)
        categories = iter(_pandas_categories(content))
        try:
            levels = tuple(
                {str(level): code for code, level in enumerate(next(categories))}
                if column.type in ("string", "boolean")
                else None
                for column in inputs
            )
        except StopIteration as error:
            raise _corrupt(artifact, "it lacks the levels of a text input") from error
        return cls(booster, inputs, levels, threads)

    def score_table(self, table: Table) -> Floats:
        """One prediction per row of a table that holds the contract's inputs."""
        table.require([column.name for column in self.inputs], f"the model in {table.path.parent}")
        return self._predict(self._matrix(table))

    def importance(self) -> dict[str, float]:
        """Each input's share of the gain of all splits, 0 to 1."""
        gains = np.asarray(self.booster.feature_importance("gain"), dtype=np.float64)
        total = float(gains.sum()) or 1.0
        return {column.name: float(gain) / total for column, gain in zip(self.inputs, gains, strict=True)}

    def score(self, columns: Mapping[str, Sequence[Any] | NDArray[Any]]) -> Floats:
        """One prediction per row, from numbers and texts by column, all of equal length, None or NaN for null."""
        return self._predict(self._coded(columns))

    def contributions(self, table: Table) -> dict[str, Floats]:
        """Each input's part in the raw score of each row (rows,), by TreeSHAP (Lundberg et al. 2020)."""
        parts = np.asarray(self.booster.predict(self._matrix(table), pred_contrib=True), dtype=np.float64)
        return {column.name: parts[:, i] for i, column in enumerate(self.inputs)}

    def _predict(self, matrix: Floats) -> Floats:
        if not matrix.shape[0]:
            return np.empty(0)
        options = {"num_threads": self.threads} if self.threads else {}
        result: Floats = np.asarray(self.booster.predict(matrix, **options), dtype=np.float64)
        return result

    def _matrix(self, table: Table) -> Floats:
        return self._coded({column.name: table.values(column.name, column.type) for column in self.inputs})

    def _coded(self, columns: Mapping[str, Sequence[Any] | NDArray[Any]]) -> Floats:
        """Inputs as the booster counts them (rows, inputs)."""
        coded: list[Any] = []
        for column, levels in zip(self.inputs, self.levels, strict=True):
            values = columns[column.name]
            coded.append(values if levels is None else [levels.get(str(value), _MISSING) for value in values])
        joined = np.concatenate(coded, dtype=np.float64, casting="unsafe")
        return np.ascontiguousarray(joined.reshape(len(coded), -1).T)


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


def _checked_bytes(artifact: Path) -> bytes:
    try:
        size = artifact.stat().st_size
        if size > MAXIMUM_ARTIFACT_BYTES:
            raise _corrupt(artifact, f"{size:,} bytes are more than {MAXIMUM_ARTIFACT_BYTES:,}")
        content = artifact.read_bytes()
    except OSError as error:
        raise ModelyardError(
            f"The artifact {artifact} cannot be read: {error.strerror}.", "Run: modelyard retrain MODEL"
        ) from error
    if not content.startswith(_LIGHTGBM_MAGIC):
        raise _corrupt(artifact, "it does not begin as one")
    # LightGBM's own reader crashes the process on some cut files; a whole one has these marks.
    if b"\nend of trees\n" not in content or b"\nend of parameters\n" not in content:
        raise _corrupt(artifact, "it is cut off")
    return content


def _pandas_categories(content: bytes) -> list[list[Any]]:
    marker = b"\npandas_categorical:"
    at = content.rfind(marker)
    if at < 0:
        return []
    line = content[at + len(marker) :].split(b"\n", 1)[0]
    try:
        found = json.loads(line)
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def _fill(part: str, places: dict[str, str]) -> str:
    for name, value in places.items():
        part = part.replace(name, value)
    return part


def _corrupt(artifact: Path, why: str) -> ModelyardError:
    return ModelyardError(
        f"{artifact} is not a sound LightGBM text model: {why}.",
        "Pull it again (modelyard retrain MODEL), or name its real format in model.yaml.",
    )
