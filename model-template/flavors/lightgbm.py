"""LightGBM: a text file; texts are pandas categories, whose levels the file lists."""

import lightgbm
import pandas as pd
from settings import BOOLEANS, CLASSES, INPUTS, PARAMS, TASK, TEXTS

OBJECTIVES = {
    "binary": {"objective": "binary"},
    "multiclass": {"objective": "multiclass", "num_class": len(CLASSES)},
    "regression": {"objective": "regression"},
}


def features(rows: pd.DataFrame) -> pd.DataFrame:
    """The inputs as the library takes them."""
    return rows[INPUTS].astype(dict.fromkeys(TEXTS, "category") | dict.fromkeys(BOOLEANS, "float64"))


def fit(rows: pd.DataFrame, label: pd.Series) -> lightgbm.Booster:
    """A model of some rows, by params.yaml."""
    asked = dict(PARAMS["train"])
    trees = asked.pop("trees")
    # Fixed threads: another number of threads sums in another order.
    fixed = {"deterministic": True, "force_row_wise": True, "num_threads": 2, "verbose": -1}
    codes = label.map(CLASSES.index) if TASK == "multiclass" else label
    return lightgbm.train(OBJECTIVES[TASK] | asked | fixed, lightgbm.Dataset(features(rows), codes), trees)


def save(model: lightgbm.Booster, path: str) -> None:
    """Writes the artifact."""
    model.save_model(path)


def load(path: str) -> lightgbm.Booster:
    """The artifact."""
    return lightgbm.Booster(model_file=path)


def scores(model: lightgbm.Booster, rows: pd.DataFrame) -> object:
    """A score for each row, or one for each row and class."""
    return model.predict(features(rows), num_threads=2)
