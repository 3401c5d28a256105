"""The jobs of a CI matrix: which models a job runs, on which runner, for how long at most."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct

from modelyard.checkout.affected import Affected
from modelyard.errors import ModelyardError
from modelyard.git import Git
from modelyard.manifests.configuration import Repository
from modelyard.manifests.conversion import parse
from modelyard.manifests.document import ManifestErrors
from modelyard.manifests.location import CONFIG
from modelyard.manifests.model import Model
from modelyard.manifests.names import is_name, seconds_of
from modelyard.manifests.repository import model_file

MATRIX = 256
"""Jobs that GitHub accepts in a matrix."""


class Job(Struct, frozen=True, omit_defaults=True):
    """One job of a matrix, as the workflows read it."""

    model: str
    """The name of a model, or of several with spaces between."""
    name: str = ""
    """A short name for a job with several models."""
    runner: tuple[str, ...] = ()
    """Labels of the runner; none: the workflow's own."""
    minutes: int = 0
    """After so many minutes the job is stopped; 0: the workflow's own limit."""


def matrix(git: Git, models: Sequence[str], head: str, base: str) -> list[Job]:
    """The jobs that run models of the commit ``head``. Above 256 models a job has several of the same kind.

    A runner's labels must be allowed by modelyard.yaml of ``base``: a pull request cannot send its own code to a runner
    that the default branch does not allow. ModelyardError for another label, and for a folder that no model may have.
    """
    # The workflow splits the names at spaces.
    if odd := next((model for model in models if not is_name(model)), None):
        raise ModelyardError(f"models/{odd!r} is not the name of a model.", "Rename the folder.")
    kinds: dict[tuple[tuple[str, ...], int], list[str]] = {}
    allowed: set[str] | None = None
    for model, manifest in _manifests(git, head, models).items():
        runner = tuple(manifest.runner) if manifest else ()
        if runner and allowed is None:
            allowed = set(_allowed(git, base))
        if refused := [label for label in runner if label not in (allowed or ())]:
            raise ModelyardError(
                f"{model_file(model)}: runner: {refused[0]!r} is not among the runners of {CONFIG} on the default"
                " branch.",
                f"Add it to runners in {CONFIG} first, in a change of its own.",
            )
        minutes = math.ceil(seconds_of(manifest.timeout) / 60) if manifest and manifest.timeout else 0
        kinds.setdefault((runner, minutes), []).append(model)
    spare = MATRIX - len(kinds)
    if spare < 0:
        raise ModelyardError(f"The models name {len(kinds)} kinds of runners.", f"GitHub accepts {MATRIX} jobs.")
    jobs = []
    for (runner, minutes), names in kinds.items():
        for group in shards(names, MATRIX if len(models) <= MATRIX else 1 + spare * len(names) // len(models)):
            short = f"{group[0]} and {len(group) - 1} more" if len(group) > 1 else ""
            jobs.append(Job(" ".join(group), short, runner, minutes))
    return sorted(jobs, key=lambda job: job.model)


def on_runner(git: Git, models: Sequence[Affected], head: str, label: str) -> list[Affected]:
    """Those of the models whose manifest at the commit ``head`` names a runner's label; '': those that name none.

    A manifest that cannot be read names none, so that some job reports its fault.
    """
    manifests = _manifests(git, head, [entry.model for entry in models])
    labels = {name: found.runner if found else [] for name, found in manifests.items()}
    return [entry for entry in models if (label in labels[entry.model] if label else not labels[entry.model])]


def shards(models: Sequence[str], most: int) -> list[tuple[str, ...]]:
    """The models in at most ``most`` groups of neighbours, whose sizes differ by one at the most."""
    count = min(len(models), most)
    ends = [len(models) * (i + 1) // count for i in range(count)]
    return [tuple(models[begin:end]) for begin, end in zip([0, *ends], ends, strict=False)]


def _manifests(git: Git, head: str, models: Sequence[str]) -> dict[str, Model | None]:
    """The manifests of models; None for one that cannot be read, which the job itself reports."""
    files = git.files_at(head, "models")
    blobs = git.blobs(files[path] for model in models if (path := model_file(model)) in files)
    found: dict[str, Model | None] = {}
    for model in models:
        path = model_file(model)
        try:
            found[model] = parse(Model, blobs[files[path]], path) if path in files else None
        except ManifestErrors:
            found[model] = None
    return found


def _allowed(git: Git, base: str) -> Iterable[str]:
    content = git.file_at(base, CONFIG)
    return parse(Repository, content, CONFIG).runners if content is not None else ()
