"""``modelyard feedback``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from modelyard.commands.opening import open_checkout
from modelyard.commands.spans import window_of
from modelyard.dvc import Dvc
from modelyard.errors import UsageError
from modelyard.feedback.increment import collect as collect_increment
from modelyard.feedback.sources import query_outcomes
from modelyard.forges.opening import open_forge
from modelyard.monitoring.outcomes import outcomes_of, read_outcomes
from modelyard.predictions.interface import open_reader
from modelyard.report.feedback import render_joined
from modelyard.review.going_back import propose_change
from modelyard.secrets.interface import Secrets
from modelyard.terminal import result, result_json, say


@click.group()
def command() -> None:
    """Bring back what happened, as labelled data."""


@command.command()
@click.argument("model")
@click.option("--env", "environment", required=True, help="Whose predictions.")
@click.option(
    "--outcomes",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A CSV, Parquet or Arrow file: the contract's label, its id or prediction_id, and outcome_time where known.",
)
@click.option("--sql", help="Instead of a file: a reference to a database's URL, such as env:OUTCOMES_URL.")
@click.option("--query", help="With --sql: the query that gives those columns.")
@click.option("--window", default="90d", show_default=True, help="How far back predictions are looked for.")
@click.option("--until", help="The window's end, such as 2026-05-03T14:00 (UTC); by default this minute.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
@click.pass_context
def collect(
    context: click.Context,
    model: str,
    environment: str,
    outcomes: Path | None,
    sql: str | None,
    query: str | None,
    window: str,
    until: str | None,
    as_json: bool,
) -> None:
    """Join outcomes to predictions; propose the next increment.

    Writes a file that DVC tracks below data/feedback/MODEL/, with its profile, and keeps one pull request with it. Of
    several outcomes of one id the latest counts; of several predictions of one id the newest before its outcome.
    """
    repository, git = open_checkout(context)
    found = repository.model(model)
    if (outcomes is None) == (sql is None) or bool(sql) != bool(query):
        raise UsageError("Name where outcomes come from.", "Say --outcomes FILE, or --sql REFERENCE --query SELECT….")
    if outcomes is not None:
        known = read_outcomes(outcomes, found)
    else:
        known = outcomes_of(query_outcomes(str(sql), str(query), Secrets(os.environ)), found)
    reader = open_reader(repository.environment(environment), repository.root)
    brought = collect_increment(
        repository, git, Dvc(repository.root), found, environment, reader, window_of(window, until), known, say
    )
    number = None
    if brought.proposed is not None:
        forge = open_forge(repository, git)
        number = propose_change(repository, git, forge, git.commit_of("HEAD"), brought.proposed, say)
    if as_json:
        result_json({"model": model, "joined": brought.joined, "path": brought.path, "pull": number})
    else:
        result(render_joined(model, brought.joined, brought.path))
