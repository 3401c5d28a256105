"""``modelyard register``."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from modelyard.checkout.affected import unregistered_models
from modelyard.errors import ModelyardError, UsageError
from modelyard.forges.discovery import open_forge
from modelyard.options import open_checkout, record_in_trackers, verbosity
from modelyard.release.measured import read_measured, take_measured
from modelyard.release.registration import register
from modelyard.review.jobs import handed_over
from modelyard.terminal import finish, result, result_json, say, show_error


@click.command()
@click.argument("models", nargs=-1)
@click.option("--unregistered", is_flag=True, help="Register every model whose dvc.lock at HEAD is not registered yet.")
@click.option("--skip-unchanged", is_flag=True, help="Accept an artifact that is registered already.")
@click.option(
    "--from",
    "source",
    metavar="FOLDER",
    help="Take the evidence from this folder, which another job measured, or jobs:NAME for the jobs of a pipeline of"
    " GitLab. No code of a model runs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the version as JSON; for several models, a list.")
@verbosity
@click.pass_context
def command(
    context: click.Context,
    models: tuple[str, ...],
    unregistered: bool,
    skip_unchanged: bool,
    source: str | None,
    as_json: bool,
) -> None:
    """Register the merged candidate as a version.

    The evidence is judged again. The version number depends on the changes: major for the contract, minor for code or
    parameters, patch for data. When one model is refused, the others are still registered.
    """
    checkout = open_checkout(context)
    repository, git = checkout.repository, checkout.git
    if unregistered:
        models = tuple(entry.model for entry in unregistered_models(git))
    elif not models:
        raise UsageError("No model is named.", "Name a model, or use --unregistered.")
    forge, today = open_forge(repository, git), datetime.now(UTC).date()
    measured = None
    if source:
        with handed_over(source, forge) as left:
            measured = read_measured(left)
    done, errors = [], []
    for model in models:
        try:
            view = checkout.model(model)
            if measured:
                take_measured(view, measured, today)
            done.append(register(view, forge, today, skip_unchanged))
        except ModelyardError as error:
            if len(models) == 1:
                raise
            show_error(error)
            errors.append(error)
    record_in_trackers(checkout, models)
    if as_json:
        result_json(done if unregistered or len(models) > 1 else done[0])
    else:
        for version in done:
            result(version.tag)
            say(f"  {'registered' if version.new else 'registered before'}: {'; '.join(version.reasons)}")
            if version.doubt:
                say(f"  {version.doubt}")
    if errors:
        finish("fail" if all(int(error.exit_code) == 1 for error in errors) else "error")
