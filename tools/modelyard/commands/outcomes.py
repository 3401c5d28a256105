"""How the place where outcomes come from is said on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def outcome_options(command: Command) -> Command:
    """``--outcomes``, ``--sql`` and ``--query``; without any, what ``model.yaml`` declares counts."""
    for option in (
        click.option("--query", help="With --sql: the query that gives those columns."),
        click.option("--sql", help="Instead of a file: a reference to a database's URL, such as env:OUTCOMES_URL."),
        click.option(
            "--outcomes",
            "file",
            type=click.Path(path_type=Path, dir_okay=False, exists=True),
            help="A CSV, Parquet or Arrow file: the contract's label, its id or prediction_id, and outcome_time where"
            " known; by default what model.yaml declares under outcomes.",
        ),
    ):
        command = option(command)
    return command
