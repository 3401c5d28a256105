"""Training rows → predictions on rows not learnt from: each part of the days by a model of the days before."""

import pandas as pd
from settings import CONTRACT, FILES, INPUTS
from train import fit, training_rows

PARTS = 4


def main() -> None:
    """Writes fold, label, prediction and the number of rows learnt from, which grows from fold to fold."""
    rows = training_rows()
    days = sorted(rows["day"].unique())
    part = rows["day"].map({day: i * PARTS // len(days) for i, day in enumerate(days)})
    found = []
    for fold in range(1, PARTS):
        past, held = rows[part < fold], rows[part == fold]
        prediction = fit(past).predict(held[INPUTS], num_threads=2)
        label = held[CONTRACT["label"]].to_numpy()
        name = f"{held['day'].min()} to {held['day'].max()}"
        found.append(pd.DataFrame({"fold": name, CONTRACT["label"]: label, "prediction": prediction,
                                   "trained_rows": len(past)}))  # fmt: skip
    pd.concat(found).to_parquet(FILES["folds"], index=False)


if __name__ == "__main__":
    main()
