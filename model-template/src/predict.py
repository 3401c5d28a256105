"""Held-out rows → predictions, in the shape modelyard reads: the id, and a column of scores or one for each class."""

import numpy as np
import pandas as pd
from library import load, scores
from settings import CLASSES, CONTRACT, FILES, TASK


def main() -> None:
    """Scores the held-out rows with the artifact."""
    rows = pd.read_parquet(FILES["holdout"])
    found = np.asarray(scores(load(str(FILES["artifact"])), rows), dtype=np.float64).reshape(len(rows), -1)
    names = [f"prediction_{name}" for name in CLASSES] if TASK == "multiclass" else ["prediction"]
    written = pd.DataFrame(found, columns=names)
    written.insert(0, CONTRACT["id"], rows[CONTRACT["id"]].to_numpy())
    written.to_parquet(FILES["predictions"], index=False)


if __name__ == "__main__":
    main()
