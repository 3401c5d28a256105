"""Held-out rows → predictions, in the shape modelyard reads: id, label, prediction, slice columns."""

import lightgbm as lgb
import pandas as pd
from settings import CONTRACT, EXTRA, FILES, INPUTS, TEXTS


def main() -> None:
    """Scores the holdout with the model just trained."""
    booster = lgb.Booster(model_file=FILES["artifact"])
    rows = pd.read_parquet(FILES["holdout"])
    inputs = rows[INPUTS].copy()
    for name in TEXTS:
        inputs[name] = inputs[name].astype("category")
    out = rows[[CONTRACT["id"], CONTRACT["label"], *EXTRA]].assign(prediction=booster.predict(inputs, num_threads=2))
    out.to_parquet(FILES["predictions"], index=False)


if __name__ == "__main__":
    main()
