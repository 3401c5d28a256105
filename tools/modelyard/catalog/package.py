"""The build context of a container image that serves one version, with its SBOM."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelyard import __version__
from modelyard.catalog.bill_of_materials import bill_of_materials
from modelyard.catalog.versions import card_of
from modelyard.checkout.artifacts import fetch_version
from modelyard.checkout.checkout import ModelView
from modelyard.checkout.trust import require_trusted
from modelyard.files import write_whole
from modelyard.installation.jobs import FOLDER, INSTALLER, job_files, pins_of
from modelyard.installation.lock import read_lock, shipped, shipped_lock
from modelyard.installation.toolkit import INDEX, source_of
from modelyard.predictions.layout import Layout, State
from modelyard.report.generated import containerfile
from modelyard.rollout.plan import Live, Traffic
from modelyard.scoring.signature import flavor_of, require_host
from modelyard.targets.folder import pinned
from modelyard.targets.interface import Package
from modelyard.targets.local import write_version

ENVIRONMENT = "container"
MEASURED = "measured.txt"
"""The libraries that a version was measured with, where the lock has another version."""
_SERVED = "served"
_CONFIG = f"""\
# Read by the server in the container. Its token comes from the variable MODELYARD_TOKEN.
toolkit: {__version__}
environments:
  - name: {ENVIRONMENT}
    folder: {_SERVED}
    host: 0.0.0.0
    port: 8080
    tokens:
      - {{role: operator, token: "env:MODELYARD_TOKEN"}}
"""


@dataclass(frozen=True)
class BuildContext:
    """The folder of a version that an image is built from."""

    files: tuple[str, ...]
    """Its files, from the folder."""
    at: int
    """When the version was registered, in seconds since 1970: the time of every file, so that layers are the same."""


def package(view: ModelView, version: str, folder: Path) -> BuildContext:
    """Writes the build context of a version; Refused for an artifact that deploy would not trust."""
    model = view.name
    with fetch_version(view, view.version(version)) as found:
        require_trusted(view.checkout, found)
        layout = Layout(folder / _SERVED)
        require_host(found.model, "container")
        write_version(layout.version_folder(model, found.name), found.package)
        layout.write_state(State({model: Live(Traffic(found.name), {found.name: found.sha256})}))
        write_whole(folder / "modelyard.yaml", _CONFIG.encode())
        source = source_of(view.checkout.repository.root)
        flavor = flavor_of(found.model)
        files = image_files(found.package, flavor.extra, source)
        for name, text in files.items():
            write_whole(folder / FOLDER / name, text.encode())
        at = found.version.at
        build = containerfile(
            model, found.name, found.sha256, ENVIRONMENT, at=at, measured=MEASURED in files,
            libraries=(*flavor.system_packages, *(["git"] if source != INDEX else [])), installers=_installers(files),
        )  # fmt: skip
        write_whole(folder / "Containerfile", build.encode())
        write_whole(folder / "sbom.cdx.json", bill_of_materials(card_of(view, found.name)))
    paths = sorted(folder.rglob("*"))
    for path in [*paths, folder]:
        os.utime(path, (at, at))
    return BuildContext(tuple(str(path.relative_to(folder)) for path in paths if path.is_file()), at)


def image_files(found: Package, extra: str, source: str) -> dict[str, str]:
    """File name → content of the image's ``requirements/``: the server, locked, and the version's own libraries.

    A library at another version than the lock's stays at the one that the model was measured with, without a hash.
    """
    lock = shipped_lock()
    differing = {line.partition("==")[0]: line for line in pinned(found) if "==" in line}
    differing = {name: line for name, line in differing.items() if line.partition("==")[2] not in lock.versions(name)}
    files = {"install.sh": shipped("model-repo-template/requirements/install.sh").read_text(encoding="utf-8")}
    extras = ["serve", *filter(None, [extra])]
    files |= job_files(lock, {"serving": extras}, source)
    if differing:
        dropped = [pin.text + "\n" for pin in pins_of(lock, extras) if pin.name in differing]
        for text in dropped:
            files["serving.txt"] = files["serving.txt"].replace(text, "")
        files[MEASURED] = "".join(f"{line}\n" for line in differing.values())
    return files


def _installers(files: Mapping[str, str]) -> tuple[str, ...]:
    """The packages that are needed to install the others only, and pip."""
    installing, serving = ({pin.name for pin in read_lock(files[name]).pins} for name in (INSTALLER, "serving.txt"))
    return (*sorted(installing - serving), "pip")
