"""``modelyard replay``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.demo.months import render_replay
from modelyard.demo.replay import months_of, replay
from modelyard.terminal import result, result_json, say


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("build/replay"))
@click.option("--months", default="4..12", show_default=True, help="Which months of 2013, such as 4..12.")
@click.option("--json", "as_json", is_flag=True, help="Print the months as JSON.")
def command(folder: Path, months: str, as_json: bool) -> None:
    """Replay a year of real flights through the whole loop.

    Month by month in FOLDER (build/replay): serve, labels, monitor, retrain, gate, promote. The table has each
    month's realised quality with the first model left alone and with the loop; FOLDER gets it as JSON and a picture.
    """
    found = replay(folder, months_of(months), say)
    if as_json:
        result_json(found)
    else:
        result(render_replay(found))
        say(f"\nThe picture: {folder / 'replay.svg'}")
