"""LightGBM's text format."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .booster import NativeBooster
from .interface import Fault, Flavor, Options, as_scores, checked, corrupt, empty, missing_library, read_artifact
from .lightgbm_file import check_text
from .matrix import Levels, Matrix, match_features, require_numbers
from .signature import Input, Signature
from .values import Columns, Floats, Unreadable, scalar

_WHAT = "LightGBM text model"
_MAGIC = b"tree\n"
_COMPANIONS = ("sklearn", "pandas", "dask", "matplotlib", "graphviz", "polars")
_UNNAMED = re.compile(r"Column_\d+")
_CODES = re.compile(r"-?\d+(:-?\d+)*")


class LightGBM(Flavor):
    """Boosters that ``Booster.save_model`` wrote."""

    name = "lightgbm"
    extra = "lightgbm"
    packages = ("lightgbm", "numpy")
    system_packages = ("libgomp1",)
    formats = ("lightgbm-text",)
    endings = (".txt", ".lgb", ".bst")
    explains = True
    checks_files = True
    hosts: ClassVar[Mapping[str, str]] = {
        "local": "lightgbm", "container": "lightgbm", "mlserver": "lightgbm", "mlflow": "lightgbm",
        "bentoml": "lightgbm", "kserve": "lightgbm", "seldon": "lightgbm", "sagemaker": "container",
    }  # fmt: skip

    def recognise(self, head: bytes, members: tuple[str, ...]) -> str | None:
        """``lightgbm-text``."""
        return "lightgbm-text" if head.startswith(_MAGIC) else None

    def check(self, artifact: Path) -> None:
        """Fault unless every index, size and count in the file is sound."""
        _checked_bytes(artifact)

    def features(self, artifact: Path, options: Options) -> tuple[str, ...]:
        """The names in the file; LightGBM itself writes Column_0 for the number of a matrix."""
        found = re.search(rb"\nfeature_names=([^\n]*)\n", _checked_bytes(artifact))
        names = found[1].decode("utf-8", "replace").split(" ") if found else []
        return ("",) * len(names) if all(map(_UNNAMED.fullmatch, names)) else tuple(names)

    def load(self, artifact: Path, signature: Signature, options: Options) -> LightGBMScorer:
        """The scorer of the booster. With one thread it uses the C interface, which is faster for a few rows."""
        lightgbm = import_lightgbm()
        content = _checked_bytes(artifact)
        try:
            text = content.decode("utf-8")
            booster = lightgbm.Booster(model_str=text)
        except (lightgbm.basic.LightGBMError, UnicodeDecodeError, ValueError) as error:
            raise corrupt(artifact, _WHAT, str(error).splitlines()[0]) from error
        names = booster.feature_name()
        unnamed = bool(names) and all(_UNNAMED.fullmatch(name) for name in names)
        features = match_features(names, signature, unnamed, str(artifact))
        levels = _levels(artifact, content, [feature.column for feature in features])
        require_numbers(features, [level is not None for level in levels], str(artifact))
        matrix = Matrix(features, levels)
        outputs = booster.num_model_per_iteration()
        native = NativeBooster(_library(lightgbm), text, len(names), outputs) if options.threads == 1 else None
        return LightGBMScorer(booster, native, matrix, signature, artifact)


def import_lightgbm() -> Any:
    """The module; Fault if it is missing. Without its optional companions the import takes a fifth of the time."""
    with _hidden(name for name in _COMPANIONS if name not in sys.modules):
        try:
            import lightgbm
        except ImportError as error:
            raise missing_library("lightgbm", "lightgbm") from error
    return lightgbm


@dataclass(frozen=True)
class LightGBMScorer:
    """A LightGBM text model and the signature it was trained under."""

    booster: Any
    native: NativeBooster | None
    matrix: Matrix
    signature: Signature
    artifact: Path

    def score(self, columns: Columns) -> Floats:
        """Scores of canonical columns."""
        matrix = self.matrix.of(columns)
        if self.native is not None:
            return as_scores(self.native.predict(matrix), self.signature, str(self.artifact))
        if not len(matrix):
            return empty(self.signature)
        return as_scores(self.booster.predict(matrix), self.signature, str(self.artifact))

    def importance(self) -> dict[str, float]:
        """Each input's share of the gain of all splits, 0 to 1."""
        return self.matrix.shares(np.asarray(self.booster.feature_importance("gain"), dtype=np.float64))

    def contributions(self, columns: Columns) -> dict[str, Floats]:
        """Each input's contribution to the raw score of each row (rows,), by TreeSHAP (Lundberg et al. 2020)."""
        parts = np.asarray(self.booster.predict(self.matrix.of(columns), pred_contrib=True), dtype=np.float64)
        return self.matrix.by_input(parts)

    def close(self) -> None:
        """Does nothing: there is no process."""


def _levels(artifact: Path, content: bytes, columns: list[Input]) -> tuple[Levels | None, ...]:
    """The categories of each feature.

    The file lists those of pandas' categorical columns one after the other, without names. The codes of the features,
    or else the contract's types, show which feature a list belongs to. If neither does, the file is refused, because a
    guess would score rows wrongly.
    """
    lists = _pandas_categories(artifact, content)
    infos = _feature_infos(content, len(columns))
    coded = [i for i, info in enumerate(infos) if _CODES.fullmatch(info)]
    owners = _owners(artifact, lists, infos, coded, columns)
    found: list[Levels | None] = []
    for i, column in enumerate(columns):
        if i in owners:
            found.append(Levels(column, owners[i], str(artifact)))
        elif column.categories and (column.is_text or i in coded) and not _are_codes(column, infos[i]):
            found.append(Levels(column, column.categories, str(artifact)))
        else:
            found.append(None)
    return tuple(found)


def _owners(
    artifact: Path, lists: list[list[Any]], infos: list[str], coded: list[int], columns: list[Input]
) -> dict[int, list[Any]]:
    """Feature → its list."""
    if not lists:
        return {}
    # A constant feature has no codes in the file. It may have a list if its type needs one.
    likely = [i for i, column in enumerate(columns) if i in coded or (infos[i] == "none" and column.is_text)]
    typed = [i for i, column in enumerate(columns) if column.is_text or column.categories]
    booleans = [i for i, column in enumerate(columns) if column.is_text or column.kind == "boolean"]
    for owners in (coded, likely, typed, booleans):
        pairs = dict(zip(owners, lists, strict=False))
        if len(owners) == len(lists) and all(_fits(columns[i], infos[i], values) for i, values in pairs.items()):
            return pairs
    raise Fault(
        f"{artifact} lists the categories of {len(lists)} {'input' if len(lists) == 1 else 'inputs'} without their"
        f" names, and {len(coded)} of its features have category codes, so their inputs are unknown.",
        "Give contract.inputs the types of the training table, and categories: to every categorical input.",
    )


def _fits(column: Input, info: str, levels: list[Any]) -> bool:
    """Whether a list has a level, of the input's kind, for every code of a feature."""
    try:
        for level in levels:
            scalar(column, level)
    except Unreadable:
        return False
    if info == "none":
        return True
    if _CODES.fullmatch(info):
        return max(map(int, info.split(":"))) < len(levels)
    low, high = _range(info)
    return low >= -1 and high < len(levels) and float(low).is_integer() and float(high).is_integer()


def _range(info: str) -> tuple[float, float]:
    try:
        low, high = info.strip("[]").split(":")
        return float(low), float(high)
    except ValueError:
        return (0.0, float("inf"))


def _are_codes(column: Input, info: str) -> bool:
    """Whether the codes of a feature are the integers themselves, as in training on a matrix of integers."""
    if column.is_text:
        return False
    return {float(code) for code in info.split(":") if code != "-1"} <= set(column.categories)  # -1: missing


def _feature_infos(content: bytes, features: int) -> list[str]:
    found = re.search(rb"\nfeature_infos=([^\n]*)\n", content)
    infos = found[1].decode(errors="replace").split(" ") if found else []
    return infos if len(infos) == features else ["none"] * features


def _pandas_categories(artifact: Path, content: bytes) -> list[list[Any]]:
    marker = b"\npandas_categorical:"
    at = content.rfind(marker)
    if at < 0:
        return []
    line = content[at + len(marker) :].split(b"\n", 1)[0]
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise corrupt(artifact, _WHAT, "its list of categories is not JSON") from error
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(levels, list) for levels in found):
        raise corrupt(artifact, _WHAT, "its list of categories is not a list of lists")
    return found


def _checked_bytes(artifact: Path) -> bytes:
    content = read_artifact(artifact, _WHAT)
    if not content.startswith(_MAGIC):
        raise corrupt(artifact, _WHAT, "it does not begin like one")
    if b"\nend of parameters\n" not in content:
        raise corrupt(artifact, _WHAT, "it is truncated")
    return checked(content, artifact, _WHAT, check_text)


def _library(lightgbm: Any) -> Path:
    return next(Path(lightgbm.__file__).parent.glob("**/lib_lightgbm.*"))


@contextmanager
def _hidden(names: Iterable[str]) -> Iterator[None]:
    """Lets ``import name`` fail inside the context; later imports find the library."""
    hidden = list(names)
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            if sys.modules.get(name) is None:
                sys.modules.pop(name, None)
