"""``modelyard drift``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.candidate.drift import DriftOptions, Engine
from modelyard.candidate.steps import CandidateRun
from modelyard.errors import UsageError
from modelyard.options import open_checkout, verbosity
from modelyard.report.terminal.proposal import render_drift
from modelyard.terminal import result, result_json, say, shown_progress

_PATH = click.Path(path_type=Path, exists=True)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("model")
@click.option("--current", type=_PATH, help="Measure this table, folder of tables, or folder of whylogs profiles.")
@click.option("--reference", type=_FILE, help="Compare with every value of this table instead of the profile.")
@click.option("--domain", is_flag=True, help="Also train a classifier that separates the two tables.")
@click.option(
    "--engine",
    type=click.Choice(["local", "dask"]),
    default="local",
    show_default=True,
    help="Profile tables of many files on this machine, or on Dask.",
)
@click.option(
    "--scheduler", default="", metavar="ADDRESS", help="Address of a Dask scheduler, such as tcp://10.0.0.5:8786."
)
@click.option("--json", "as_json", is_flag=True, help="Print the drift as JSON.")
@verbosity
@click.pass_context
def command(
    context: click.Context,
    model: str,
    current: Path | None,
    reference: Path | None,
    domain: bool,
    engine: Engine,
    scheduler: str,
    as_json: bool,
) -> None:
    """Measure data drift against the champion's profile.

    The profile is the one committed with the champion; a first version is compared with its own training rows. Tables
    are Parquet, Arrow or CSV. With --engine dask each file of a folder is profiled by a worker that sees the same path.
    """
    if engine == "dask" and current is None:
        raise UsageError("--engine dask needs a table.", "Name a folder of files with --current.")
    if scheduler and engine != "dask":
        raise UsageError("--scheduler is for --engine dask.", "Add --engine dask.")
    checkout = open_checkout(context)
    options = DriftOptions(current=current, reference=reference, domain=domain, engine=engine, scheduler=scheduler)
    with shown_progress(f"Profiling the data of {model}") as progress:
        drift = CandidateRun(checkout.model(model), say).drift(options, progress)
    if as_json:
        result_json(drift)
    else:
        result(render_drift(drift))
