"""LightGBM's text format: loaded safely, scored, explained. Imported in a fifth of the time."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import ModelyardError, missing_extra
from modelyard.flavors.interface import Floats
from modelyard.manifests.model import Column, Model
from modelyard.tables import Table

_COMPANIONS = ("sklearn", "pandas", "dask", "matplotlib", "graphviz", "polars")
MAXIMUM_ARTIFACT_BYTES = 2_000_000_000
_LIGHTGBM_MAGIC = b"tree\n"
_MISSING = float("nan")


def import_lightgbm() -> Any:
    """The module; ModelyardError names the extra where it is missing."""
    with _hidden(name for name in _COMPANIONS if name not in sys.modules):
        try:
            import lightgbm
        except ImportError as error:
            raise missing_extra("measure", "lightgbm") from error
    return lightgbm


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


@contextmanager
def _hidden(names: Iterator[str]) -> Iterator[None]:
    """Makes ``import name`` fail for a while; a later import finds the library as ever."""
    hidden = list(names)
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            if sys.modules.get(name) is None:
                sys.modules.pop(name, None)


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


def _corrupt(artifact: Path, why: str) -> ModelyardError:
    return ModelyardError(
        f"{artifact} is not a sound LightGBM text model: {why}.",
        "Pull it again (modelyard retrain MODEL), or name its real format in model.yaml.",
    )
