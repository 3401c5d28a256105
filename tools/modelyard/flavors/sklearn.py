"""scikit-learn estimators in the skops format, which loads only trusted types."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .frames import pandas_frame
from .interface import (
    MAXIMUM_ARTIFACT_BYTES,
    Fault,
    Flavor,
    Options,
    as_scores,
    corrupt,
    empty,
    missing_library,
    ordered_classes,
    read_artifact,
)
from .matrix import Matrix, match_features, require_numbers
from .signature import Signature
from .sklearn_trees import check_trees
from .unsound import Unsound
from .values import Columns, Floats, spelled_text

_WHAT = "skops file"
_MEMBER = "schema.json"
_HARMLESS = ("numpy.dtype",)
"""Types that only describe data, and that skops does not trust by default."""


class SKLearn(Flavor):
    """Estimators and pipelines that ``skops.io.dump`` wrote."""

    name = "sklearn"
    extra = "sklearn"
    packages = ("scikit-learn", "skops", "numpy", "scipy", "pandas")
    formats = ("skops",)
    endings = (".skops",)
    hosts: ClassVar[Mapping[str, str]] = {
        "local": "sklearn", "container": "sklearn", "mlserver": "runtime", "mlflow": "python_function",
        "bentoml": "sklearn", "kserve": "predictor", "sagemaker": "container",
    }  # fmt: skip

    def recognise(self, head: bytes, members: tuple[str, ...]) -> str | None:
        """``skops``."""
        return "skops" if _MEMBER in members else None

    def features(self, artifact: Path, options: Options) -> tuple[str, ...]:
        """The names of the DataFrame that it was trained on; an estimator of a matrix has none."""
        estimator = self._estimator(artifact, options)
        named = getattr(estimator, "feature_names_in_", None)
        return ("",) * int(getattr(estimator, "n_features_in_", 0)) if named is None else tuple(map(str, named))

    def load(self, artifact: Path, signature: Signature, options: Options) -> SKLearnScorer:
        """The scorer of the estimator; Fault that names the types that are not trusted."""
        estimator = self._estimator(artifact, options)
        classified = signature.task in ("binary", "multiclass")
        if not hasattr(estimator, "predict_proba" if classified else "predict"):
            raise Fault(
                f"The {type(estimator).__name__} in {artifact} has no predict_proba.",
                "Wrap it in CalibratedClassifierCV, or choose an estimator with predict_proba.",
            )
        named = getattr(estimator, "feature_names_in_", None)
        matrix = None
        if named is None:
            width = int(getattr(estimator, "n_features_in_", sum(column.width for column in signature.inputs)))
            features = match_features([""] * width, signature, True, str(artifact))
            require_numbers(features, [False] * len(features), str(artifact))
            matrix = Matrix(features, (None,) * len(features))
        else:
            match_features([str(name) for name in named], signature, False, str(artifact))
        return SKLearnScorer(
            estimator, matrix, tuple(map(str, named)) if named is not None else (), signature, artifact
        )

    def _estimator(self, artifact: Path, options: Options) -> Any:
        content = read_artifact(artifact, _WHAT)
        _check_archive(artifact, content)
        try:
            from skops import io
        except ImportError as error:
            raise missing_library(self.extra, error.name or "skops") from error
        try:
            trusted = [*_HARMLESS, *options.trusted]
            untrusted = [name for name in io.get_untrusted_types(data=content) if name not in trusted]
            if untrusted:
                raise Fault(
                    f"{artifact} needs types that skops does not trust: {', '.join(sorted(untrusted))}.",
                    "Read their code; if they are harmless, list them under flavor: trusted: in model.yaml"
                    " (modelyard add: --trusted TYPE).",
                )
            loaded = io.loads(content, trusted=trusted)
            check_trees(loaded)
            return loaded
        except Fault:
            raise
        except Unsound as error:
            raise corrupt(artifact, _WHAT, str(error)) from error
        except Exception as error:  # an estimator's __setstate__ may raise anything
            raise corrupt(artifact, _WHAT, f"{type(error).__name__}: {error}".splitlines()[0]) from error


@dataclass(frozen=True)
class SKLearnScorer:
    """An estimator and the signature it was trained under."""

    estimator: Any
    matrix: Matrix | None
    """None if it takes a DataFrame."""
    names: tuple[str, ...]
    """The DataFrame's columns, in the order of the training."""
    signature: Signature
    artifact: Path

    def score(self, columns: Columns) -> Floats:
        """Scores of canonical columns."""
        if not len(next(iter(columns.values()))):
            return empty(self.signature)
        rows = self.matrix.of(columns) if self.matrix else self._frame(columns)
        if self.signature.task in ("binary", "multiclass"):
            found = np.asarray(self.estimator.predict_proba(rows), dtype=np.float64)
            names = [spelled_text(value) for value in self.estimator.classes_]
            return ordered_classes(found, names, self.signature, str(self.artifact))
        return as_scores(self.estimator.predict(rows), self.signature, str(self.artifact))

    def close(self) -> None:
        """Does nothing: there is no process."""

    def _frame(self, columns: Columns) -> Any:
        import pandas as pd

        frame = pandas_frame(self.signature, columns)
        for column in self.signature.inputs:
            if column.kind == "vector":  # an estimator takes one number for each column
                numbers = np.asarray(columns[column.name])
                parts = {f"{column.name}_{i}": numbers[:, i] for i in range(column.length)}
                frame = pd.concat([frame.drop(columns=[column.name]), pd.DataFrame(parts)], axis=1)
        return frame[list(self.names)]


def _check_archive(artifact: Path, content: bytes) -> None:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            if _MEMBER not in archive.namelist():
                raise corrupt(artifact, _WHAT, f"it has no {_MEMBER}")
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise corrupt(artifact, _WHAT, "it is not a complete zip archive") from error
    except (NotImplementedError, RuntimeError, ValueError) as error:  # a name that is no text, or a newer version
        raise corrupt(artifact, _WHAT, f"its zip archive cannot be read: {error}") from error
    if size > MAXIMUM_ARTIFACT_BYTES:
        raise corrupt(artifact, _WHAT, f"it unpacks to {size:,} bytes, which is too much")
