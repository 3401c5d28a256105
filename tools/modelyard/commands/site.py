"""``modelyard site``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.catalog.site import build_site
from modelyard.options import open_checkout
from modelyard.terminal import result, say


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("build/site"),
              show_default=True, help="The output folder; unchanged pages are not written again.")  # fmt: skip
@click.option("--title", metavar="TITLE", help="The title; default: the name of the repository's folder.")
@click.pass_context
def command(context: click.Context, out: Path, title: str | None) -> None:
    """Build the static site of the model registry.

    The site opens from files, without a server or network. It shows metrics over versions, rollouts, lineage, cards,
    reports and waivers, all read from tags and evidence.
    """
    checkout = open_checkout(context)
    pages, changed = build_site(checkout, out, title or checkout.root.resolve().name, say)
    result(str(out / "index.html"))
    say(f"  models: {pages}, pages written: {changed}")
