"""The interface of a flavor: how an artifact is recognised, loaded, scored, explained and hosted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from .signature import Signature
from .unsound import Unsound
from .values import Columns, Floats

MAXIMUM_ARTIFACT_BYTES = 2_000_000_000


class Fault(Exception):
    """The reason that an artifact cannot be loaded or scored: a sentence on the problem, and one on the remedy."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem, self.remedy = problem, remedy


@dataclass(frozen=True)
class Options:
    """The settings under ``flavor:`` in model.yaml, and the folder of its files."""

    folder: Path = Path()
    """The folder of ``files``, in which a command runs."""
    threads: int = 0
    """Threads of the library; 0 is the library's default."""
    trusted: tuple[str, ...] = ()
    """sklearn: types that may be loaded in addition to those that skops trusts."""
    output: str = ""
    """onnx: the output with the scores; '' if there is only one."""
    files: tuple[str, ...] = ()
    """python: the scorer, then the files that it imports; below ``folder``."""
    requirements: str = ""
    """python: the requirements file of its environment; '' is the interpreter of modelyard."""
    command: tuple[str, ...] = ()
    """command: the program and its arguments."""
    seconds: float = 60.0
    """python: seconds after which a call is stopped."""


class Scorer(Protocol):
    """A loaded artifact. Several threads may call ``score``."""

    def score(self, columns: Columns) -> Floats:
        """Scores (rows,), of a multiclass model (rows, classes), of canonical columns of equal length.

        Raises Fault if the library fails.
        """

    def close(self) -> None:
        """Ends the scorer's process, if it has one."""


@runtime_checkable
class Explained(Protocol):
    """A scorer whose library gives the contributions of inputs."""

    def contributions(self, columns: Columns) -> dict[str, Floats]:
        """Input → its contribution to the raw score of each row (rows,): SHAP values (Lundberg et al. 2020)."""

    def importance(self) -> dict[str, float]:
        """Input → its share of the model's importance, 0 to 1."""


class Flavor(ABC):
    """One kind of model. A class without state; docs/flavors.md says how to add one."""

    name: ClassVar[str]
    extra: ClassVar[str] = ""
    """The extra to install: ``pip install 'modelyard[<extra>]'``."""
    packages: ClassVar[tuple[str, ...]] = ()
    """Packages that score it. Their versions are recorded with each version of a model."""
    system_packages: ClassVar[tuple[str, ...]] = ()
    """Packages of Debian with the libraries that ``packages`` leave to the system."""
    formats: ClassVar[tuple[str, ...]] = ()
    """Names of its file formats, as in policies. None of them runs code when it is loaded."""
    endings: ClassVar[tuple[str, ...]] = ()
    """Endings of file names that select this flavor if model.yaml names none."""
    tolerance: ClassVar[float] = 1e-9
    """The largest difference of two equal scores, relative to max(1, |score|)."""
    explains: ClassVar[bool] = False
    """Whether its scorers are ``Explained``."""
    own_code: ClassVar[bool] = False
    """Whether files of the model's folder score it. They become part of each version."""
    blocks: ClassVar[bool] = False
    """Whether scoring may take long, because another process does it."""
    checks_files: ClassVar[bool] = False
    """Whether ``check`` tells every unsafe file. Otherwise a file is tried in another process before it is loaded, and
    the server waits for its scores only for a time."""
    hosts: ClassVar[Mapping[str, str]] = {}
    """Target → the flavor's name there. A target that is not listed cannot serve it."""

    @abstractmethod
    def recognise(self, head: bytes, members: tuple[str, ...]) -> str | None:
        """The format that a file's first bytes show; ``members`` are the names in a zip archive."""

    @abstractmethod
    def load(self, artifact: Path, signature: Signature, options: Options) -> Scorer:
        """The loaded artifact; Fault if it is damaged or does not fit the signature."""

    def check(self, artifact: Path) -> None:  # noqa: B027 - most formats cannot be checked from outside
        """Fault where the file is not one that the library can safely read; ``load`` asks it too."""

    def features(self, artifact: Path, options: Options) -> tuple[str, ...]:
        """The names of what the model reads, in its order; '' for each number without a name.

        Fault if the artifact is damaged. Only a process that may die calls it: ``trial.features_of``.
        """
        raise Fault(f"{artifact.name}: the flavor {self.name} tells no names of features.", "Name another flavor.")

    def versions(self, options: Options) -> dict[str, str]:
        """Package → version, of the installed packages that score it."""
        from importlib import metadata

        found = {}
        for package in self.packages:
            with suppress(metadata.PackageNotFoundError):
                found[package] = metadata.version(package)
        return found


def empty(signature: Signature) -> Floats:
    """The scores of no rows."""
    return np.empty((0, len(signature.classes)) if signature.task == "multiclass" else 0)


def as_scores(raw: object, signature: Signature, what: str) -> Floats:
    """The output of a library as scores (rows,); for a multiclass model (rows, classes).

    If a binary model gives a column for each class, the second one is taken. Fault for a score that is not a finite
    number: the caller would get null.
    """
    found = np.asarray(raw, dtype=np.float64)
    if not np.isfinite(found).all():
        raise Fault(
            f"{what} gives {int((~np.isfinite(found)).sum()):,} scores that are not finite numbers.",
            "Look for extreme or missing inputs; minimum, maximum and nullable in the contract keep such rows out.",
        )
    if signature.task == "multiclass":
        if found.ndim != 2 or found.shape[1] != len(signature.classes):
            raise Fault(
                f"{what} gives an array of shape {_shape(found)}, but contract.classes has {len(signature.classes)}.",
                "Name all classes in contract.classes, and train a model that gives a probability for each class.",
            )
        return np.ascontiguousarray(found)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim == 2 and found.shape[1] == 2 and signature.task == "binary":
        found = found[:, 1]
    if found.ndim != 1:
        raise Fault(
            f"{what} gives an array of shape {_shape(found)}; a {signature.task} model gives one score for each row.",
            "Correct the task in model.yaml, or the objective of the training.",
        )
    return np.ascontiguousarray(found)


def ordered_classes(found: Floats, classes: list[str], signature: Signature, what: str) -> Floats:
    """Probabilities (rows, classes) in the order of the contract; ``classes`` names the given columns.

    A binary label may have any two values; the larger one is the positive class.
    """
    if signature.task == "binary":
        return as_scores(found, signature, what)
    missing = sorted(set(signature.classes) ^ set(classes))
    if missing:
        raise Fault(
            f"The class {missing[0]!r} is not in both {what} and contract.classes.",
            "Name in contract.classes every value of the label, spelled as in the training table.",
        )
    return as_scores(found[:, [classes.index(name) for name in signature.classes]], signature, what)


def read_artifact(artifact: Path, what: str) -> bytes:
    """The bytes of an artifact; Fault if it cannot be read or is too large."""
    try:
        size = artifact.stat().st_size
        if size > MAXIMUM_ARTIFACT_BYTES:
            raise corrupt(artifact, what, f"its {size:,} bytes are more than {MAXIMUM_ARTIFACT_BYTES:,}")
        return artifact.read_bytes()
    except OSError as error:
        raise Fault(
            f"The artifact {artifact} cannot be read: {error.strerror}.", "Run: modelyard retrain MODEL"
        ) from error


def checked(content: bytes, artifact: Path, what: str, check: Callable[[bytes], None]) -> bytes:
    """The bytes of an artifact; Fault with the sentence of Unsound where ``check`` raises it."""
    try:
        check(content)
    except Unsound as error:
        raise corrupt(artifact, what, str(error)) from error
    return content


def corrupt(artifact: Path, what: str, why: str) -> Fault:
    """The fault of a file that is not a valid ``what``, such as "XGBoost model"."""
    return Fault(
        f"{artifact} is not a valid {what}: {why.rstrip('.')}.",
        "Pull it again (modelyard retrain MODEL), or name its real flavor in model.yaml.",
    )


def missing_library(extra: str, module: str) -> Fault:
    """The fault of a library that is not installed."""
    return Fault(f"{module} is not installed.", f"Install it with: pip install 'modelyard[{extra}]'")


def _shape(found: Floats) -> str:
    return f"({', '.join(map(str, found.shape))})"
