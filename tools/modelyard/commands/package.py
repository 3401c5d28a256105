"""``modelyard package``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.catalog.package import package
from modelyard.errors import UsageError
from modelyard.options import open_checkout, the_model
from modelyard.terminal import result, say


@click.command()
@click.argument("name", metavar="[MODEL[@VERSION]]", required=False)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The output folder; new or empty."
)
@click.pass_context
def command(context: click.Context, name: str | None, out: Path) -> None:
    """Write a version's Containerfile, SBOM and image content.

    The image serves the version like modelyard serve. The SBOM (CycloneDX 1.6) lists the model, its training data and
    the packages that trained it.
    """
    checkout = open_checkout(context)
    model, _, version = (name or "").partition("@")
    view = the_model(checkout, model or None)
    if not version:
        latest = view.history.latest
        if latest is None:
            raise UsageError(f"{view.name} has no version yet.", f"Run: modelyard register {view.name}")
        version = latest.version
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty.", "Name a new folder.")
    for written in package(view, version, out):
        result(written)
    say(f"Build it with: podman build -t {view.name.lower()}:{version} {out}")
