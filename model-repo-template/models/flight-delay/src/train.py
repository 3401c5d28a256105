"""Training rows → a LightGBM text model. The same rows and parameters give the same bytes."""

import json

import lightgbm as lgb
import pandas as pd
from settings import CONTRACT, FILES, FOLDER, INPUTS, PARAMS, TEXTS


def main() -> None:
    """Fits the model and says what it was fitted on."""
    rows = training_rows()
    fit(rows).save_model(FILES["artifact"])
    metrics = {"train": {"rows": len(rows), "base_rate": round(float(rows[CONTRACT["label"]].mean()), 6)}}
    (FOLDER / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


def training_rows() -> pd.DataFrame:
    """The rows to learn from, texts as categories."""
    rows = pd.read_parquet(FILES["training"])
    for name in TEXTS:
        rows[name] = rows[name].astype("category")
    return rows


def fit(rows: pd.DataFrame) -> lgb.Booster:
    """A model of some rows, by params.yaml."""
    asked = PARAMS["train"]
    options = {
        "objective": "binary",
        "learning_rate": asked["learning_rate"],
        "num_leaves": asked["num_leaves"],
        "min_data_in_leaf": asked["min_data_in_leaf"],
        "seed": asked["seed"],
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 2,  # fixed: another number of threads sums in another order
        "verbose": -1,
    }
    return lgb.train(options, lgb.Dataset(rows[INPUTS], rows[CONTRACT["label"]]), asked["trees"])


if __name__ == "__main__":
    main()
