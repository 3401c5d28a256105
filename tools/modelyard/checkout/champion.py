"""Who the champion is, and how its bytes are brought here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from modelyard.dvc import Dvc
from modelyard.errors import ModelyardError, UsageError
from modelyard.files import sha256_of
from modelyard.git import Git
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.manifests.names import Version
from modelyard.manifests.pipeline import read_lock
from modelyard.manifests.repository import ModelRepository, model_file
from modelyard.registry.history import ModelHistory, RegisteredVersion, read_registry
from modelyard.registry.tags import model_patterns, version_tag


@dataclass(frozen=True)
class FetchedVersion:
    """One registered version with its bytes, checked against its tag."""

    model: Model
    version: RegisteredVersion
    artifact: Path
    sha256: str
    manifest: bytes

    @property
    def name(self) -> str:
        """Such as v1.2.0."""
        return str(self.version.version)


def model_history(git: Git, model: str) -> ModelHistory:
    """What the tags say about one model; a UsageError where this clone cannot know."""
    history = read_registry(git.tags(*model_patterns(model))).history(model)
    if not history.versions and git.is_shallow() and git.remote():
        raise UsageError(
            f"This clone is shallow and has no tags of {model}, so it cannot tell what is registered.",
            f"Run: git fetch {git.remote()} 'refs/tags/{model}@*:refs/tags/{model}@*'"
            f" 'refs/tags/{model}#*:refs/tags/{model}#*'",
        )
    return history


def champion_of(repository: ModelRepository, history: ModelHistory) -> RegisteredVersion | None:
    """The version the last environment serves; before the first deployment, the latest; None before the first."""
    for environment in reversed(repository.config.environments):
        assigned = history.assigned(environment.name)
        number = Version.parse(assigned.version) if assigned else None
        if number is not None:
            return history.version(number) or history.latest
    return history.latest


def version_by_name(history: ModelHistory, name: str) -> RegisteredVersion:
    """A registered version by its number; a UsageError when there is none."""
    number = Version.parse(name)
    found = next((known for known in history.ever if known.version == number), None)
    if found is None:
        known = ", ".join(str(known.version) for known in history.versions[-5:]) or "none"
        raise UsageError(f"{history.model} has no version {name}.", f"Registered: {known}.")
    return found


@contextmanager
def fetched(git: Git, dvc: Dvc, model: str, version: RegisteredVersion) -> Iterator[FetchedVersion]:
    """Brings a version's artifact into a folder that is gone afterwards; ModelyardError when the bytes differ."""
    tag = version_tag(model, version.version)
    manifest = git.file_at(version.commit, model_file(model))
    lock = git.file_at(version.commit, f"models/{model}/dvc.lock")
    if manifest is None or lock is None:
        raise ModelyardError(
            f"The commit of {tag} holds no models/{model}/model.yaml and dvc.lock.",
            "It was not registered by modelyard register; register a sound version.",
        )
    parsed = parse(Model, manifest, f"{tag}:{model_file(model)}")
    path = f"models/{model}/{parsed.files.artifact}"
    locked = read_lock(lock, f"models/{model}/dvc.lock").output(path)
    if locked is None:
        raise ModelyardError(f"The dvc.lock of {tag} pins no {path}.", "Register a version whose pipeline makes it.")
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        artifact = dvc.fetch(locked.md5, f"The artifact of {tag}", Path(scratch) / Path(path).name)
        sha256 = sha256_of(artifact)
        record = version.record
        if record and record.artifact != sha256:
            raise ModelyardError(
                f"The artifact of {tag} has sha256 {sha256[:12]}, but its tag says {record.artifact[:12]}.",
                "The stored bytes were changed or corrupted; restore them from a good remote.",
            )
        yield FetchedVersion(parsed, version, artifact, sha256, manifest)
