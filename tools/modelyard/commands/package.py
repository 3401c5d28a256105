"""``modelyard package``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.catalog.package import package
from modelyard.checkout.champion import model_history
from modelyard.dvc import Dvc
from modelyard.errors import UsageError
from modelyard.options import open_checkout, the_model
from modelyard.terminal import result, say


@click.command()
@click.argument("name", metavar="[MODEL[@VERSION]]", required=False)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The folder, new or empty."
)
@click.pass_context
def command(context: click.Context, name: str | None, out: Path) -> None:
    """Write a version's Containerfile and SBOM, with all the image needs.

    The image serves that version as modelyard serve does. The SBOM is CycloneDX 1.6: the model, the data and the
    packages that made it.
    """
    repository, git = open_checkout(context)
    model, _, version = (name or "").partition("@")
    model = the_model(repository, model or None)
    if not version:
        latest = model_history(git, model).latest
        if latest is None:
            raise UsageError(f"{model} has no version yet.", f"Run: modelyard register {model}")
        version = str(latest.version)
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty.", "Name a new folder.")
    for written in package(repository, git, Dvc(repository.root), model, version, out):
        result(written)
    say(f"Build it with: podman build -t {model.lower()}:{version} {out}")
