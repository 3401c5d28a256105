"""Registered versions with their bytes, brought here and checked against their tags."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from modelyard.checkout.checkout import ModelView
from modelyard.errors import ModelyardError
from modelyard.files import sha256_of
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.manifests.names import Version
from modelyard.manifests.pipeline import read_lock
from modelyard.manifests.repository import model_file
from modelyard.registry.history import RegisteredVersion
from modelyard.registry.tags import version_tag


@dataclass(frozen=True)
class FetchedVersion:
    """One registered version with its bytes, checked against its tag."""

    model: Model
    version: RegisteredVersion
    artifact: Path
    sha256: str
    manifest: bytes

    @property
    def name(self) -> Version:
        """Such as v1.2.0."""
        return self.version.version


@contextmanager
def fetch_version(view: ModelView, version: RegisteredVersion) -> Iterator[FetchedVersion]:
    """A version's artifact in a folder that is gone afterwards; ModelyardError when the bytes differ."""
    model, checkout = view.name, view.checkout
    tag = version_tag(model, version.version)
    manifest = checkout.git.file_at(version.commit, model_file(model))
    lock = checkout.git.file_at(version.commit, f"models/{model}/dvc.lock")
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
        artifact = checkout.dvc.fetch(locked.md5, f"The artifact of {tag}", Path(scratch) / Path(path).name)
        sha256 = sha256_of(artifact)
        record = version.record
        if record and record.artifact != sha256:
            raise ModelyardError(
                f"The artifact of {tag} has sha256 {sha256[:12]}, but its tag says {record.artifact[:12]}.",
                "The stored bytes were changed or corrupted; restore them from a good remote.",
            )
        yield FetchedVersion(parsed, version, artifact, sha256, manifest)
