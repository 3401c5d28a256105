"""CatBoost: a cbm file; texts are categories."""

import catboost
import pandas as pd
from settings import BOOLEANS, CLASSES, INPUTS, PARAMS, TASK, TEXTS

LOSSES = {"binary": "Logloss", "multiclass": "MultiClass", "regression": "RMSE"}
MISSING = "\0"
"""CatBoost has no null among categories."""


def pool(rows: pd.DataFrame, label: pd.Series | None = None) -> catboost.Pool:
    """The inputs as the library takes them."""
    found = rows[INPUTS].astype(dict.fromkeys(BOOLEANS, "float64"))
    for name in TEXTS:
        found[name] = [MISSING if value is None or value != value else value for value in found[name]]
    return catboost.Pool(found, label, cat_features=TEXTS)


def fit(rows: pd.DataFrame, label: pd.Series) -> catboost.CatBoost:
    """A model of some rows, by params.yaml."""
    asked = dict(PARAMS["train"])
    fixed = {"loss_function": LOSSES[TASK], "iterations": asked.pop("trees"), "thread_count": 2,
             "allow_writing_files": False}  # fmt: skip
    model = catboost.CatBoost(asked | fixed)
    return model.fit(pool(rows, label), verbose=False)


def save(model: catboost.CatBoost, path: str) -> None:
    """Writes the artifact."""
    model.save_model(path)


def load(path: str) -> catboost.CatBoost:
    """The artifact."""
    return catboost.CatBoost().load_model(path)


def scores(model: catboost.CatBoost, rows: pd.DataFrame) -> object:
    """A score for each row, or one for each row and class."""
    if TASK == "regression":
        return model.predict(pool(rows), thread_count=2)
    found = model.predict(pool(rows), prediction_type="Probability", thread_count=2)
    return found[:, 1] if TASK == "binary" else found[:, [list(model.classes_).index(name) for name in CLASSES]]
