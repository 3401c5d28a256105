"""The program in Evidently's environment: job and rows in, reports and snapshots out. It imports nothing of ours."""

from __future__ import annotations

import json
import math
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

_FEWEST = 30
"""With fewer labelled rows on a side there is no quality report."""


def main(job_file: Path, folder: Path, workspace: Path) -> None:
    """Writes ``drift`` and, with labels, ``quality`` (.html and .json) into a folder, and both into a Workspace."""
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset, RegressionPreset
    from evidently.ui.workspace import Workspace

    job = json.loads(job_file.read_text(encoding="utf-8"))
    current, reference = (pd.read_parquet(folder / f"{name}.parquet") for name in ("current", "reference"))
    used = [name for name in (*job["numbers"], *job["levels"]) if _has_values(name, current, reference)]
    runs: list[tuple[str, Any, Any, Any]] = []
    plain = DataDefinition(
        numerical_columns=[name for name in job["numbers"] if name in used],
        categorical_columns=[name for name in job["levels"] if name in used],
    )
    runs.append(("drift", DataDriftPreset(columns=used), plain, (current[used], reference[used])))
    labelled = tuple(side[side[job["label"]].notna()] for side in (current, reference))
    if job["task"] != "ranking" and min(map(len, labelled)) >= _FEWEST:
        columns = [job["label"], job["score"], *([job["decision"]] if job["task"] != "regression" else [])]
        preset = RegressionPreset() if job["task"] == "regression" else _classification(job)
        runs.append(("quality", preset, _quality(job), tuple(side[columns] for side in labelled)))
    place = Workspace.create(str(workspace))
    projects = place.search_project(job["project"])
    project = projects[0] if projects else place.create_project(job["project"])
    for name, preset, definition, sides in runs:
        now, then = (Dataset.from_pandas(side, data_definition=definition) for side in sides)
        title = f"{name}: {job['name']}"
        until = datetime.fromisoformat(job["until"].replace("Z", "+00:00"))
        snapshot = Report([preset], tags=[name]).run(now, then, timestamp=until, name=title)
        snapshot.save_html(str(folder / f"{name}.html"))
        found = json.loads(snapshot.json())
        (folder / f"{name}.json").write_text(json.dumps(_finite(found), sort_keys=True, indent=1), encoding="utf-8")
        for run in place.list_runs(project.id):  # the same window has one snapshot
            known = place.get_run(project.id, run)
            if known is not None and known.name == title:
                place.delete_run(project.id, run)
        place.add_run(project.id, snapshot)


def _has_values(name: str, *sides: Any) -> bool:
    return all(name in side.columns and side[name].notna().any() for side in sides)


def _classification(job: dict[str, Any]) -> Any:
    from evidently.presets import ClassificationPreset

    # Evidently decides by probabilities itself where it has them, and by 0.5 where it is not told otherwise.
    return ClassificationPreset(probas_threshold=job["threshold"] if job["task"] == "binary" else None)


def _quality(job: dict[str, Any]) -> Any:
    """The columns of a quality report."""
    from evidently import BinaryClassification, DataDefinition, MulticlassClassification, Regression

    label, score, decision = job["label"], job["score"], job["decision"]
    if job["task"] == "regression":
        return DataDefinition(numerical_columns=[label, score], regression=[Regression(target=label, prediction=score)])
    if job["task"] == "binary":
        kind = BinaryClassification(target=label, prediction_labels=decision, prediction_probas=score, pos_label="1")
    else:
        kind = MulticlassClassification(target=label, prediction_labels=decision)
    return DataDefinition(numerical_columns=[score], categorical_columns=[label, decision], classification=[kind])


def _finite(value: Any) -> Any:
    """The same JSON value with null for what is no finite number."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
