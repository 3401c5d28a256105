"""``modelyard replay``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.demo.months import render_replay
from modelyard.demo.replay import months_of, replay
from modelyard.terminal import result, result_json, say


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("build/replay"))
@click.option("--months", default="4..12", show_default=True, metavar="MONTHS", help="Months of 2013, such as 4..12.")
@click.option("--json", "as_json", is_flag=True, help="Print the months as JSON.")
def command(folder: Path, months: str, as_json: bool) -> None:
    """Replay a year of real flights through the whole loop.

    For each month in FOLDER (build/replay): serve, join labels, monitor, retrain, gate, promote. The table compares the
    realised quality of each month between the first model without retraining and the loop. FOLDER gets it as JSON and
    as a picture.
    """
    found = replay(folder, months_of(months), say)
    if as_json:
        result_json(found)
    else:
        result(render_replay(found))
        say(f"\nPicture: {folder / 'replay.svg'}")
