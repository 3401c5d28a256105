"""What pipelines do with inputs before training: each is scored as the library itself does, or refused by a sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
import yaml
from modelyard.errors import ModelyardError
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.scoring.scorer import loaded
from modelyard.tables.file import read_table

ROWS, HELD = 1500, 500
RNG = np.random.default_rng(5)
REGION = RNG.choice(["north", "south", "west"], ROWS)
GAPS = RNG.choice(np.array(["attached", "detached", None], dtype=object), ROWS)
YES = RNG.random(ROWS) < 0.6
GRADE = RNG.choice([3, 17, 40, 41, 55], ROWS)
DAY = pd.to_datetime("2024-01-01") + pd.to_timedelta(RNG.integers(0, 3, ROWS), unit="D")
HOLES = RNG.random(ROWS) < 0.1
Category = pd.CategoricalDtype
REGIONS = Category(["north", "south", "west"])


@dataclass(frozen=True)
class Case:
    """A column of the table, how the contract names it and what the pipeline trains on."""

    values: Any
    """As the table on disk has them."""
    column: dict[str, Any]
    shaped: Callable[[Any], Any]
    """A pandas Series as the pipeline trains on it."""
    beside: bool = True
    """Whether a text category stands beside it, whose list is in the file too."""
    options: dict[str, Any] | None = None
    """Of lightgbm.Dataset."""


def as_type(kind: Any) -> Callable[[Any], Any]:
    return lambda series: series.astype(kind)


def encoded(codes: dict[str, int]) -> Callable[[Any], Any]:
    return lambda series: series.map(codes).astype(np.int64)


def with_holes(values: Any) -> list[Any]:
    return [None if hole else value for hole, value in zip(HOLES.tolist(), values.tolist(), strict=True)]


LABELS = {"north": 0, "south": 1, "west": 2}
BOOLEAN, INTEGER, TEXT = {"type": "boolean"}, {"type": "integer"}, {"type": "string"}
CASES = {
    "boolean category": Case(YES, BOOLEAN, as_type(Category([False, True]))),
    "boolean category, true first": Case(YES, BOOLEAN, as_type(Category([True, False]))),
    "boolean category alone": Case(YES, BOOLEAN, as_type(Category([True, False])), beside=False),
    "plain boolean": Case(YES, BOOLEAN, lambda series: series),
    "plain boolean alone": Case(YES, BOOLEAN, lambda series: series, beside=False),
    "boolean as text": Case(YES, BOOLEAN, lambda series: series.astype(str).astype("category")),
    "nullable boolean category": Case(
        pd.array(with_holes(YES), dtype="boolean"), {**BOOLEAN, "nullable": True}, as_type("category")
    ),
    "constant boolean category": Case(np.full(ROWS, True), BOOLEAN, as_type("category")),
    "integer category": Case(GRADE, INTEGER, as_type(Category([3, 17, 40, 41, 55]))),
    "integer category in another order": Case(GRADE, INTEGER, as_type(Category([41, 3, 55, 17, 40]))),
    "integer category alone": Case(GRADE, INTEGER, as_type(Category([41, 3, 55, 17, 40])), beside=False),
    "integer category as text": Case(GRADE, INTEGER, lambda series: series.astype(str).astype("category")),
    "integer category with the contract's list": Case(
        GRADE, {**INTEGER, "categories": [3, 17, 40, 41, 55]}, as_type(Category([41, 3, 55, 17, 40]))
    ),
    "nullable integer category": Case(
        pd.array(with_holes(GRADE), dtype="Int64"),
        {**INTEGER, "nullable": True}, as_type(Category([41, 3, 55, 17, 40])),
    ),
    "integer category beside nulls is float": Case(
        np.where(HOLES, np.nan, GRADE), {**INTEGER, "nullable": True}, as_type(Category([3.0, 17, 40, 41, 55]))
    ),
    "float category": Case(np.where(YES, 0.5, 2.25), {"type": "float"}, as_type(Category([2.25, 0.5]))),
    "constant text": Case(["same"] * ROWS, TEXT, as_type("category")),
    "text of digits": Case(RNG.choice(["007", "7", "0"], ROWS), TEXT, as_type("category")),
    "text category that is a number in the table": Case(GRADE, TEXT, as_type("category")),
    "the level None beside nulls": Case(
        RNG.choice(np.array(["east", "None", "nan", "", None], dtype=object), ROWS), {**TEXT, "nullable": True},
        as_type(Category(["None", "east", "", "nan"])),
    ),
    "levels that no row has": Case(REGION, TEXT, as_type(Category(["aa", "north", "south", "west", "zz"]))),
    "date as text category": Case(DAY.date, {"type": "date"}, lambda series: series.astype(str).astype("category")),
    "date as days": Case(
        DAY.date, {"type": "date"}, lambda s: (pd.to_datetime(s) - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
    ),
}  # fmt: skip
CODES_OF_TEXT = {
    "a text that the pipeline encodes, with the contract's list": Case(
        REGION, {**TEXT, "categories": list(LABELS)}, encoded(LABELS), False, {"categorical_feature": ["x"]}
    ),
    "the same as a number": Case(REGION, {**TEXT, "categories": list(LABELS)}, encoded(LABELS), False),
    "integers that are codes themselves": Case(GRADE, INTEGER, as_type(int), False, {"categorical_feature": ["x"]}),
    "the same with the contract's list": Case(
        GRADE, {**INTEGER, "categories": [3, 17, 40, 41, 55]}, as_type(int), False, {"categorical_feature": ["x"]}
    ),
}
REFUSED = {
    "a text that the pipeline encodes": Case(REGION, TEXT, encoded(LABELS), False, {"categorical_feature": ["x"]}),
    "the same as a number": Case(REGION, TEXT, encoded(LABELS), False),
}


def table(case: Case, name: str = "x") -> tuple[pd.DataFrame, Any]:
    """The rows on disk, and a label that depends on the column."""
    frame = pd.DataFrame({"id": [f"L{i}" for i in range(ROWS)], "amount": RNG.normal(100, 20, ROWS).round(2)})
    frame[name] = case.values
    if case.beside:
        frame["region"] = REGION
    signal = 2.5 * (pd.factorize(frame[name])[0] % 2) - 1.2 + 0.02 * (frame["amount"] - 100)
    signal = signal + (frame["region"] == "south" if case.beside else 0)
    return frame, (RNG.random(ROWS) < 1 / (1 + np.exp(-np.asarray(signal, dtype=float)))).astype(int)


def features(case: Case, frame: pd.DataFrame, name: str = "x") -> pd.DataFrame:
    found = frame.drop(columns=["id"]).copy()
    found[name] = case.shaped(frame[name])
    if case.beside:
        found["region"] = found["region"].astype(REGIONS)
    return found


def manifest(case: Case, artifact: str, name: str = "x") -> Model:
    inputs = [{"name": "amount", "type": "float"}, {"name": name, **case.column}]
    inputs += [{"name": "region", "type": "string"}] if case.beside else []
    found = {
        "name": "loan", "description": "d", "owners": ["@us"], "task": "binary", "policy": "standard",
        "files": {"artifact": artifact}, "contract": {"id": "id", "label": "bad", "inputs": inputs},
    }  # fmt: skip
    return parse(Model, yaml.safe_dump(found).encode(), "model.yaml")


def scored(case: Case, folder: Path, artifact: str, frame: pd.DataFrame, name: str = "x") -> Any:
    """What modelyard gives for the held-out rows on disk."""
    model = manifest(case, artifact, name)
    frame[-HELD:].to_parquet(folder / "holdout.parquet", index=False)
    with loaded(model, folder / artifact, folder) as scorer:
        return scorer.score_table(read_table(folder / "holdout.parquet", texts=model.contract.texts))


def lightgbm_of(case: Case, folder: Path, frame: pd.DataFrame, label: Any, name: str = "x") -> Any:
    """Trains and saves; the library's own predictions for the held-out rows."""
    import lightgbm

    rows = features(case, frame, name)
    options = {"objective": "binary", "verbose": -1, "num_threads": 1, "seed": 1, "min_data_per_group": 5}
    data = lightgbm.Dataset(rows[:-HELD], label[:-HELD], **(case.options or {}))
    booster = lightgbm.train(options, data, 15)
    booster.save_model(folder / "model.txt")
    return booster.predict(rows[-HELD:])


@pytest.mark.parametrize("name", [*CASES, *CODES_OF_TEXT])
def test_lightgbm(name: str, tmp_path: Path) -> None:
    case = (CASES | CODES_OF_TEXT)[name]
    frame, label = table(case)
    own = lightgbm_of(case, tmp_path, frame, label)
    assert own.std() > 0.01, "the column counts"
    assert np.abs(scored(case, tmp_path, "model.txt", frame) - own).max() <= 1e-9


@pytest.mark.parametrize("name", REFUSED)
def test_codes_that_nobody_explains_are_refused(name: str, tmp_path: Path) -> None:
    frame, label = table(REFUSED[name])
    lightgbm_of(REFUSED[name], tmp_path, frame, label)
    with pytest.raises(ModelyardError, match="the file has no categories of it") as found:
        scored(REFUSED[name], tmp_path, "model.txt", frame)
    assert "list its categories in the contract, by their codes" in found.value.remedy


@pytest.mark.parametrize("name", ["garage type", " x", "größe", "a-b", "x_0"])
def test_names_as_lightgbm_keeps_them(name: str, tmp_path: Path) -> None:
    case = Case(GAPS, {**TEXT, "nullable": True}, as_type(Category(["detached", "attached"])))
    frame, label = table(case, name)
    own = lightgbm_of(case, tmp_path, frame, label, name)
    assert np.abs(scored(case, tmp_path, "model.txt", frame, name) - own).max() <= 1e-9


def test_two_names_that_lightgbm_cannot_tell_apart_are_refused(tmp_path: Path) -> None:
    case = Case(YES, BOOLEAN, lambda series: series, beside=False)
    frame, label = table(case, "a b")
    lightgbm_of(case, tmp_path, frame, label, "a b")
    model = manifest(case, "model.txt", "a b")
    twice = [*model.contract.inputs, *manifest(case, "model.txt", "a_b").contract.inputs[1:]]
    contract = msgspec.structs.replace(model.contract, inputs=twice)
    ambiguous = msgspec.structs.replace(model, contract=contract)
    with (
        pytest.raises(ModelyardError, match="can be the input 'a b' or 'a_b'"),
        loaded(ambiguous, tmp_path / "model.txt", tmp_path),
    ):
        pass


XGBOOST = [
    "plain boolean", "integer category", "integer category in another order", "integer category alone",
    "integer category with the contract's list", "nullable integer category", "constant text", "text of digits",
    "the level None beside nulls", "levels that no row has", "date as text category", "date as days",
    "integer category as text", "boolean as text",
]  # fmt: skip
"""XGBoost itself takes no category of booleans or floats."""


@pytest.mark.parametrize("ending", ["ubj", "json"])
@pytest.mark.parametrize("name", XGBOOST)
def test_xgboost(name: str, ending: str, tmp_path: Path) -> None:
    import xgboost

    case = CASES[name]
    frame, label = table(case)
    rows = features(case, frame)
    data = xgboost.DMatrix(rows[:-HELD], label[:-HELD], enable_categorical=True)
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1, "seed": 1, "max_depth": 4}, data, 15)
    booster.save_model(tmp_path / f"model.{ending}")
    own = booster.predict(xgboost.DMatrix(rows[-HELD:], enable_categorical=True))
    assert np.abs(scored(case, tmp_path, f"model.{ending}", frame) - own).max() <= 1e-6


CATBOOST = [
    "plain boolean", "boolean category", "integer category", "integer category in another order", "text of digits",
    "the level None beside nulls", "constant text", "nullable integer category", "nullable boolean category",
]  # fmt: skip


@pytest.mark.parametrize("name", CATBOOST)
def test_catboost(name: str, tmp_path: Path) -> None:
    import catboost

    case = CASES[name]
    frame, label = table(case)
    rows = features(case, frame)
    categories = [key for key in rows.columns if isinstance(rows[key].dtype, pd.CategoricalDtype)]
    for key in categories:  # it takes no missing category: a text that no table has stands in its place
        rows[key] = pd.Series(
            ["\0" if value is pd.NA or value != value else value for value in rows[key]], dtype=object
        )
    options = {"loss_function": "Logloss", "iterations": 15, "thread_count": 1, "allow_writing_files": False}
    model = catboost.CatBoost(options)
    model.fit(catboost.Pool(rows[:-HELD], label[:-HELD], cat_features=categories), verbose=False)
    model.save_model(str(tmp_path / "model.cbm"))
    own = model.predict(catboost.Pool(rows[-HELD:], cat_features=categories), prediction_type="Probability")[:, 1]
    assert np.abs(scored(case, tmp_path, "model.cbm", frame) - own).max() <= 1e-9


SKLEARN = [
    "plain boolean", "integer category as text", "text of digits", "constant text", "levels that no row has",
    "the level None beside nulls",
]  # fmt: skip


@pytest.mark.parametrize("name", SKLEARN)
def test_sklearn(name: str, tmp_path: Path) -> None:
    """An estimator gets the table as it was read, so the encoder is part of what is kept."""
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    from skops import io

    case = CASES[name]
    frame, label = table(case)
    rows = frame.drop(columns=["id"])
    encoder = ColumnTransformer(
        [("x", OneHotEncoder(handle_unknown="ignore"), ["x", "region"])], remainder="passthrough"
    )
    model = make_pipeline(encoder, LogisticRegression(max_iter=300)).fit(rows[:-HELD], label[:-HELD])
    io.dump(model, tmp_path / "model.skops")
    own = model.predict_proba(rows[-HELD:])[:, 1]
    assert np.abs(scored(case, tmp_path, "model.skops", frame) - own).max() <= 1e-9
