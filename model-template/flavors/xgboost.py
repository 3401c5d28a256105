"""XGBoost: a UBJSON file; texts are categories, whose levels the file lists."""

import pandas as pd
import xgboost
from settings import BOOLEANS, CLASSES, INPUTS, PARAMS, TASK, TEXTS

OBJECTIVES = {
    "binary": {"objective": "binary:logistic"},
    "multiclass": {"objective": "multi:softprob", "num_class": len(CLASSES)},
    "regression": {"objective": "reg:squarederror"},
}


def features(rows: pd.DataFrame) -> pd.DataFrame:
    """The inputs as the library takes them."""
    return rows[INPUTS].astype(dict.fromkeys(TEXTS, "category") | dict.fromkeys(BOOLEANS, "float64"))


def fit(rows: pd.DataFrame, label: pd.Series) -> xgboost.Booster:
    """A model of some rows, by params.yaml."""
    asked = dict(PARAMS["train"])
    trees = asked.pop("trees")
    codes = label.map(CLASSES.index) if TASK == "multiclass" else label
    data = xgboost.DMatrix(features(rows), codes, enable_categorical=True)
    return xgboost.train(OBJECTIVES[TASK] | asked | {"nthread": 2}, data, trees)


def save(model: xgboost.Booster, path: str) -> None:
    """Writes the artifact."""
    model.save_model(path)


def load(path: str) -> xgboost.Booster:
    """The artifact."""
    return xgboost.Booster(model_file=path)


def scores(model: xgboost.Booster, rows: pd.DataFrame) -> object:
    """A score for each row, or one for each row and class."""
    return model.predict(xgboost.DMatrix(features(rows), enable_categorical=True))
