"""Artifacts of registered versions, fetched from DVC and checked against their tags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from modelyard.checkout.checkout import ModelView
from modelyard.errors import ModelyardError
from modelyard.evidence.statement import read_statement
from modelyard.evidence.training import Training
from modelyard.files import sha256_of, write_whole
from modelyard.flavors.probe import Probe
from modelyard.flavors.python import DEFAULT_FILES
from modelyard.git import Git
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.manifests.names import Version
from modelyard.manifests.pipeline import Lock, pointer_outputs, read_lock
from modelyard.manifests.repository import model_file
from modelyard.registry.history import RegisteredVersion
from modelyard.registry.tags import version_tag
from modelyard.scoring.signature import flavor_of
from modelyard.targets.interface import Package


@dataclass(frozen=True)
class FetchedVersion:
    """A registered version and its artifact, whose digest equals the one in its tag."""

    model: Model
    version: RegisteredVersion
    artifact: Path
    sha256: str
    manifest: bytes
    """``model.yaml`` at the version's commit."""
    folder: Path = Path()
    """Where the files of the model's own scorer are, as they were at the version's commit."""
    holdout: Path | None = None
    """The rows that it was measured on, as its commit pins them; None where they are not stored any more."""
    probe: Probe | None = None
    """None where none was filed with the version."""
    packages: dict[str, str] = field(default_factory=dict)
    """Package → version, as they were when the version was measured."""
    md5: str = ""
    """Its name in DVC's storage; '' where nobody asks for it."""

    @property
    def name(self) -> Version:
        """The version number, such as v1.2.0."""
        return self.version.version

    @property
    def package(self) -> Package:
        """The version as targets install it."""
        said = self.model.flavor
        names = [*(said.files or DEFAULT_FILES), *filter(None, [said.requirements])]
        own = names if flavor_of(self.model).own_code else []
        return Package(
            model=self.model.name,
            version=str(self.name),
            artifact=self.artifact,
            sha256=self.sha256,
            manifest=self.manifest,
            probe=self.probe,
            files={path: (self.folder / path).read_bytes() for path in own if (self.folder / path).is_file()},
            packages=self.packages,
        )


def require_manifest(view: ModelView, version: RegisteredVersion) -> tuple[Model, bytes]:
    """``model.yaml`` as it was registered, and its bytes; ModelyardError when it is missing or invalid."""
    tag, file = version_tag(view.name, version.version), model_file(view.name)
    content = view.checkout.git.file_at(version.commit, file)
    if content is None:
        raise ModelyardError(
            f"The commit of {tag} lacks {file}.", "Register a version with modelyard register and use that one."
        )
    return parse(Model, content, f"{tag}:{file}"), content


def packages_of(view: ModelView, version: RegisteredVersion) -> dict[str, str]:
    """Package → version from the filed training evidence; empty without it."""
    if version.record is None:
        return {}
    content = view.checkout.evidence.documents(view.name, version.record.artifact).get("training")
    if content is None:
        return {}
    try:
        return read_statement(content, "training", Training).predicate.packages
    except ModelyardError:
        return {}


def registered_probe(view: ModelView, version: RegisteredVersion) -> Probe | None:
    """The probe rows of a version; None for a handmade tag, or where none were filed."""
    record = version.record
    content = view.checkout.evidence.documents(view.name, record.artifact).get("probe") if record else None
    return read_statement(content, "probe", Probe).predicate if content else None


@contextmanager
def fetch_version(view: ModelView, version: RegisteredVersion, *, holdout: bool = False) -> Iterator[FetchedVersion]:
    """A version with its artifact in a temporary folder; ModelyardError when the bytes do not match the tag.

    With ``holdout``, the rows that it was measured on are fetched too.
    """
    model, checkout = view.name, view.checkout
    tag = version_tag(model, version.version)
    parsed, manifest = require_manifest(view, version)
    lock = checkout.git.file_at(version.commit, f"models/{model}/dvc.lock")
    if lock is None:
        raise ModelyardError(
            f"The commit of {tag} lacks models/{model}/dvc.lock.",
            "Register a version with modelyard register and use that one.",
        )
    path = f"models/{model}/{parsed.files.artifact}"
    read = partial(checkout.git.file_at, version.commit)
    pinned = read_lock(lock, f"models/{model}/dvc.lock", read)
    locked = pinned.output(path)
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
        folder = Path(scratch) / "model"
        folder.mkdir()
        if flavor_of(parsed).own_code:
            _write_files(checkout.git, version.commit, f"models/{model}", folder)
        documents = checkout.evidence.documents(model, sha256)
        probe, training = documents.get("probe"), documents.get("training")
        yield FetchedVersion(
            model=parsed,
            version=version,
            artifact=artifact,
            sha256=sha256,
            manifest=manifest,
            folder=folder,
            holdout=_fetch_holdout(view, parsed, pinned, read, Path(scratch) / "holdout") if holdout else None,
            probe=read_statement(probe, "probe", Probe).predicate if probe else None,
            packages=read_statement(training, "training", Training).predicate.packages if training else {},
            md5=locked.md5,
        )


def _fetch_holdout(
    view: ModelView, model: Model, pinned: Lock, read: Callable[[str], bytes | None], into: Path
) -> Path | None:
    """The held-out rows as a commit has them in git, or pins them in dvc.lock or a pointer; None when not stored."""
    path = f"models/{view.name}/{model.files.holdout}"
    place = into / Path(path).name
    content = read(path)
    if content is not None:
        write_whole(place, content)
        return place
    pointer = read(f"{path}.dvc")
    entries = [*pinned.outputs, *pinned.inputs, *(pointer_outputs(pointer, f"{path}.dvc") if pointer else ())]
    try:
        for entry in entries:
            if entry.path == path and entry.md5:
                return view.checkout.dvc.fetch(entry.md5, f"The held-out rows of {view.name}", place)
            if path.startswith(f"{entry.path}/") and entry.md5.endswith(".dir"):
                md5 = view.checkout.dvc.members(entry.md5).get(path.removeprefix(f"{entry.path}/"))
                return view.checkout.dvc.fetch(md5, f"The held-out rows of {view.name}", place) if md5 else None
    except ModelyardError:
        return None  # the check of kind holdout is inconclusive then
    return None


def _write_files(git: Git, commit: str, source: str, folder: Path) -> None:
    """What git keeps of a folder at a commit: the code that scored is the version's, never the checkout's."""
    for path in git.files_at(commit, source):
        content = git.file_at(commit, path)
        if content is not None:
            write_whole(folder / path.removeprefix(f"{source}/"), content)
