"""Small models of every flavor and task, trained by their own libraries, with the libraries' own predictions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

CELLS = [
    (flavor, task)
    for flavor in ("lightgbm", "xgboost", "catboost", "sklearn", "onnx", "python")
    for task in ("binary", "multiclass", "regression", "ranking")
    if (flavor, task) not in {("sklearn", "ranking"), ("onnx", "ranking")}
]
"""Flavors × the tasks that their libraries have."""
CLASSES = ["low", "mid", "high"]
REGIONS = ["east", "north", "None", "west"]
GRADES = [3, 7, 11, 20]
ROWS = 900

INPUTS: dict[str, dict[str, Any]] = {
    "amount": {"type": "float", "nullable": True},
    "grade": {"type": "integer", "categories": GRADES},
    "region": {"type": "string", "nullable": True},
    "member": {"type": "boolean"},
    "opened": {"type": "date"},
    "seen": {"type": "timestamp", "nullable": True},
    "spot": {"type": "vector", "length": 2},
}
_PLAIN = ("amount", "grade", "member")
_OWN = {
    "sklearn": ("amount", "grade", "region", "member"),
    "onnx": _PLAIN,
    "catboost": ("amount", "grade", "region", "member", "opened", "seen", "spot"),
}
_FILES = {
    "lightgbm": "model.txt", "xgboost": "model.ubj", "catboost": "model.cbm", "sklearn": "model.skops",
    "onnx": "model.onnx", "python": "weights.json",
}  # fmt: skip
SCORER = """\
import json

import numpy as np

WEIGHTS = {}


def load(path):
    with open(path) as file:
        WEIGHTS.update(json.load(file))


def predict(frame):
    print("scoring", len(frame), "rows")
    days = np.array([day.toordinal() for day in frame["opened"]]) - 739_000
    raw = frame["amount"].fillna(0.0) * WEIGHTS["amount"] + frame["member"] * 0.3 + days / 4000
    raw = raw + frame["region"].map({"east": 0.4, "north": -0.2}).fillna(0.0) + np.stack(frame["spot"])[:, 0] * 0.1
    if WEIGHTS["task"] == "binary":
        return 1 / (1 + np.exp(-raw))
    if WEIGHTS["task"] == "multiclass":
        several = np.exp(np.column_stack([raw, raw * 0.5, -raw]))
        return several / several.sum(axis=1, keepdims=True)
    return raw
"""


Predict = Callable[[pd.DataFrame], Any]
"""Rows as ``table`` makes them → the library's scores."""


@dataclass(frozen=True)
class Trained:
    """One model folder, and what its library predicts for the held-out rows."""

    name: str
    folder: Path
    task: str
    scores: np.ndarray[Any, Any]
    """(rows,), multiclass (rows, 3)."""
    holdout: pd.DataFrame
    predict: Predict
    """The library's own call."""


def table(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Rows with every kind of input, and a label for every task."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "id": [f"r{row:05d}" for row in range(rows)],
        "amount": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows).round(3)),
        "grade": rng.choice(GRADES, rows),
        "region": rng.choice(np.array([*REGIONS, None], dtype=object), rows),
        "member": rng.random(rows) < 0.5,
        "opened": [pd.Timestamp("2024-01-01").date() + pd.Timedelta(days=int(d)) for d in rng.integers(0, 700, rows)],
        "seen": pd.to_datetime(1_700_000_000_000_000 + rng.integers(0, 10**13, rows), unit="us", utc=True),
        "spot": [row.tolist() for row in rng.normal(size=(rows, 2)).round(3)],
    })  # fmt: skip
    frame.loc[rng.random(rows) < 0.05, "seen"] = pd.NaT
    raw = frame["amount"].fillna(0) + (frame["grade"] == 7) * 1.5 + (frame["region"] == "east") * 1.0
    raw = (raw + frame["member"] * 0.5 + rng.normal(size=rows)).to_numpy()
    frame["raw"] = raw
    frame["query"] = np.arange(rows) // 9
    return frame


def label_of(frame: pd.DataFrame, task: str) -> Any:
    """The label of a task."""
    raw = frame["raw"].to_numpy()
    if task == "binary":
        return (raw > 1).astype(np.int64)
    if task == "multiclass":
        return np.array(CLASSES, dtype=object)[np.digitize(raw, [0.3, 1.5])]
    return np.digitize(raw, [0, 1, 2]).astype(np.int64) if task == "ranking" else raw


def train(folder: Path, flavor: str, task: str, name: str = "") -> Trained:
    """Writes a model folder below ``folder/models``; its pipeline is one stage that does nothing."""
    name = name or f"{flavor}-{task}"
    place = folder / "models" / name
    (place / "data").mkdir(parents=True)
    frame = table()
    frame["label"] = label_of(frame, task)
    learn, held = frame.iloc[: ROWS * 2 // 3], frame.iloc[ROWS * 2 // 3 :].reset_index(drop=True)
    names = _OWN.get(flavor, tuple(INPUTS))
    kept = ["id", *names, "label", *(["query"] if task == "ranking" else [])]
    learn[kept].to_parquet(place / "data/train.parquet", index=False)
    held[kept].to_parquet(place / "data/holdout.parquet", index=False)
    predict = _TRAINERS[flavor](place / _FILES[flavor], learn, task)
    scores = predict(held)
    columns = [f"prediction_{c}" for c in CLASSES] if task == "multiclass" else ["prediction"]
    written = pd.DataFrame(np.asarray(scores, dtype=np.float64).reshape(len(held), -1), columns=columns)
    written.insert(0, "id", held["id"])
    written.to_parquet(place / "predictions.parquet", index=False)
    (place / "model.yaml").write_text(yaml.safe_dump(manifest(name, flavor, task, names), sort_keys=False))
    outs = [_FILES[flavor], "predictions.parquet", "data/train.parquet", "data/holdout.parquet"]
    (place / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"train": {"cmd": "true", "outs": outs}}}))
    if flavor == "python":
        (place / "src").mkdir(exist_ok=True)
        (place / "src/scorer.py").write_text(SCORER)
    return Trained(name, place, task, np.asarray(scores, dtype=np.float64), held, predict)


def manifest(name: str, flavor: str, task: str, names: tuple[str, ...]) -> dict[str, Any]:
    """model.yaml."""
    contract: dict[str, Any] = {
        "id": "id", "label": "label", "inputs": [{"name": key, **INPUTS[key]} for key in names],
    }  # fmt: skip
    evaluation: dict[str, Any] = {"slices": ["member"]}
    if task == "multiclass":
        contract["classes"] = CLASSES
    if task == "ranking":
        evaluation["query"] = "query"
    found: dict[str, Any] = {
        "name": name, "description": f"A {task} model of the tests.", "owners": ["@team"], "task": task,
        "policy": "standard", "files": {"artifact": _FILES[flavor]}, "contract": contract, "evaluation": evaluation,
    }  # fmt: skip
    if flavor == "python":
        found["flavor"] = {"name": "python"}
    return found


def matrix(frame: pd.DataFrame, names: tuple[str, ...] = tuple(INPUTS)) -> pd.DataFrame:
    """The inputs as tree libraries take them: dates as days, times as seconds, a vector as two columns."""
    found = frame[[name for name in names if name not in ("opened", "seen", "spot")]].copy()
    if "opened" in names:
        found["opened"] = (pd.to_datetime(frame["opened"]) - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
    if "seen" in names:
        found["seen"] = (frame["seen"] - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(seconds=1)
    if "spot" in names:
        found[["spot_0", "spot_1"]] = np.stack(frame["spot"].to_numpy())
    return found


def categorical(frame: pd.DataFrame) -> pd.DataFrame:
    """The same with pandas categories where a library takes them."""
    found = matrix(frame)
    found["region"] = pd.Categorical(found["region"], categories=REGIONS)
    found["grade"] = pd.Categorical(found["grade"], categories=GRADES)
    return found


def _codes(frame: pd.DataFrame, task: str) -> Any:
    label = frame["label"]
    return label.map(CLASSES.index) if task == "multiclass" else label


def _groups(frame: pd.DataFrame) -> Any:
    return frame.groupby("query", sort=False).size().to_numpy()


def _lightgbm(path: Path, learn: pd.DataFrame, task: str) -> Predict:
    import lightgbm

    objectives: dict[str, dict[str, Any]] = {
        "binary": {"objective": "binary"}, "multiclass": {"objective": "multiclass", "num_class": 3},
        "regression": {"objective": "regression"}, "ranking": {"objective": "lambdarank"},
    }  # fmt: skip

    # A boolean category beside plain booleans is what most pipelines have; both must be scored.
    def features(frame: pd.DataFrame) -> pd.DataFrame:
        found = categorical(frame)
        found["member"] = pd.Categorical(found["member"], categories=[False, True])
        return found

    data = lightgbm.Dataset(features(learn), _codes(learn, task), group=_groups(learn) if task == "ranking" else None)
    options = objectives[task] | {
        "verbosity": -1,
        "num_threads": 1,
        "min_data_in_leaf": 5,
        "min_data_per_group": 5,
        "seed": 1,
    }
    booster = lightgbm.train(options, data, 12)
    booster.save_model(path)
    return lambda frame: booster.predict(features(frame), num_threads=1)


def _xgboost(path: Path, learn: pd.DataFrame, task: str) -> Predict:
    import xgboost

    objectives: dict[str, dict[str, Any]] = {
        "binary": {"objective": "binary:logistic"}, "multiclass": {"objective": "multi:softprob", "num_class": 3},
        "regression": {"objective": "reg:squarederror"}, "ranking": {"objective": "rank:ndcg"},
    }  # fmt: skip
    data = xgboost.DMatrix(categorical(learn), _codes(learn, task), enable_categorical=True)
    if task == "ranking":
        data.set_group(_groups(learn))
    booster = xgboost.train(objectives[task] | {"nthread": 1, "seed": 1, "max_depth": 4}, data, 12)
    booster.save_model(path)
    return lambda frame: booster.predict(xgboost.DMatrix(categorical(frame), enable_categorical=True))


def _catboost(path: Path, learn: pd.DataFrame, task: str) -> Predict:
    import catboost

    loss = {"binary": "Logloss", "multiclass": "MultiClass", "regression": "RMSE", "ranking": "YetiRank"}[task]
    categories = ["grade", "region"]

    def pool(frame: pd.DataFrame, label: Any = None) -> Any:
        rows = matrix(frame)
        rows["region"] = rows["region"].where(rows["region"].notna(), "\0")
        group = frame["query"].to_numpy() if task == "ranking" else None
        return catboost.Pool(rows, label, cat_features=categories, group_id=group)

    model = catboost.CatBoost(
        {"loss_function": loss, "iterations": 12, "thread_count": 1, "random_seed": 1, "allow_writing_files": False}
    )
    model.fit(pool(learn, learn["label"]), verbose=False)
    model.save_model(str(path))
    kind = "Probability" if task in ("binary", "multiclass") else "RawFormulaVal"

    def predict(frame: pd.DataFrame) -> Any:
        scores = model.predict(pool(frame), prediction_type=kind, thread_count=1)
        if task == "multiclass":
            return scores[:, [list(model.classes_).index(name) for name in CLASSES]]
        return scores[:, 1] if task == "binary" else scores

    return predict


def _sklearn(path: Path, learn: pd.DataFrame, task: str) -> Predict:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    from skops import io

    names = list(_OWN["sklearn"])
    encoded = ColumnTransformer(
        [("level", OneHotEncoder(handle_unknown="ignore"), ["grade", "region"]), ("number", SimpleImputer(), ["amount"])],
        remainder="passthrough",
    )  # fmt: skip
    last = LinearRegression() if task == "regression" else LogisticRegression(max_iter=200)
    model = make_pipeline(encoded, last).fit(learn[names], learn["label"])
    io.dump(model, path)
    if task == "regression":
        return lambda frame: model.predict(frame[names])
    columns = 1 if task == "binary" else [list(model.classes_).index(name) for name in CLASSES]
    return lambda frame: model.predict_proba(frame[names])[:, columns]


def _onnx(path: Path, learn: pd.DataFrame, task: str) -> Predict:
    """What skl2onnx makes of a linear model on one matrix; its own predictions are ONNX Runtime's."""
    import onnxruntime
    from skl2onnx import to_onnx
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.pipeline import make_pipeline

    names = list(_PLAIN)
    rows = learn[names].to_numpy(np.float32)
    last = LinearRegression() if task == "regression" else LogisticRegression(max_iter=200)
    label = _codes(learn, task)  # so that the classes come in the contract's order
    model = make_pipeline(SimpleImputer(), last).fit(rows, label)
    options = None if task == "regression" else {id(model): {"zipmap": False}}
    path.write_bytes(to_onnx(model, rows[:1], options=options).SerializeToString())
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    output = session.get_outputs()[-1].name

    def predict(frame: pd.DataFrame) -> Any:
        (scores,) = session.run([output], {session.get_inputs()[0].name: frame[names].to_numpy(np.float32)})
        return scores[:, 1] if task == "binary" else scores.ravel() if task == "regression" else scores

    return predict


def _python(path: Path, learn: pd.DataFrame, task: str) -> Predict:
    path.write_text(json.dumps({"amount": 0.8, "task": task}))
    own: dict[str, Any] = {}
    exec(SCORER, own)  # noqa: S102 - the scorer that stands above
    own["load"](path)
    found: Predict = own["predict"]
    return found


_TRAINERS: dict[str, Any] = {
    "lightgbm": _lightgbm, "xgboost": _xgboost, "catboost": _catboost, "sklearn": _sklearn, "onnx": _onnx,
    "python": _python,
}  # fmt: skip
