"""Runs in Evidently's own environment: reads, reports, writes the HTML, as its documentation shows."""

from __future__ import annotations

import sys

import pandas as pd
from evidently import BinaryClassification, DataDefinition, Dataset, Report
from evidently.presets import ClassificationPreset, DataDriftPreset


def flow(train: str, holdout: str, champion: str, candidate: str, out: str) -> None:
    """Drift of the holdout against the training data, and the candidate's quality against the champion's."""
    before, after = pd.read_parquet(train), pd.read_parquet(holdout)
    columns = [name for name in after.columns if name in before.columns]
    drift = Report([DataDriftPreset()]).run(Dataset.from_pandas(after[columns]), Dataset.from_pandas(before[columns]))
    drift.save_html(out)
    tables = [pd.read_parquet(path) for path in (candidate, champion)]
    definition = DataDefinition(
        classification=[BinaryClassification(target=LABEL, prediction_labels="decision", prediction_probas=SCORE)]
    )
    sets = []
    for table in tables:
        table["decision"] = (table[SCORE] >= 0.5).astype(int)
        table[LABEL] = table[LABEL].astype(int)
        sets.append(Dataset.from_pandas(table[[LABEL, SCORE, "decision"]], data_definition=definition))
    Report([ClassificationPreset()]).run(*sets).save_html(out)


LABEL, SCORE = "late", "prediction"


def drift(reference: str, current: str, out: str) -> None:
    """``DataDriftPreset`` over all columns of two files."""
    before, after = (Dataset.from_pandas(pd.read_parquet(path)) for path in (reference, current))
    Report([DataDriftPreset()]).run(after, before).save_html(out)


if __name__ == "__main__":
    part = flow if sys.argv[1] == "flow" else drift
    part(*sys.argv[2:])
