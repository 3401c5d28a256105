"""A model taken out of a model repository: its folder, deployments, waivers, and its lines in shared files."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from modelyard.checkout.checkout import Checkout
from modelyard.errors import ModelyardError, Refused
from modelyard.files import small_files
from modelyard.installation.jobs import changed_requirements
from modelyard.installation.toolkit import source_of
from modelyard.manifests.pipeline import read_pipeline
from modelyard.manifests.repository import deployment_file
from modelyard.report.generated import OWNER_FILES, is_generated, render_owners
from modelyard.setup.artifact_list import FILE, without_artifact
from modelyard.setup.tree_change import TreeChange, carry_out


@dataclass(frozen=True)
class Removal:
    """What a removal takes out, and what stays."""

    changed: tuple[str, ...]
    """Files that name the model among others."""
    removed: tuple[str, ...]
    stays: tuple[str, ...]
    """Sentences."""


def remove_model(checkout: Checkout, name: str, force: bool) -> Removal:
    """Takes a model out of the working tree, as a whole or not at all.

    Refused while an environment serves it or while files of it are in no commit, unless ``force``; and, always, while
    the pipeline of another model reads its files.
    """
    repository, git, root = checkout.repository, checkout.git, checkout.root
    folder = f"models/{name}"
    repository.model_folder(name)
    removed = [folder, *_deployments(checkout, name), *_waivers(checkout, name)]
    for reader in repository.model_names():
        if reader != name and _reads(root, reader, folder):
            raise Refused(
                f"The pipeline of {reader} reads files of {folder}/.", f"Change models/{reader}/dvc.yaml first."
            )
    if not force:
        live = [
            f"{environment.name} ({assigned.version})"
            for environment in repository.config.environments
            if (assigned := checkout.history(name).assigned(environment.name)) and assigned.version
        ]
        if live:
            raise Refused(
                f"{name} is live in {', '.join(live)}.",
                f"Take it out of use first: modelyard archive {name}. Or remove it all the same: --force",
            )
        lost = [*git.uncommitted(*removed), *git.untracked(*removed)]
        if lost:
            more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
            raise Refused(
                f"Files of {name} are in no commit and would be lost: {', '.join(lost[:3])}{more}.",
                "Commit them, so that git keeps them. Or remove them all the same: --force",
            )
    writes: dict[str, bytes | Path] = {}
    stays = [f"The tags {name}@… and the branch modelyard/evidence keep the record of its versions."]
    owners_file = OWNER_FILES[repository.config.forge]
    if (root / owners_file).is_file():
        if is_generated((root / owners_file).read_bytes()):
            owners = {other: repository.model(other).owners for other in repository.model_names() if other != name}
            writes[owners_file] = render_owners(repository.config.owners, owners).encode()
        else:
            stays.append(f"{owners_file} is written by hand; remove the lines of {name}.")
    if (root / FILE).is_file():
        content = (root / FILE).read_bytes()
        changed = without_artifact(content, name)
        if changed is not None:
            writes[FILE] = changed
        elif f"{name}:".encode() in content:
            stays.append(f"{FILE} could not be changed; remove the artifact {name}.")
    with suppress(ModelyardError):  # validate reports a model that cannot be read
        writes |= changed_requirements(repository, source_of(root), without=name)
    data = sorted(f"data/{path.name}" for path in (root / "data").glob(f"{name}.*.dvc"))
    if data:
        stays.append(f"Its data stays, for other models may read it: {', '.join(data)}.")
    carry_out(root, TreeChange(writes, tuple(removed)))
    return Removal(tuple(sorted(writes)), tuple(removed), tuple(stays))


def _deployments(checkout: Checkout, name: str) -> list[str]:
    places = [deployment_file(environment.name, name) for environment in checkout.repository.config.environments]
    return [place for place in places if (checkout.root / place).is_file()]


def _waivers(checkout: Checkout, name: str) -> list[str]:
    return [file for file, waiver in checkout.repository.waivers() if waiver.model == name]


def _reads(root: Path, reader: str, folder: str) -> bool:
    file = f"models/{reader}/dvc.yaml"
    with suppress(ModelyardError, OSError):  # validate reports a pipeline that cannot be read
        pipeline = read_pipeline((root / file).read_bytes(), file, small_files(root))
        return any(path == folder or path.startswith(f"{folder}/") for path in pipeline.reads)
    return False
