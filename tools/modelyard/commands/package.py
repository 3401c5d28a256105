"""``modelyard package``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.catalog.image import working_builder
from modelyard.catalog.package import package
from modelyard.errors import UsageError
from modelyard.options import open_checkout, the_model
from modelyard.report.generated import BASE_IMAGE
from modelyard.terminal import result, say


@click.command()
@click.argument("name", metavar="[MODEL[@VERSION]]", required=False)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The output folder; new or empty."
)
@click.option("--build", is_flag=True, help="Build the image too, with docker, podman or buildah.")
@click.option("--base", metavar="IMAGE", default=BASE_IMAGE, show_default=True, help="The image to build on.")
@click.pass_context
def command(context: click.Context, name: str | None, out: Path, build: bool, base: str) -> None:
    """Write a version's Containerfile, SBOM and image content.

    The image serves the version like modelyard serve. The SBOM (CycloneDX 1.6) lists the model, its training data and
    the packages that trained it. With --build, the first builder that works here builds it as MODEL:VERSION.
    """
    builder = working_builder() if build else None
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
    written = package(view, version, out)
    for file in written.files:
        result(file)
    image = f"{view.name.lower()}:{version}"
    if builder is None:
        again = f"{context.command_path} {view.name}@{version} --out FOLDER --build"
        say(f"Build it with: {again}, or: podman build --format docker -t {image} {out}")
        return
    say(f"{builder.program} builds {image} on {base}")
    say(f"Built {image}: {builder.build(out, image, base, written.at)}")
