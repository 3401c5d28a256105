"""What is measured is what serves: a flavor that goes wrong is caught by the comparison and by the probe rows.

Each mutant is a sound flavor whose scorer does one thing wrong. The comparison sees it when the pipeline's own
predictions are right, the probe when the version was registered before the flavor went wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from flavors.conftest import FLAVORS
from modelyard.candidate.evaluation import Evaluated, evaluate
from modelyard.candidate.files import Candidate
from modelyard.checkout.artifacts import FetchedVersion
from modelyard.errors import ModelyardError
from modelyard.files import sha256_of
from modelyard.flavors.discovery import flavor_named
from modelyard.flavors.interface import Fault, Scorer
from modelyard.flavors.served import Served
from modelyard.flavors.values import Column, Columns, Floats
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.manifests.names import Version
from modelyard.registry.history import RegisteredVersion
from modelyard.scoring.probe import ask, require_same
from modelyard.scoring.scorer import LoadedArtifact
from modelyard.targets.folder import lay_out
from support import models
from support.models import GRADES, Trained, train

Change = Callable[[Columns], Columns]


@dataclass(frozen=True)
class Mutated:
    """A scorer that gets other columns than it was asked for."""

    scorer: Scorer
    change: Change

    def score(self, columns: Columns) -> Floats:
        return self.scorer.score(self.change(columns))

    def close(self) -> None:
        self.scorer.close()


def swapped(one: str, other: str) -> Change:
    """Two columns exchanged."""
    return lambda columns: {**columns, one: columns[other], other: columns[one]}


def shifted(name: str, levels: list[Any]) -> Change:
    """Every known category taken for the next one."""

    def change(columns: Columns) -> Columns:
        after = dict(zip(levels, [*levels[1:], levels[0]], strict=True))
        values = [after.get(value, value) for value in columns[name]]
        found: Column = (
            values if isinstance(columns[name], list) else np.array(values, dtype=np.asarray(columns[name]).dtype)
        )
        return {**columns, name: found}

    return change


def rounded(columns: Columns) -> Columns:
    """Every number rounded to float32."""
    return {
        name: values.astype(np.float32).astype(np.float64)
        if isinstance(values, np.ndarray) and values.dtype.kind == "f"
        else values
        for name, values in columns.items()
    }


@pytest.fixture(scope="module")
def measured(cells: dict[str, Trained]) -> dict[str, Evaluated]:
    """By the sound flavors: their probe rows are what was registered."""
    return {flavor: evaluate(candidate(cell), None) for flavor, cell in cells.items()}


def candidate(cell: Trained) -> Candidate:
    return Candidate(manifest(cell), cell.folder)


def manifest(cell: Trained) -> Model:
    return parse(Model, (cell.folder / "model.yaml").read_bytes(), "model.yaml")


def mutate(monkeypatch: pytest.MonkeyPatch, flavor: str, change: Change) -> None:
    kind = type(flavor_named(flavor))
    sound = kind.load
    monkeypatch.setattr(kind, "load", lambda *given: Mutated(sound(*given), change))


def require_caught(cell: Trained, found: Evaluated, folder: Path) -> None:
    """The comparison, the probe, the champion's probe and another server refuse what scores now."""
    model = manifest(cell)
    with pytest.raises(ModelyardError, match=r"artifact: [\d,]+ of [\d,]+ held-out rows differ"):
        evaluate(candidate(cell), None)
    require_probe_fails(cell, found, folder)
    loaded = LoadedArtifact.load(model, cell.folder / model.files.artifact, cell.folder)
    answered = ask(loaded, found.probe)
    loaded.close()
    with pytest.raises(ModelyardError, match=r"v1\.0\.0 .* for \d+ of 100 probe rows"):
        require_same(answered, "v1.0.0")


def require_probe_fails(cell: Trained, found: Evaluated, folder: Path) -> None:
    """Whoever loads the registered version refuses it: as champion, and as another server."""
    with pytest.raises(ModelyardError, match=r"the champion v1\.0\.0 .* for \d+ of 100 probe rows"):
        evaluate(candidate(cell), registered(cell, found))
    lay_out(folder / "served", registered(cell, found).package)
    with pytest.raises(Fault, match=r"v1\.0\.0 .* for \d+ of 100 probe rows"):
        Served.open(folder / "served")


def registered(cell: Trained, found: Evaluated) -> FetchedVersion:
    """The cell as it was registered, with its probe rows."""
    content = (cell.folder / "model.yaml").read_bytes()
    model = manifest(cell)
    artifact = cell.folder / model.files.artifact
    return FetchedVersion(
        model=model, version=RegisteredVersion(Version("v1.0.0"), "c" * 40, 0, "ada", ""), artifact=artifact,
        sha256=sha256_of(artifact), manifest=content, folder=cell.folder, probe=found.probe,
    )  # fmt: skip


@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_sound_flavor_passes(
    cells: dict[str, Trained], measured: dict[str, Evaluated], flavor: str, tmp_path: Path
) -> None:
    version = registered(cells[flavor], measured[flavor])
    again = evaluate(candidate(cells[flavor]), version).evaluation
    assert again.champion == "v1.0.0" and again.identical_bytes and again.metrics[0].difference == 0
    lay_out(tmp_path, version.package)
    Served.open(tmp_path).scorer.close()


@pytest.mark.parametrize("flavor", FLAVORS)
def test_two_columns_that_are_swapped(
    cells: dict[str, Trained],
    measured: dict[str, Evaluated],
    monkeypatch: pytest.MonkeyPatch,
    flavor: str,
    tmp_path: Path,
) -> None:
    change = swapped("opened", "grade") if flavor == "python" else swapped("amount", "grade")
    mutate(monkeypatch, flavor, change)
    require_caught(cells[flavor], measured[flavor], tmp_path)


@pytest.mark.parametrize("flavor", FLAVORS)
def test_categories_that_are_shifted(
    cells: dict[str, Trained],
    measured: dict[str, Evaluated],
    monkeypatch: pytest.MonkeyPatch,
    flavor: str,
    tmp_path: Path,
) -> None:
    change = (
        shifted("region", ["east", "north"]) if flavor == "python" else shifted("grade", [float(g) for g in GRADES])
    )
    mutate(monkeypatch, flavor, change)
    require_caught(cells[flavor], measured[flavor], tmp_path)


@pytest.mark.parametrize("flavor", ["lightgbm", "sklearn", "python"])
def test_inputs_that_are_rounded_to_float32(
    cells: dict[str, Trained],
    measured: dict[str, Evaluated],
    monkeypatch: pytest.MonkeyPatch,
    flavor: str,
    tmp_path: Path,
) -> None:
    """CatBoost computes in double too, but its own features are float32, so rounding them changes nothing."""
    assert flavor_named(flavor).tolerance == 1e-9
    cell, found = cells[flavor], measured[flavor]
    if flavor == "lightgbm":  # a tree sees that a number was rounded only where it crosses a split
        cell = large_numbers(tmp_path)
        found = evaluate(candidate(cell), None)
    mutate(monkeypatch, flavor, rounded)
    require_caught(cell, found, tmp_path)


def large_numbers(folder: Path) -> Trained:
    """A model that tells whole numbers apart which are one number in float32."""
    import lightgbm

    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"id": [f"r{i}" for i in range(900)], "amount": 2.0**24 + rng.integers(0, 10, 900)})
    frame["label"] = ((frame["amount"] % 2 == 1) ^ (rng.random(900) < 0.2)).astype(int)
    place = folder / "models/large"
    (place / "data").mkdir(parents=True)
    learn, held = frame[:600], frame[600:].reset_index(drop=True)
    learn.to_parquet(place / "data/train.parquet", index=False)
    held.to_parquet(place / "data/holdout.parquet", index=False)
    data = lightgbm.Dataset(learn[["amount"]], learn["label"])
    booster = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_in_bin": 1}, data, 20)
    booster.save_model(place / "model.txt")
    scores = booster.predict(held[["amount"]])
    held[["id"]].assign(prediction=scores).to_parquet(place / "predictions.parquet", index=False)
    written = models.manifest("large", "lightgbm", "binary", ("amount",)) | {"evaluation": {}}
    (place / "model.yaml").write_text(yaml.safe_dump(written))
    return Trained("large", place, "binary", scores, held, booster)


@pytest.mark.parametrize("flavor", FLAVORS)
def test_another_version_that_is_loaded(
    cells: dict[str, Trained],
    measured: dict[str, Evaluated],
    monkeypatch: pytest.MonkeyPatch,
    flavor: str,
    tmp_path: Path,
) -> None:
    kind = type(flavor_named(flavor))
    sound = kind.load
    other = another(tmp_path, flavor, monkeypatch)
    monkeypatch.setattr(kind, "load", lambda self, artifact, *given: sound(self, other, *given))
    require_caught(cells[flavor], measured[flavor], tmp_path)


@pytest.mark.parametrize("flavor", FLAVORS)
def test_another_artifact_under_the_registered_name(
    cells: dict[str, Trained],
    measured: dict[str, Evaluated],
    monkeypatch: pytest.MonkeyPatch,
    flavor: str,
    tmp_path: Path,
) -> None:
    version = registered(cells[flavor], measured[flavor])
    lay_out(tmp_path / "served", version.package)
    other = another(tmp_path, flavor, monkeypatch)
    (tmp_path / "served/artifact" / version.artifact.name).write_bytes(other.read_bytes())
    with pytest.raises(Fault, match="has sha256"):
        Served.open(tmp_path / "served")


def another(folder: Path, flavor: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The artifact of another version, trained on other rows."""
    with monkeypatch.context() as patch:
        patch.setattr(models, "table", partial(models.table, seed=1))
        cell = train(folder / "other", flavor, "binary")
    artifact = cell.folder / manifest(cell).files.artifact
    if flavor == "python":
        artifact.write_text(json.dumps({"amount": 0.6, "task": "binary"}))
    return artifact
