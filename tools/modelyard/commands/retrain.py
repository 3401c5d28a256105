"""``modelyard retrain``."""

from __future__ import annotations

import click

from modelyard.candidate.steps import CandidateRun
from modelyard.options import open_checkout
from modelyard.terminal import result, result_json, say


@click.command()
@click.argument("model")
@click.option("--commit", is_flag=True, help="Commit the lock, the metrics and the profile.")
@click.option("--push/--no-push", default=True, show_default=True, help="Send data and artifact to the DVC remote.")
@click.option("--force", is_flag=True, help="Run every stage, changed or not.")
@click.option("--json", "as_json", is_flag=True, help="Print the training evidence's summary as JSON.")
@click.pass_context
def command(context: click.Context, model: str, commit: bool, push: bool, force: bool, as_json: bool) -> None:
    """Run a model's pipeline and record its lineage."""
    checkout = open_checkout(context)
    done = CandidateRun(checkout.model(model), say).retrain(push=push, force=force, commit=commit)
    if as_json:
        result_json({"model": model, "artifact": done.artifact, "reproduced": done.reproduced, "commit": done.commit})
    else:
        ran = "trained" if done.reproduced else "unchanged, nothing to run"
        if checkout.model(model).manifest.trained == "elsewhere":
            ran = "trained elsewhere, so there is nothing to train"
        result(f"{model}: artifact sha256 {done.artifact[:16]}, {ran}")
