"""``modelyard retrain``."""

from __future__ import annotations

import click

from modelyard.candidate.steps import CandidateRun
from modelyard.errors import UsageError
from modelyard.options import open_checkout, verbosity
from modelyard.terminal import result, result_json, say


@click.command()
@click.argument("model")
@click.option("--commit", is_flag=True, help="Commit the lock, the metrics and the profile.")
@click.option("--push/--no-push", default=True, show_default=True, help="Send data and artifact to the DVC remote.")
@click.option("--force", is_flag=True, help="Run every stage, changed or not.")
@click.option("--on", "engine", metavar="ENGINE", help="Train on this engine of modelyard.yaml; HEAD must be pushed.")
@click.option("--cancel", is_flag=True, help="With --on: Ctrl-C ends the engine's run too.")
@click.option("--json", "as_json", is_flag=True, help="Print the training evidence's summary as JSON.")
@verbosity
@click.pass_context
def command(
    context: click.Context,
    model: str,
    commit: bool,
    push: bool,
    force: bool,
    engine: str | None,
    cancel: bool,
    as_json: bool,
) -> None:
    """Run a model's pipeline and record its lineage.

    With --on, a pipeline engine runs the stages of this commit, and the results come back through the DVC remote. A
    command that was stopped finds its run again when it is repeated.
    """
    checkout = open_checkout(context)
    if engine:
        from modelyard.candidate.engine_run import train_on

        if force:
            raise UsageError("--force cannot be had with --on.", "A run on an engine takes what DVC knows already.")
        train_on(checkout.model(model), engine, say, cancel=cancel)
    done = CandidateRun(checkout.model(model), say).retrain(push=push, force=force, commit=commit)
    if as_json:
        result_json({"model": model, "artifact": done.artifact, "reproduced": done.reproduced, "commit": done.commit})
    else:
        ran = "trained" if done.reproduced else "unchanged, nothing to run"
        if checkout.model(model).manifest.trained == "elsewhere":
            ran = "trained elsewhere, so there is nothing to train"
        result(f"{model}: artifact sha256 {done.artifact[:16]}, {ran}")
