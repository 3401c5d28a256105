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
    """Play the whole story on real flights.

    Builds a model repository in FOLDER (build/demo) and lives through it: a first champion, a better proposal, a
    leaked one that is refused, a merge, a promotion, traffic. What an earlier demo left there is replaced.
    """
    play(folder, keep, say)
