"""``modelyard run``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import click

from modelyard.candidate.judgement import write_reports, write_verdict
from modelyard.candidate.stages import run_stages
from modelyard.candidate.steps import CandidateRun
from modelyard.checkout.affected import affected_models, unregistered_models
from modelyard.checkout.jobs import on_runner
from modelyard.errors import ModelyardError, UsageError
from modelyard.gate.triggers import Cause, Hindrance
from modelyard.options import open_checkout, verbosity
from modelyard.report.terminal.proposal import render_terminal
from modelyard.retraining.trained import train
from modelyard.terminal import finish, result, say, show_error


@click.command()
@click.argument("models", nargs=-1)
@click.option(
    "--base", metavar="REVISION", help="Run the models that differ from this revision, and judge by its rules."
)
@click.option("--unregistered", is_flag=True, help="Run the models whose lock at HEAD is not a registered version.")
@click.option(
    "--runner",
    metavar="LABEL",
    help="Of these, run those whose model.yaml names this label of a CI runner; '' for those that name none.",
)
@click.option("--push/--no-push", default=True, show_default=True, help="Push data and artifact to the DVC remote.")
@click.option(
    "--stage",
    "stages",
    multiple=True,
    metavar="NAME",
    help="Only run this stage of the one model and what it needs. Results that another machine pushed are restored.",
)
@click.option(
    "--cause",
    type=click.Choice(get_args(Cause)),
    help="Retrain for this cause, with the newest data of the models' imports, for modelyard propose --from. Nothing is"
    " trained while no trigger holds (due), or a budget or a freeze holds.",
)
@verbosity
@click.pass_context
def command(
    context: click.Context,
    models: tuple[str, ...],
    base: str | None,
    unregistered: bool,
    runner: str | None,
    push: bool,
    stages: tuple[str, ...],
    cause: Cause | None,
) -> None:
    """Retrain, evaluate, drift, scan, gate and report in one process.

    For CI systems without a matrix, and for people. The report has the verdict, and every verdict ends with 0. Ends
    with 4 when a model could not be run; the other models are still run.

    With --cause, .modelyard/evidence has all that modelyard propose --from needs, and nothing of a model that was not
    trained. No token of a forge is needed.
    """
    checkout = open_checkout(context)
    git = checkout.git
    if runner is not None and (models or stages):
        raise UsageError("--runner chooses among models.", "Give it with --base REVISION or --unregistered.")
    if cause and (not models or base or stages):
        raise UsageError("--cause needs names of models.", f"Write: modelyard run MODEL --cause {cause}")
    if stages:
        if len(models) != 1 or base or unregistered:
            raise UsageError("--stage needs exactly one model.", "Write: modelyard run MODEL --stage NAME")
        run_stages(checkout.model(models[0]), stages, push=push)
        say(f"{models[0]}: {', '.join(stages)} is up to date.")
        return
    if not models:
        if not (base or unregistered):
            raise UsageError("No model is given.", "Give a model, --base REVISION or --unregistered.")
        found = unregistered_models(git) if unregistered else affected_models(git, base or "", "HEAD")
        if runner is not None:
            found = on_runner(git, found, "HEAD", runner)
        models = tuple(entry.model for entry in found)
        if not models:
            none = "Every model's lock is registered" if unregistered else "No model is affected"
            say(f"{none}." if runner is None else f"{none} of those {_on(runner)}.")
    failed = False
    for model in models:
        try:
            view = checkout.model(model)
            run = CandidateRun(view, say)
            if cause:
                trained = train(run, cause, push=push)
                if isinstance(trained, Hindrance):
                    result(f"{model}: not retrained. {trained.why}")
                    continue
            else:
                run.retrain(push=push)
                run.measure()
                if base is None:
                    run.reproduce()
            report = write_verdict(view, datetime.now(UTC).date(), "HEAD" if cause else base)
            write_reports(view, report)
            result(render_terminal(report))
        except ModelyardError as error:
            show_error(error)
            failed = True
    finish("error" if failed else "pass")


def _on(label: str) -> str:
    return f"with the runner {label}" if label else "that name no runner"
