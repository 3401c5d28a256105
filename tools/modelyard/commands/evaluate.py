"""``modelyard evaluate``."""

from __future__ import annotations

from contextlib import ExitStack

import click

from modelyard.commands.opening import open_checkout
from modelyard.dvc import Dvc
from modelyard.evidence.statement import write_statement
from modelyard.proposal.candidate import Candidate, evaluate
from modelyard.proposal.champion import champion_of, fetched, model_history, version_by_name
from modelyard.report.terminal import render_evaluation
from modelyard.terminal import result, result_json
from modelyard.workspace import Workspace


@click.command()
@click.argument("model")
@click.option("--champion", help="Compare with this version instead of the one the last environment serves.")
@click.option("--json", "as_json", is_flag=True, help="Print the evaluation as JSON.")
@click.pass_context
def command(context: click.Context, model: str, champion: str | None, as_json: bool) -> None:
    """Measure the candidate against the champion.

    Both score the candidate's held-out rows; every difference has a 95 % interval.
    """
    repository, git = open_checkout(context)
    candidate = Candidate.of(repository, model)
    artifact = candidate.sha256()
    history = model_history(git, model)
    version = version_by_name(history, champion) if champion else champion_of(repository, history)
    with ExitStack() as stack:
        opponent = stack.enter_context(fetched(git, Dvc(repository.root), model, version)) if version else None
        evaluation = evaluate(candidate, opponent)
    Workspace(repository.root, model).write_evidence(
        "evaluation", write_statement("evaluation", model, artifact, evaluation)
    )
    if as_json:
        result_json(evaluation)
    else:
        result(render_evaluation(model, evaluation))
