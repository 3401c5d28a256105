"""``modelyard retrain``."""

from __future__ import annotations

import click

from modelyard.commands.opening import open_checkout
from modelyard.dvc import Dvc
from modelyard.evidence.statement import write_statement
from modelyard.proposal.candidate import Candidate
from modelyard.proposal.training import describe_training, write_profile
from modelyard.terminal import result, result_json, say
from modelyard.workspace import Workspace


@click.command()
@click.argument("model")
@click.option("--commit", is_flag=True, help="Commit the lock, the metrics and the profile.")
@click.option("--push/--no-push", default=True, show_default=True, help="Send data and artifact to the DVC remote.")
@click.option("--force", is_flag=True, help="Run every stage, changed or not.")
@click.option("--json", "as_json", is_flag=True, help="Print the training evidence's summary as JSON.")
@click.pass_context
def command(context: click.Context, model: str, commit: bool, push: bool, force: bool, as_json: bool) -> None:
    """Run a model's pipeline and record its lineage."""
    repository, git = open_checkout(context)
    candidate = Candidate.of(repository, model)
    pipeline = f"models/{model}/dvc.yaml"
    dvc = Dvc(repository.root)
    workspace = Workspace(repository.root, model)
    workspace.clear()
    say(f"Pulling what is cached for {model} …")
    dvc.pull(pipeline)
    say(f"Running {pipeline} …")
    ran = dvc.reproduce(pipeline, force=force)
    artifact = candidate.sha256()
    write_profile(candidate)
    if push and dvc.has_remote():
        dvc.push(pipeline)
    if commit:
        files = [f"models/{model}/{name}" for name in ("dvc.lock", "metrics.json", candidate.model.files.profile)]
        git.commit([file for file in files if (repository.root / file).exists()], f"{model}: retrained")
    training = describe_training(candidate, git, ran)
    workspace.write_evidence("training", write_statement("training", model, artifact, training))
    if as_json:
        result_json({"model": model, "artifact": artifact, "reproduced": ran, "commit": training.commit})
    else:
        result(f"{model}: artifact sha256 {artifact[:16]}, {'trained' if ran else 'unchanged, nothing to run'}")
