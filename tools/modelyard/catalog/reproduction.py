"""Reproduction of a registered version from its commit and data, and comparison with the original."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np

from modelyard.candidate.evaluation import evaluate
from modelyard.candidate.files import Candidate
from modelyard.candidate.steps import installed_packages
from modelyard.catalog.versions import packages_of
from modelyard.checkout.artifacts import registered_probe
from modelyard.checkout.checkout import Checkout, ModelView
from modelyard.checkout.evidence_store import EvidenceStore
from modelyard.errors import ModelyardError
from modelyard.evidence.statement import write_statement
from modelyard.evidence.training import Reproduction, differences
from modelyard.manifests.pipeline import read_lock
from modelyard.registry.history import RegisteredVersion
from modelyard.scoring.probe import Probed, ask
from modelyard.scoring.scorer import prediction_columns, stacked
from modelyard.tables.file import read_table

_TOLERANCE = 1e-6


def reproduce(view: ModelView, version: str, say: Callable[[str], None]) -> Reproduction:
    """Checks out a version's commit in a temporary worktree, pulls its data, runs all stages and compares.

    ``pass``: the same bytes, which answer the probe rows as registered.
    ``inconclusive``: other bytes, predictions within 1e-6.
    ``fail``: other predictions, or other answers of the same bytes, as another release of a library can give.
    """
    model, known = view.name, view.version(version)
    record = known.record
    if record is None:
        raise ModelyardError(f"{model} {version} was tagged by hand, so its artifact is unknown.", "Name another one.")
    with _worktree(view.checkout, known.commit) as there:
        pipeline = f"models/{model}/dvc.yaml"
        say(f"Pulling the data of {model} {version} …")
        there.dvc.pull(pipeline)
        say(f"Running every stage of {pipeline} …")
        there.dvc.reproduce(pipeline, force=True)
        candidate = Candidate.of(there.model(model))
        artifact = candidate.sha256()
        packages = differences(packages_of(view, known), installed_packages(candidate))
        outputs = _other_outputs(view, known, there.root)
        found = Reproduction(
            model=model, version=version, outcome="pass", artifact_before=record.artifact, artifact_after=artifact,
            largest_difference=None, metrics=(), outputs=outputs, packages=packages,
        )  # fmt: skip
        if artifact == record.artifact:
            probe = _probed(view, candidate, known)
            if probe is None:
                return found
            outcome: Literal["pass", "fail"] = "pass" if probe.same == probe.rows else "fail"
            return replace(found, outcome=outcome, probe=f"{probe.same}/{probe.rows}")
        largest = _largest_difference(view, candidate, known, there.root)
        metrics = {
            m.name: f"{m.candidate:.6f}"
            for m in evaluate(candidate, None).evaluation.metrics
            if m.candidate is not None
        }
        before = {name: f"{value:.6f}" for name, value in record.metrics.items()}
        same = largest is not None and largest <= _TOLERANCE
        return replace(
            found,
            outcome="inconclusive" if same else "fail",
            largest_difference=largest,
            metrics=differences(before, metrics),
        )


def file_reproduction(evidence: EvidenceStore, found: Reproduction) -> None:
    """Files the result with the evidence of the version."""
    content = write_statement("reproduction", found.model, found.artifact_before, found)
    path = f"{found.model}/{found.artifact_before}/reproduction.json"
    evidence.append({path: content}, f"{found.model}@{found.version}: reproduced, {found.outcome}")


@contextmanager
def _worktree(checkout: Checkout, commit: str) -> Iterator[Checkout]:
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        folder = Path(scratch) / "worktree"
        with checkout.git.worktree(folder, commit):
            checkout.dvc.share_with(folder)
            yield Checkout(folder)


def _locked(view: ModelView, version: RegisteredVersion) -> dict[str, str]:
    path = f"models/{view.name}/dvc.lock"
    content = view.checkout.git.file_at(version.commit, path) or b""
    return {entry.path: entry.md5 for entry in read_lock(content, path).outputs}


def _other_outputs(view: ModelView, version: RegisteredVersion, folder: Path) -> tuple[str, ...]:
    found = []
    for path, md5 in _locked(view, version).items():
        file = folder / path
        if file.is_file() and hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() != md5:
            found.append(path)
    return tuple(found)


def _probed(view: ModelView, candidate: Candidate, version: RegisteredVersion) -> Probed | None:
    probe = registered_probe(view, version)
    if probe is None:
        return None
    with candidate.load() as found:
        return ask(found, probe)


def _largest_difference(
    view: ModelView, candidate: Candidate, version: RegisteredVersion, folder: Path
) -> float | None:
    model = candidate.model
    md5 = _locked(view, version).get(f"models/{model.name}/{model.files.predictions}")
    if md5 is None:
        return None
    columns = prediction_columns(model)
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        path = Path(scratch) / Path(model.files.predictions).name
        name = f"The predictions of {model.name} {version.version}"
        before = read_table(view.checkout.dvc.fetch(md5, name, path))
        after = read_table(folder / "models" / model.name / model.files.predictions)
        ids = before.texts(model.contract.id), after.texts(model.contract.id)
        if ids[0].size != ids[1].size or not bool((ids[0] == ids[1]).all()):
            return None
        return float(np.abs(stacked(before, columns) - stacked(after, columns)).max(initial=0.0))
