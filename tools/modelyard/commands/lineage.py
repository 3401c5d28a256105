"""``modelyard lineage``."""

from __future__ import annotations

import click

from modelyard.catalog.exchange import FORMATS, exchanged
from modelyard.catalog.versions import lineage_of
from modelyard.errors import UsageError
from modelyard.options import open_checkout, the_model
from modelyard.registry.lineage import lineage_down
from modelyard.report.terminal.registry import render_descendants, render_lineage
from modelyard.terminal import result, result_json


@click.command()
@click.argument("name", metavar="[MODEL[@VERSION]]", required=False)
@click.option(
    "--of", "wanted", metavar="DATA", help="Show the versions trained on this data: a path, its .dvc file, or an md5."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Print a version for another system: SLSA provenance, a CycloneDX ML-BOM, an OpenLineage event, its data as"
    " Croissant, or a Component of Backstage.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the lineage as JSON.")
@click.pass_context
def command(context: click.Context, name: str | None, wanted: str | None, form: str | None, as_json: bool) -> None:
    """Trace a version to data, code and people, or data to versions.

    Without --of, it shows the sources of the version (default: the latest) and where it served.
    """
    if wanted and (name or form):
        raise UsageError("--of cannot be combined with a version or --format.", "Give one of them.")
    checkout = open_checkout(context)
    if wanted:
        descendants = lineage_down(checkout.registry.models.values(), wanted)
        if as_json:
            result_json(descendants)
        else:
            result(render_descendants(descendants, wanted))
        return
    model, _, version = (name or "").partition("@")
    if form:
        result(exchanged(the_model(checkout, model or None), version or None, form))
        return
    found = lineage_of(the_model(checkout, model or None, registered=True), version or None)
    if as_json:
        result_json(found)
    else:
        result(render_lineage(found))
