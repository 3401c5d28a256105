"""Training rows → the artifact. The same rows and parameters give the same bytes."""

import json

import pandas as pd
from library import fit, save
from settings import FILES, FOLDER, LABEL


def main() -> None:
    """Fits the model and says on how many rows."""
    rows = pd.read_parquet(FILES["training"])
    save(fit(rows, rows[LABEL]), str(FILES["artifact"]))
    metrics = {"train": {"rows": len(rows)}}
    (FOLDER / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
