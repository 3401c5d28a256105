"""One side of the join: reads the log and the labels of a folder, joins them, writes the labelled rows."""

from __future__ import annotations

import sys
from pathlib import Path

MODEL = """\
name: small
description: two inputs
owners: ["@bench"]
task: binary
policy: standard
files: {artifact: model.txt}
contract:
  id: id
  label: label
  inputs:
    - {name: x, type: float}
    - {name: colour, type: string}
"""


def ours(folder: Path) -> int:
    """Two passes over the segments."""
    from modelyard.ground_truth.join import NOTHING, join
    from modelyard.ground_truth.labels import read_ground_truth
    from modelyard.manifests.configuration import Environment
    from modelyard.manifests.conversion import parse
    from modelyard.manifests.model import Model
    from modelyard.predictions.interface import Window
    from modelyard.predictions.log import LogReader

    model = parse(Model, MODEL.encode(), "model.yaml")
    ground_truth = read_ground_truth(folder / "ground_truth.parquet", model)
    reader = LogReader(Environment(name="production"), folder)
    return join(reader, model, Window(0, 2e10), ground_truth, NOTHING, folder / "ours.parquet").labelled


def pandas(folder: Path) -> int:
    """What one writes by hand."""
    import pandas as pd

    segments = sorted((folder / ".modelyard/local/production/log/small").glob("*.parquet"))
    log = pd.concat([pd.read_parquet(path) for path in segments], ignore_index=True)
    ground_truth = pd.read_parquet(folder / "ground_truth.parquet")
    joined = log.merge(ground_truth.drop_duplicates("id", keep="last"), left_on="entity", right_on="id")
    joined.sort_values("time").drop_duplicates("entity", keep="last").to_parquet(folder / "pandas.parquet")
    return len(joined)


if __name__ == "__main__":
    print({"ours": ours, "pandas": pandas}[sys.argv[1]](Path(sys.argv[2])), "rows")
