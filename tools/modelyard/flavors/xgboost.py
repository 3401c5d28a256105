"""XGBoost's JSON and UBJSON formats."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .interface import Fault, Flavor, Options, as_scores, checked, corrupt, empty, missing_library, read_artifact
from .matrix import Feature, Levels, Matrix, match_features, require_numbers
from .signature import Signature
from .values import Columns, Floats
from .xgboost_file import check_model

_WHAT = "XGBoost model"


class XGBoost(Flavor):
    """Boosters that ``Booster.save_model`` wrote; all their trees are used, as ``Booster.predict`` does."""

    name = "xgboost"
    extra = "xgboost"
    packages = ("xgboost", "xgboost-cpu", "numpy")
    formats = ("xgboost-json", "xgboost-ubj")
    endings = (".ubj", ".json", ".xgb")
    tolerance = 1e-5  # its scores are float32
    explains = True
    checks_files = True
    hosts: ClassVar[Mapping[str, str]] = {
        "local": "xgboost", "container": "xgboost", "mlserver": "xgboost", "mlflow": "xgboost",
        "bentoml": "xgboost", "kserve": "xgboost", "seldon": "xgboost", "sagemaker": "container",
    }  # fmt: skip

    def recognise(self, head: bytes, members: tuple[str, ...]) -> str | None:
        """``xgboost-json`` or ``xgboost-ubj``."""
        if head.startswith(b"{L") and b"learner" in head[:64]:
            return "xgboost-ubj"
        return "xgboost-json" if head.lstrip().startswith(b"{") and b'"learner"' in head[:200] else None

    def check(self, artifact: Path) -> None:
        """Fault unless every index, size and count in the file is sound."""
        self._checked_bytes(artifact)

    def features(self, artifact: Path, options: Options) -> tuple[str, ...]:
        """The names in the file, which a booster of a matrix does not have."""
        _, booster, _ = self._booster(artifact, options)
        return tuple(booster.feature_names or ("",) * booster.num_features())

    def load(self, artifact: Path, signature: Signature, options: Options) -> XGBoostScorer:
        """The scorer of the booster. Codes of categories come from the list in the file, else from the contract."""
        xgboost, booster, objective = self._booster(artifact, options)
        if objective == "multi:softmax":
            raise Fault(
                f"{artifact} was trained with multi:softmax, which gives no probabilities.",
                "Train it with multi:softprob.",
            )
        names = booster.feature_names or [f"f{i}" for i in range(booster.num_features())]
        features = match_features(names, signature, booster.feature_names is None, str(artifact))
        kinds = booster.feature_types or []
        coded = [i < len(kinds) and kinds[i] == "c" for i in range(len(names))]
        matrix = Matrix(features, _levels(booster, artifact, features, coded))
        return XGBoostScorer(xgboost, booster, matrix, signature, artifact, threading.local())

    def _booster(self, artifact: Path, options: Options) -> tuple[Any, Any, str]:
        """The library, the booster, and the name of its objective."""
        try:
            import xgboost
        except ImportError as error:
            raise missing_library(self.extra, "xgboost") from error
        content = self._checked_bytes(artifact)
        booster = xgboost.Booster({"nthread": options.threads} if options.threads else None)
        try:
            booster.load_model(bytearray(content))
            objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
        except (xgboost.core.XGBoostError, ValueError, KeyError) as error:
            raise corrupt(artifact, _WHAT, str(error).splitlines()[0]) from error
        return xgboost, booster, objective

    def _checked_bytes(self, artifact: Path) -> bytes:
        content = read_artifact(artifact, _WHAT)
        if self.recognise(content[:4096], ()) is None:
            raise corrupt(artifact, _WHAT, "it does not begin like one")
        return checked(content, artifact, _WHAT, check_model)


@dataclass(frozen=True)
class XGBoostScorer:
    """A booster and the signature it was trained under."""

    module: Any
    booster: Any
    matrix: Matrix
    signature: Signature
    artifact: Path
    own: threading.local

    def score(self, columns: Columns) -> Floats:
        """Scores of canonical columns."""
        matrix = self.matrix.of(columns)
        if not len(matrix):
            return empty(self.signature)
        # Without a DMatrix; for a few rows, building one takes longer than the trees.
        found = self.booster.inplace_predict(matrix, validate_features=False)
        return as_scores(found, self.signature, str(self.artifact))

    def importance(self) -> dict[str, float]:
        """Each input's share of the gain of all splits, 0 to 1."""
        gains = self.booster.get_score(importance_type="total_gain")
        names = self.booster.feature_names or [f"f{i}" for i in range(len(self.matrix.features))]
        return self.matrix.shares(np.array([gains.get(name, 0.0) for name in names], dtype=np.float64))

    def contributions(self, columns: Columns) -> dict[str, Floats]:
        """Each input's contribution to the raw score of each row (rows,), by TreeSHAP (Lundberg et al. 2020)."""
        rows = self.module.DMatrix(
            self.matrix.of(columns), feature_names=self.booster.feature_names,
            feature_types=self.booster.feature_types, enable_categorical=True,
        )  # fmt: skip
        parts = np.asarray(self.booster.predict(rows, pred_contribs=True), dtype=np.float64)
        return self.matrix.by_input(parts)

    def close(self) -> None:
        """Does nothing: there is no process."""


def _levels(
    booster: Any, artifact: Path, features: tuple[Feature, ...], coded: list[bool]
) -> tuple[Levels | None, ...]:
    kept = _kept_categories(booster)
    found: list[Levels | None] = []
    for i, feature in enumerate(features):
        column = feature.column
        if kept.get(i) is not None:
            found.append(Levels(column, kept[i], str(artifact)))
        elif column.categories and (column.is_text or coded[i]):
            found.append(Levels(column, column.categories, str(artifact)))
        else:  # a number; categories without a list are already codes
            found.append(None)
    require_numbers(features, [levels is not None for levels in found], str(artifact))
    return tuple(found)


def _kept_categories(booster: Any) -> dict[int, list[Any]]:
    """Feature → its categories in the order of their codes; XGBoost writes them since 3.1."""
    if not hasattr(booster, "get_categories"):
        return {}
    listed = booster.get_categories(export_to_arrow=True).to_arrow() or []
    return {i: levels.to_pylist() for i, (_, levels) in enumerate(listed) if levels is not None}
