"""CatBoost's binary format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .catboost_file import check_model
from .interface import (
    Fault,
    Flavor,
    Options,
    as_scores,
    checked,
    corrupt,
    empty,
    missing_library,
    ordered_classes,
    read_artifact,
)
from .matrix import Feature, Matrix, match_features
from .signature import Signature
from .values import Column, Columns, Floats, spelled_text

_WHAT = "CatBoost model"
_MAGIC = b"CBM1"
_NULL = "\x00"
"""Stands for a missing category. CatBoost allows no null there, and treats an unknown category as missing."""


class CatBoost(Flavor):
    """Models that ``save_model`` wrote as cbm."""

    name = "catboost"
    extra = "catboost"
    packages = ("catboost", "numpy")
    formats = ("catboost-cbm",)
    endings = (".cbm",)
    explains = True
    hosts: ClassVar[Mapping[str, str]] = {
        "local": "catboost", "container": "catboost", "mlserver": "catboost", "mlflow": "catboost",
        "bentoml": "catboost", "kserve": "predictor", "sagemaker": "container",
    }  # fmt: skip

    def recognise(self, head: bytes, members: tuple[str, ...]) -> str | None:
        """``catboost-cbm``."""
        return "catboost-cbm" if head.startswith(_MAGIC) else None

    def check(self, artifact: Path) -> None:
        """Fault unless every split, size and leaf of the trees is inside of its list."""
        _checked_bytes(artifact)

    def features(self, artifact: Path, options: Options) -> tuple[str, ...]:
        """The names in the file; CatBoost itself names the numbers of a matrix 0, 1, …"""
        names = self._model(artifact)[2]
        return ("",) * len(names) if _are_numbers(names) else tuple(names)

    def load(self, artifact: Path, signature: Signature, options: Options) -> CatBoostScorer:
        """The scorer of the model. CatBoost hashes categories, so the file lists none."""
        catboost, model, names, categories = self._model(artifact)
        unnamed = _are_numbers(names)
        features = match_features(names, signature, unnamed, str(artifact))
        for i, feature in enumerate(features):
            if feature.column.is_text and i not in categories:
                raise Fault(
                    f"{artifact} has {feature.column.name!r} as a number, but its type in the contract is string.",
                    "Name the column in cat_features when training.",
                )
        return CatBoostScorer(catboost, model, features, categories, signature, artifact, options.threads or -1)

    def _model(self, artifact: Path) -> tuple[Any, Any, list[str], frozenset[int]]:
        """The library, the model, the names of its features, and which of them are categories."""
        try:
            import catboost
        except ImportError as error:
            raise missing_library(self.extra, "catboost") from error
        content = _checked_bytes(artifact)
        model = catboost.CatBoost()
        try:
            model.load_model(blob=content)
            names = list(model.feature_names_)
            texts, lists = model.get_text_feature_indices(), model.get_embedding_feature_indices()
            categories = frozenset(model.get_cat_feature_indices())
        except (catboost.CatBoostError, ValueError) as error:
            raise corrupt(artifact, _WHAT, str(error).splitlines()[0]) from error
        if texts or lists:
            raise Fault(
                f"{artifact} has text or embedding features of CatBoost, which are not supported.",
                "Train with the text as a category, or with one column for each number of the embedding.",
            )
        return catboost, model, names, categories


def _checked_bytes(artifact: Path) -> bytes:
    content = read_artifact(artifact, _WHAT)
    if not content.startswith(_MAGIC):
        raise corrupt(artifact, _WHAT, "it does not begin like one")
    return checked(content, artifact, _WHAT, check_model)


def _are_numbers(names: list[str]) -> bool:
    return names == [str(i) for i in range(len(names))]


@dataclass(frozen=True)
class CatBoostScorer:
    """A CatBoost model and the signature it was trained under."""

    module: Any
    model: Any
    features: tuple[Feature, ...]
    categories: frozenset[int]
    signature: Signature
    artifact: Path
    threads: int

    def score(self, columns: Columns) -> Floats:
        """Scores of canonical columns."""
        rows = self._rows(columns)
        if not len(rows):
            return empty(self.signature)
        classified = self.signature.task in ("binary", "multiclass")
        kind = "Probability" if classified else self._kind()
        try:
            found = np.asarray(self.model.predict(rows, prediction_type=kind, thread_count=self.threads))
        except self.module.CatBoostError as error:
            raise Fault(
                f"{self.artifact} cannot score: {str(error).splitlines()[0].rstrip('.')}.",
                "Compare contract.inputs with the columns of the training table.",
            ) from error
        if not classified:
            return as_scores(found, self.signature, str(self.artifact))
        names = [spelled_text(value) for value in self.model.classes_]
        return ordered_classes(found, names, self.signature, str(self.artifact))

    def importance(self) -> dict[str, float]:
        """Each input's share of PredictionValuesChange, 0 to 1."""
        return self._matrix().shares(
            np.asarray(self.model.get_feature_importance(type="PredictionValuesChange"), dtype=np.float64)
        )

    def contributions(self, columns: Columns) -> dict[str, Floats]:
        """Each input's contribution to the raw score of each row (rows,), by TreeSHAP (Lundberg et al. 2020)."""
        pool = self.module.Pool(self._rows(columns), cat_features=sorted(self.categories))
        parts = np.asarray(self.model.get_feature_importance(pool, type="ShapValues"), dtype=np.float64)
        return self._matrix().by_input(parts)

    def close(self) -> None:
        """Does nothing: there is no process."""

    def _kind(self) -> str:
        """The scores of the library's regressor, by the loss it was trained with."""
        loss = str(self.model.get_all_params().get("loss_function", ""))
        return "Exponent" if loss.startswith(("Poisson", "Tweedie")) else "RawFormulaVal"

    def _matrix(self) -> Matrix:
        return Matrix(self.features, (None,) * len(self.features))

    def _rows(self, columns: Columns) -> Any:
        if not self.categories:
            return self._matrix().of(columns)
        first = columns[self.features[0].column.name]
        rows = np.empty((len(first), len(self.features)), dtype=object)
        for i, feature in enumerate(self.features):
            values = columns[feature.column.name]
            if i in self.categories:
                rows[:, i] = _category_texts(feature, values)
            else:
                rows[:, i] = np.asarray(values)[:, feature.place] if feature.column.kind == "vector" else values
        return rows


def _category_texts(feature: Feature, values: Column) -> list[str]:
    """Categories spelled as CatBoost spells those of pandas: ``ab``, ``7``, ``1`` for true."""
    if feature.column.is_text:
        return [_NULL if value is None else value for value in values]
    return [_NULL if value != value else spelled_text(value) for value in np.asarray(values).tolist()]
