"""scikit-learn: a pipeline in the skops format. Texts are one-hot encoded, numbers filled in and scaled."""

import pandas as pd
from settings import BOOLEANS, CLASSES, INPUTS, NUMBERS, PARAMS, TASK, TEXTS
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skops import io


def features(rows: pd.DataFrame) -> pd.DataFrame:
    """The inputs as the library takes them."""
    return rows[INPUTS].astype(dict.fromkeys(BOOLEANS, "float64"))


def fit(rows: pd.DataFrame, label: pd.Series) -> Pipeline:
    """A model of some rows, by params.yaml."""
    parts = [
        ("levels", OneHotEncoder(handle_unknown="ignore"), TEXTS),
        ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
    ]
    last = Ridge if TASK == "regression" else LogisticRegression
    encoded = ColumnTransformer([part for part in parts if part[2]])
    return make_pipeline(encoded, last(**PARAMS["train"])).fit(features(rows), label)


def save(model: Pipeline, path: str) -> None:
    """Writes the artifact."""
    io.dump(model, path)


def load(path: str) -> Pipeline:
    """The artifact. numpy.dtype only describes data; modelyard trusts it too."""
    return io.load(path, trusted=["numpy.dtype"])


def scores(model: Pipeline, rows: pd.DataFrame) -> object:
    """A score for each row, or one for each row and class."""
    if TASK == "regression":
        return model.predict(features(rows))
    found = model.predict_proba(features(rows))
    return found[:, 1] if TASK == "binary" else found[:, [list(model.classes_).index(name) for name in CLASSES]]
