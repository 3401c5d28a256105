"""A second run of a pipeline from its commit and data, compared with the first: of a version, or of the candidate."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np

from modelyard.candidate.evaluation import evaluate
from modelyard.candidate.files import Candidate
from modelyard.candidate.lineage import installed_packages
from modelyard.candidate.workspace import Workspace
from modelyard.checkout.artifacts import packages_of, registered_probe
from modelyard.checkout.checkout import ModelView
from modelyard.checkout.evidence_store import EvidenceStore
from modelyard.errors import ModelyardError, Refused
from modelyard.evidence.bundle import read_bundle
from modelyard.evidence.statement import read_statement, write_statement
from modelyard.evidence.training import Reproduction, differences
from modelyard.flavors.probe import Probe
from modelyard.git import Git
from modelyard.manifests.pipeline import locked_stages, read_lock
from modelyard.registry.repinning import repinned
from modelyard.scoring.probe import Probed, ask
from modelyard.scoring.scorer import prediction_columns, stacked
from modelyard.tables.file import read_table

_TOLERANCE = 1e-6


@dataclass(frozen=True)
class _Original:
    """The first run."""

    commit: str
    version: str
    """'' for a candidate."""
    artifact: str
    """sha256"""
    packages: dict[str, str]
    metrics: dict[str, float]
    probe: Probe | None


def reproduce(view: ModelView, version: str, say: Callable[[str], None]) -> Reproduction:
    """Checks out a version's commit in a temporary worktree, pulls its data, runs all stages and compares.

    ``pass``: the same bytes, which answer the probe rows as registered.
    ``inconclusive``: other bytes, predictions within 1e-6.
    ``fail``: other predictions, or other answers of the same bytes, as another release of a library can give.
    """
    known = view.version(version)
    record = known.record
    if record is None:
        problem = f"{view.name} {version} was tagged by hand, so its artifact is unknown."
        raise ModelyardError(problem, "Name another one.")
    probe = registered_probe(view, known)
    original = _Original(known.commit, version, record.artifact, packages_of(view, known), record.metrics, probe)
    return _compared(view, original, say)


def reproduce_candidate(view: ModelView, say: Callable[[str], None]) -> Reproduction:
    """The same for the candidate of HEAD, whose evidence is in this checkout; the result is kept with it."""
    workspace, artifact = Workspace(view), Candidate.of(view).sha256()
    documents = workspace.documents()
    bundle = read_bundle(view.name, artifact, documents)
    if bundle.training is None or bundle.evaluation is None:
        raise ModelyardError(
            f"The evidence about {view.name} {artifact[:12]} is not in this checkout, so nothing can be compared.",
            f"Run: modelyard run {view.name}",
        )
    metrics = {one.name: one.candidate for one in bundle.evaluation.metrics if one.candidate is not None}
    probe = read_statement(documents["probe"], "probe", Probe).predicate if "probe" in documents else None
    commit = view.checkout.git.commit_of("HEAD")
    found = _compared(view, _Original(commit, "", artifact, bundle.training.packages, metrics, probe), say)
    workspace.write_evidence("reproduction", write_statement("reproduction", view.name, artifact, found))
    return found


def repinned_stages(view: ModelView, revision: str = "HEAD") -> tuple[str, ...]:
    """The stages whose outputs dvc.lock of a revision pins anew, though a registered version ran them with the same."""
    if view.manifest.trained == "elsewhere":
        return ()  # its file is given, not made
    git, path = view.checkout.git, f"models/{view.name}/dvc.lock"
    content = git.file_at(revision, path)
    if content is None:
        return ()
    locks = {known.commit: git.file_at(known.commit, path) for known in view.history.all_versions}
    known = [locked_stages(lock, path) for lock in locks.values() if lock is not None]
    return repinned(known, locked_stages(content, path))


def _compared(view: ModelView, original: _Original, say: Callable[[str], None]) -> Reproduction:
    model = view.name
    if view.manifest.trained == "elsewhere":
        raise Refused(
            f"{model} was trained elsewhere, so nobody here can reproduce it.",
            f"Ask who trained it, or write a pipeline that does; see models/{model}/model.yaml.",
        )
    with view.checkout.at(original.commit) as there:
        pipeline = f"models/{model}/dvc.yaml"
        what = f"{model} {original.version}" if original.version else f"the candidate of {model}"
        say(f"Pulling the data of {what} …")
        there.dvc.pull(pipeline)
        say(f"Running every stage of {pipeline} …")
        there.dvc.reproduce(pipeline, force=True)
        candidate = Candidate.of(there.model(model))
        artifact = candidate.sha256()
        packages = differences(original.packages, installed_packages(candidate))
        locked = _locked(view.checkout.git, model, original.commit)
        outputs = _other_outputs(locked, there.root)
        found = Reproduction(
            model=model, version=original.version, outcome="pass", artifact_before=original.artifact,
            artifact_after=artifact, largest_difference=None, metrics=(), outputs=outputs, packages=packages,
            commit=original.commit,
        )  # fmt: skip
        if artifact == original.artifact:
            probe = _probed(candidate, original.probe)
            if probe is None:
                return found
            outcome: Literal["pass", "fail"] = "pass" if probe.same == probe.rows else "fail"
            return replace(found, outcome=outcome, probe=f"{probe.same}/{probe.rows}")
        largest = _largest_difference(view, candidate, locked, there.root)
        metrics = {
            m.name: f"{m.candidate:.6f}"
            for m in evaluate(candidate, None).evaluation.metrics
            if m.candidate is not None
        }
        before = {name: f"{value:.6f}" for name, value in original.metrics.items()}
        same = largest is not None and largest <= _TOLERANCE
        once_more = ""
        if not original.version:
            say("The bytes differ. Running every stage once more, to see whether the pipeline is deterministic …")
            there.dvc.reproduce(pipeline, force=True)
            once_more = candidate.sha256()
        return replace(
            found,
            once_more=once_more,
            outcome="inconclusive" if same else "fail",
            largest_difference=largest,
            metrics=differences(before, metrics),
        )


def file_reproduction(evidence: EvidenceStore, found: Reproduction) -> None:
    """Files the result with the evidence of the version."""
    content = write_statement("reproduction", found.model, found.artifact_before, found)
    path = f"{found.model}/{found.artifact_before}/reproduction.json"
    evidence.append({path: content}, f"{found.model} {found.version or 'candidate'}: reproduced, {found.outcome}")


def _locked(git: Git, model: str, commit: str) -> dict[str, str]:
    """Path of an output → its md5, as a commit pins them."""
    path = f"models/{model}/dvc.lock"
    content = git.file_at(commit, path) or b""
    return {entry.path: entry.md5 for entry in read_lock(content, path, partial(git.file_at, commit)).outputs}


def _other_outputs(locked: dict[str, str], folder: Path) -> tuple[str, ...]:
    found = []
    for path, md5 in locked.items():
        file = folder / path
        if file.is_file() and hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() != md5:
            found.append(path)
    return tuple(found)


def _probed(candidate: Candidate, probe: Probe | None) -> Probed | None:
    if probe is None:
        return None
    with candidate.load() as found:
        return ask(found, probe)


def _largest_difference(view: ModelView, candidate: Candidate, locked: dict[str, str], folder: Path) -> float | None:
    model = candidate.model
    md5 = locked.get(f"models/{model.name}/{model.files.predictions}")
    if md5 is None:
        return None
    columns = prediction_columns(model)
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        path = Path(scratch) / Path(model.files.predictions).name
        before = read_table(view.checkout.dvc.fetch(md5, f"The first predictions of {model.name}", path))
        after = read_table(folder / "models" / model.name / model.files.predictions)
        ids = before.texts(model.contract.id), after.texts(model.contract.id)
        if ids[0].size != ids[1].size or not bool((ids[0] == ids[1]).all()):
            return None
        return float(np.abs(stacked(before, columns) - stacked(after, columns)).max(initial=0.0))
