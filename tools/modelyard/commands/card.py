"""``modelyard card``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.catalog.versions import card_of
from modelyard.files import write_whole
from modelyard.options import open_checkout, the_model
from modelyard.report.markdown.card import render_card
from modelyard.terminal import finish, result, say


@click.command()
@click.argument("name", metavar="[MODEL[@VERSION]]", required=False)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The output file, such as README.md.")
@click.option("--check", is_flag=True, help="Only list what the card lacks; exits with 1 if anything is missing.")
@click.pass_context
def command(context: click.Context, name: str | None, out: Path | None, check: bool) -> None:
    """Write a version's model card, filled from its evidence.

    The card is Markdown with front matter for Hugging Face. It lists what is missing.
    """
    checkout = open_checkout(context)
    model, _, version = (name or "").partition("@")
    card = card_of(the_model(checkout, model or None), version or None)
    if check:
        for sentence in card.missing:
            result(sentence)
        if not card.missing:
            say(f"The card of {card.model.name} {card.lineage.version} is complete.")
        finish("fail" if card.missing else "pass")
    if out:
        write_whole(out, render_card(card).encode())
        result(str(out))
    else:
        result(render_card(card).rstrip())
    for sentence in card.missing:
        say(f"  missing: {sentence}")
