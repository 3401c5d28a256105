"""The models that a diff affects, found from the paths that their files name. DVC is not loaded."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from modelyard.checkout.pipelines import Change, touched_models
from modelyard.git import Git
from modelyard.manifests.document import ManifestErrors, parse_document
from modelyard.registry.history import read_registry


@dataclass(frozen=True)
class Affected:
    """One model, and the changed files that affect it."""

    model: str
    reasons: tuple[str, ...]


def affected_models(git: Git, base: str, head: str) -> list[Affected]:
    """Models of ``head`` affected by the changes since its merge base with ``base``, sorted by name.

    Affected is every model that DVC would run again, has a changed file of its own, or names a changed policy. A waiver
    or a deployment affects none: what it says counts only after its merge, and nothing is measured anew for it.
    """
    changed = git.changes(base, head)
    if not changed:
        return []
    entries = git.entries_at(head)
    models = sorted(_model_names(entries))
    reasons = touched_models(Change(entries, changed, git.blobs, str(git.root)), models)
    for model, found in _by_policy(git, entries, models, changed).items():
        reasons.setdefault(model, set()).update(found)
    return [Affected(model, tuple(sorted(reasons[model]))) for model in models if model in reasons]


def all_models(git: Git) -> list[Affected]:
    """Every model of HEAD, sorted by name."""
    files = git.files_at("HEAD", "models")
    return [Affected(name, ("requested",)) for name in sorted(_model_names(files))]


def unregistered_models(git: Git, revision: str = "HEAD") -> list[Affected]:
    """Models that are merged but not registered: no version has the dvc.lock of the revision."""
    files = git.files_at(revision, "models")
    locks = {name: files[f"models/{name}/dvc.lock"] for name in sorted(_model_names(files))
             if f"models/{name}/dvc.lock" in files}  # fmt: skip
    blobs = git.blobs(locks.values())
    registry = read_registry(git.tags())
    found = []
    for name, sha in locks.items():
        digest = hashlib.sha256(blobs[sha]).hexdigest()
        known = {version.record.lock for version in registry.history(name).versions if version.record}
        if digest not in known:
            found.append(Affected(name, (f"models/{name}/dvc.lock is not registered yet",)))
    return found


def _model_names(files: Iterable[str]) -> set[str]:
    return {path.split("/")[1] for path in files if path.count("/") == 2 and path.endswith("/model.yaml")}


def _by_policy(
    git: Git, entries: Mapping[str, tuple[str, str]], models: Iterable[str], changed: Iterable[str]
) -> dict[str, set[str]]:
    """Model → the changed policy that its model.yaml names. An unreadable model.yaml may name any."""
    policies = {posixpath.splitext(posixpath.basename(path))[0]: path for path in changed if _is_policy(path)}
    if not policies:
        return {}
    manifests = {model: entries[f"models/{model}/model.yaml"][1] for model in models}
    blobs = git.blobs(manifests.values())
    found = {}
    for model, sha in manifests.items():
        try:
            value = parse_document(blobs[sha], f"models/{model}/model.yaml").value
        except ManifestErrors:
            found[model] = set(policies.values())
            continue
        name = value.get("policy") if isinstance(value, dict) else None
        if isinstance(name, str) and name in policies:
            found[model] = {policies[name]}
    return found


def _is_policy(path: str) -> bool:
    return path.startswith("policies/") and path.endswith(".yaml")
