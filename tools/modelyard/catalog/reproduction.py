"""Makes a registered version once more, from nothing but its commit and its data, and compares."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from modelyard.candidate.evaluation import evaluate
from modelyard.candidate.files import Candidate
from modelyard.candidate.steps import installed_packages
from modelyard.catalog.versions import packages_of
from modelyard.checkout.champion import model_history, version_by_name
from modelyard.checkout.evidence_branch import append
from modelyard.dvc import Dvc
from modelyard.errors import ModelyardError
from modelyard.evidence.statement import write_statement
from modelyard.evidence.training import Reproduction, differences
from modelyard.flavors.interface import prediction_columns, stacked
from modelyard.git import Git
from modelyard.manifests.pipeline import read_lock
from modelyard.manifests.repository import ModelRepository
from modelyard.registry.history import RegisteredVersion
from modelyard.tables import read_table

_TOLERANCE = 1e-6


def reproduce(git: Git, root: Path, model: str, version: str, say: Callable[[str], None]) -> Reproduction:
    """Checks the version's commit out into a folder of its own, pulls its data, runs every stage, compares."""
    known = version_by_name(model_history(git, model), version)
    record = known.record
    if record is None:
        raise ModelyardError(f"{model} {version} was tagged by hand: nothing to compare with.", "Name another version.")
    dvc = Dvc(root)
    with _worktree(git, dvc, known.commit) as folder:
        pipeline = f"models/{model}/dvc.yaml"
        say(f"Pulling the data of {model} {version} …")
        there = Dvc(folder)
        there.pull(pipeline)
        say(f"Running every stage of {pipeline} …")
        there.reproduce(pipeline, force=True)
        candidate = Candidate.of(ModelRepository(folder), model)
        artifact = candidate.sha256()
        packages = differences(packages_of(git, model, known), installed_packages())
        outputs = _other_outputs(git, folder, model, known)
        if artifact == record.artifact:
            return Reproduction(model, version, "pass", record.artifact, artifact, None, (), outputs, packages)
        largest = _largest_difference(git, dvc, candidate, known, folder)
        metrics = {m.name: f"{m.candidate:.6f}" for m in evaluate(candidate, None).metrics if m.candidate is not None}
        before = {name: f"{value:.6f}" for name, value in record.metrics.items()}
        same = largest is not None and largest <= _TOLERANCE
        return Reproduction(
            model, version, "inconclusive" if same else "fail", record.artifact, artifact, largest,
            differences(before, metrics), outputs, packages,
        )  # fmt: skip


def file_reproduction(git: Git, found: Reproduction) -> None:
    """Files the result beside the version's evidence."""
    content = write_statement("reproduction", found.model, found.artifact_before, found)
    path = f"{found.model}/{found.artifact_before}/reproduction.json"
    append(git, {path: content}, f"{found.model}@{found.version}: reproduced, {found.outcome}")


@contextmanager
def _worktree(git: Git, dvc: Dvc, commit: str) -> Iterator[Path]:
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        folder = Path(scratch) / "worktree"
        git.run("worktree", "add", "--quiet", "--detach", str(folder), commit)
        try:
            dvc.lend_to(folder)
            yield folder
        finally:
            git.run("worktree", "remove", "--force", str(folder))


def _locked(git: Git, model: str, version: RegisteredVersion) -> dict[str, str]:
    content = git.file_at(version.commit, f"models/{model}/dvc.lock") or b""
    return {entry.path: entry.md5 for entry in read_lock(content, f"models/{model}/dvc.lock").outputs}


def _other_outputs(git: Git, folder: Path, model: str, version: RegisteredVersion) -> tuple[str, ...]:
    found = []
    for path, md5 in _locked(git, model, version).items():
        file = folder / path
        if file.is_file() and hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() != md5:
            found.append(path)
    return tuple(found)


def _largest_difference(
    git: Git, dvc: Dvc, candidate: Candidate, version: RegisteredVersion, folder: Path
) -> float | None:
    model = candidate.model
    md5 = _locked(git, model.name, version).get(f"models/{model.name}/{model.files.predictions}")
    if md5 is None:
        return None
    columns = prediction_columns(model)
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        path = Path(scratch) / Path(model.files.predictions).name
        before = read_table(dvc.fetch(md5, f"The predictions of {model.name} {version.version}", path))
        after = read_table(folder / "models" / model.name / model.files.predictions)
        ids = before.texts(model.contract.id), after.texts(model.contract.id)
        if ids[0].size != ids[1].size or not bool((ids[0] == ids[1]).all()):
            return None
        return float(np.abs(stacked(before, columns) - stacked(after, columns)).max(initial=0.0))
