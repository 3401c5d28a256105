"""``modelyard demo``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.demo.story import play
from modelyard.terminal import say


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("build/demo"))
@click.option("--keep", is_flag=True, help="Leave the production server running at the end.")
def command(folder: Path, keep: bool) -> None:
    """Run the whole cycle on real flights, as a demo.

    Creates a model repository in FOLDER (build/demo) and shows the whole cycle: a first champion, a better proposal, a
    proposal with leakage that is refused, a merge, a promotion, traffic. The files of an earlier demo are replaced.
    """
    play(folder, keep, say)
