"""The requirement files of a model repository: one for each job in CI, with only what that job imports."""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelyard.dvc import driver_extra
from modelyard.errors import ModelyardError
from modelyard.files import write_whole
from modelyard.installation.extras import packages_of_extras
from modelyard.installation.lock import Lock, Pin, shipped_lock
from modelyard.installation.toolkit import toolkit_requirement
from modelyard.manifests.location import CONFIG
from modelyard.manifests.repository import ModelRepository

FOLDER = "requirements"
TOOLKIT = "toolkit.txt"
INSTALLER = "installer.txt"
JOBS: Mapping[str, tuple[str, ...]] = {
    "planning": ("plan",),
    "measuring": ("plan", "measure", "train", "report", "{flavors}", "{remotes}", "{secrets}"),
    "reporting": ("plan", "alerts", "{forge}", "{targets}", "{trackers}", "{secrets}", "{mirror}"),
    "deploying": (
        "plan", "measure", "report", "dvc", "sign", "{flavors}", "{remotes}", "{forge}", "{targets}", "{trackers}",
        "{secrets}", "{mirror}",
    ),
    "serving": ("plan", "serve", "{flavors}", "{secrets}"),
}  # fmt: skip
"""Job → its extras; ``{flavors}`` and the like stand for those that the repository's files ask for."""
_URL = re.compile(r"\b[a-z0-9]+://")
_TARGETS = {
    "mlserver": "mlserver", "kserve": "kubernetes", "seldon": "kubernetes", "sagemaker": "aws", "mlflow": "mlflow",
    "bentoml": "mlserver",
}  # fmt: skip
_SAMPLES = {"prometheus": "samples", "cloudwatch": "aws"}
_TRACKERS = ("mlflow", "openlineage", "wandb")
_INSTALLERS = ("uv", "setuptools", "hatchling", "editables")
"""uv, and what builds packages without a wheel and a toolkit from Git: an isolated build would have no hashes."""
_HEAD = "# The job {job}: the extras {extras}.\n# Written by modelyard init and modelyard update.\n"


@dataclass(frozen=True)
class Needs:
    """What a repository's files ask for, as extras."""

    flavors: tuple[str, ...] = ()
    remotes: tuple[str, ...] = ()
    forge: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    trackers: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    mirror: tuple[str, ...] = ()

    def extras(self, job: str) -> tuple[str, ...]:
        """The extras of a job, each once."""
        found: list[str] = []
        for extra in JOBS[job]:
            found += getattr(self, extra[1:-1]) if extra.startswith("{") else [extra]
        return tuple(dict.fromkeys(found))


def needs_of(repository: ModelRepository, added: Sequence[str] = (), without: str = "") -> Needs:
    """What modelyard.yaml, the models and DVC's settings ask for.

    ``added`` are flavors of models that come, ``without`` is a model that goes.
    """
    from modelyard.flavors.discovery import flavor_named
    from modelyard.scoring.signature import flavor_of

    config = repository.config
    models = [repository.model(name) for name in repository.model_names() if name != without]
    texts = [(repository.root / CONFIG).read_text(encoding="utf-8"), *remote_urls(repository.root).values()]
    texts += [model.ground_truth.uri for model in models if model.ground_truth]
    flavors = {flavor.extra for flavor in (*map(flavor_of, models), *map(flavor_named, added))} - {""}
    secrets = {extra for start, extra in (("vault:", "vault"), ("aws-sm:", "aws")) if start in texts[0]}
    if any(model.ground_truth and model.ground_truth.sql for model in models):
        secrets.add("sql")
    return Needs(
        flavors=tuple(sorted(flavors)),
        remotes=tuple(sorted({extra for url in _URL.findall(" ".join(texts)) if (extra := driver_extra(url))})),
        forge=() if config.forge == "git" else (config.forge,),
        targets=tuple(
            sorted(
                {_TARGETS[e.target] for e in config.environments if e.target in _TARGETS}
                | {_SAMPLES[e.samples.type] for e in config.environments if e.samples and e.samples.type in _SAMPLES}
            )
        ),
        trackers=tuple(sorted({tracker.type for tracker in config.trackers} & {*_TRACKERS})),
        secrets=tuple(sorted(secrets)),
        mirror=("aws",) if config.mirror else (),
    )


def remote_urls(root: Path) -> dict[str, str]:
    """Name → URL of each DVC remote in ``.dvc/config``; the default remote is first. Empty without that file."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(root / ".dvc" / "config", encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ModelyardError(
            f"{root / '.dvc' / 'config'} cannot be read: {str(error).splitlines()[0]}.", "Correct it: dvc remote list"
        ) from error
    found = {}
    for section in parser.sections():
        if section.strip("'").startswith('remote "') and (url := parser[section].get("url")):
            found[section.strip("'").removeprefix('remote "').rstrip('"')] = url
    default = parser.get("core", "remote", fallback="")
    return dict(sorted(found.items(), key=lambda item: item[0] != default))


def requirement_files(repository: ModelRepository, source: str, needs: Needs | None = None) -> dict[str, str]:
    """File name → content of ``requirements/`` for a source of the toolkit; no network is needed."""
    needs = needs or needs_of(repository)
    return job_files(shipped_lock(), {job: needs.extras(job) for job in JOBS}, source)


def job_files(lock: Lock, jobs: Mapping[str, Sequence[str]], source: str) -> dict[str, str]:
    """File name → content for jobs and their extras: the locked packages, the installer, the toolkit."""
    files = {TOOLKIT: toolkit_requirement(source), INSTALLER: _listed(lock.closure(_INSTALLERS))}
    for job, extras in jobs.items():
        files[f"{job}.txt"] = _HEAD.format(job=job, extras=", ".join(extras)) + _listed(pins_of(lock, extras))
    return files


def write_requirements(repository: ModelRepository, source: str) -> list[str]:
    """Writes ``requirements/`` and returns the paths that changed, from the root."""
    changed = []
    for name, text in requirement_files(repository, source).items():
        path = repository.root / FOLDER / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_whole(path, text.encode())
            changed.append(f"{FOLDER}/{name}")
    return changed


def changed_requirements(
    repository: ModelRepository, source: str, added: Sequence[str] = (), without: str = ""
) -> dict[str, bytes]:
    """Path → new content of the requirement files that a model's coming or going changes; empty without CI's files."""
    folder = repository.root / FOLDER
    if not (folder / TOOLKIT).is_file() or needs_of(repository, added, without) == needs_of(repository):
        return {}
    files = requirement_files(repository, source, needs_of(repository, added, without))
    del files[TOOLKIT]  # it does not depend on models
    before = {name: (folder / name).read_bytes() if (folder / name).is_file() else b"" for name in files}
    return {f"{FOLDER}/{name}": text.encode() for name, text in files.items() if text.encode() != before[name]}


def pins_of(lock: Lock, extras: Sequence[str]) -> tuple[Pin, ...]:
    """The pins of some extras and of what every command needs."""
    packages = packages_of_extras(everywhere=True)
    if not packages:
        raise ModelyardError("The installed modelyard has no metadata.", "Install it with: pip install modelyard")
    return lock.closure([*packages[""], *(name for extra in extras for name in packages[extra])])


def _listed(pins: Sequence[Pin]) -> str:
    return "".join(f"{pin.text}\n" for pin in pins)
