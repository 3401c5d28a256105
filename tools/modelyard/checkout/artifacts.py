"""Artifacts of registered versions, fetched from DVC and checked against their tags."""

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
    """A registered version and its artifact, whose digest equals the one in its tag."""

    model: Model
    version: RegisteredVersion
    artifact: Path
    sha256: str
    manifest: bytes
    """``model.yaml`` at the version's commit."""

    @property
    def name(self) -> Version:
        """The version number, such as v1.2.0."""
        return self.version.version


@contextmanager
def fetch_version(view: ModelView, version: RegisteredVersion) -> Iterator[FetchedVersion]:
    """A version with its artifact in a temporary folder; ModelyardError when the bytes do not match the tag."""
    model, checkout = view.name, view.checkout
    tag = version_tag(model, version.version)
    manifest = checkout.git.file_at(version.commit, model_file(model))
    lock = checkout.git.file_at(version.commit, f"models/{model}/dvc.lock")
    if manifest is None or lock is None:
        raise ModelyardError(
            f"The commit of {tag} lacks models/{model}/model.yaml or dvc.lock.",
            "Register a version with modelyard register and use that one.",
        )
    parsed = parse(Model, manifest, f"{tag}:{model_file(model)}")
    path = f"models/{model}/{parsed.files.artifact}"
    locked = read_lock(lock, f"models/{model}/dvc.lock").output(path)
    if locked is None:
        raise ModelyardError(f"The dvc.lock of {tag} does not pin {path}.", "Register a version that has it.")
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        artifact = checkout.dvc.fetch(locked.md5, f"The artifact of {tag}", Path(scratch) / Path(path).name)
        sha256 = sha256_of(artifact)
        record = version.record
        if record and record.artifact != sha256:
            raise ModelyardError(
                f"The artifact of {tag} has sha256 {sha256[:12]}, but its tag records {record.artifact[:12]}.",
                "The stored bytes were changed or corrupted. Restore them from an intact remote.",
            )
        yield FetchedVersion(parsed, version, artifact, sha256, manifest)
