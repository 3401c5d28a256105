"""``modelyard site``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.catalog.site import build_site
from modelyard.options import open_checkout
from modelyard.terminal import result, say


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("build/site"),
              show_default=True, help="The folder it is written to; unchanged pages stay.")  # fmt: skip
@click.option("--title", help="What it is called; the repository's folder if left out.")
@click.pass_context
def command(context: click.Context, out: Path, title: str | None) -> None:
    """Build the static site of the model registry.

    Opens from a file, needs no server and no network. Metrics over versions, rollouts, lineage, cards, reports,
    waivers; made of tags and evidence alone.
    """
    checkout = open_checkout(context)
    pages, changed = build_site(checkout, out, title or checkout.root.resolve().name, say)
    result(str(out / "index.html"))
    say(f"  models: {pages}, pages written: {changed}")
