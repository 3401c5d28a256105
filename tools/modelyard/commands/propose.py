"""``modelyard propose``."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from typing import get_args

import click

from modelyard.candidate.judgement import write_reports, write_verdict
from modelyard.candidate.steps import CandidateRun
from modelyard.checkout.checkout import ModelView
from modelyard.errors import ModelyardError, UsageError
from modelyard.evidence.verdict import Outcome
from modelyard.forges.discovery import open_pull_forge
from modelyard.gate.triggers import Cause
from modelyard.options import chosen_models, for_each, open_checkout, the_model, verbosity
from modelyard.retraining.experiment import propose_experiment
from modelyard.retraining.handed_over import read_trained
from modelyard.retraining.proposal import propose, refresh
from modelyard.retraining.trained import Trained
from modelyard.review.approvals import approval_of_pull, approval_status
from modelyard.review.comment import Poster
from modelyard.review.jobs import handed_over
from modelyard.review.subject import subject_of_pull
from modelyard.terminal import finish, result, say


@click.command()
@click.argument("models", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every model of the repository.")
@click.option(
    "--cause",
    type=click.Choice(get_args(Cause)),
    default="manual",
    show_default=True,
    help="due runs only when a trigger of model.yaml holds. All but manual need a gain of minimum_gain.",
)
@click.option(
    "--from",
    "source",
    metavar="FOLDER",
    help="Propose what another job left here (modelyard run MODELS --cause CAUSE), or jobs:NAME for the jobs of a"
    " pipeline of GitLab. No code of a model runs.",
)
@click.option("--from-exp", "experiment", metavar="NAME", help="Propose this experiment of DVC; nothing is trained.")
@verbosity
@click.pass_context
def command(
    context: click.Context,
    models: tuple[str, ...],
    everything: bool,
    cause: Cause,
    source: str | None,
    experiment: str | None,
) -> None:
    """Retrain on the newest data and keep one open pull request.

    Run it on a checkout of the default branch. A model never has a second pull request: an open one is refreshed. The
    report and the verdict are posted at once, because a push with the job's token starts no workflow. In plain git, the
    proposal is a branch, and its report a file.

    With --from, nothing is trained: the folder is read as untrusted, and whether a retraining is due and worth a review
    is decided here. So the job with the token runs no code of a model.

    With --from-exp, the proposal is what an experiment of DVC changed; CI measures its pull request.
    """
    checkout = open_checkout(context)
    repository, git = checkout.repository, checkout.git
    plain = repository.config.forge == "git"
    forge, ci = (None, None) if plain else open_pull_forge(repository, git)
    base = git.commit_of("HEAD")
    if source and (plain or experiment):
        raise UsageError(
            "--from is for the job of a forge's CI that proposes what another job trained.",
            "Write: modelyard propose MODEL, or: modelyard propose MODEL --from-exp NAME",
        )
    if experiment:
        if everything or len(models) > 1:
            raise UsageError(
                "An experiment is of one model.", f"Write: modelyard propose MODEL --from-exp {experiment}"
            )
        done = propose_experiment(the_model(checkout, models[0] if models else None), forge, experiment, say)
        where = f"pull request {done.pull}" if done.pull else f"branch {done.branch}"
        result(f"{done.done} {where}. {done.why}")
        return

    def one(view: ModelView) -> Outcome:
        model = view.name
        if left:
            trained = read_trained(view, left, cause)
            done = propose(view, forge, cause, trained)
            documents = trained.documents if isinstance(trained, Trained) else {}
        else:
            run = CandidateRun(view, say)
            done = refresh(run, forge, cause)
            documents = run.documents()
        if done.pull is not None and forge is not None and ci is not None:
            subject = subject_of_pull(forge, git, done.pull, done.head, ci.run)
            if subject is None:
                raise ModelyardError(
                    f"Another push changed pull request {done.pull} during this run.", "Run propose again."
                )
            poster = Poster(checkout, forge, ci, base, datetime.now(UTC).date(), say)
            poster.post(subject, {model: documents}, [])
            forge.set_status(subject.head, approval_status(approval_of_pull(git, forge, subject, base), ci.run))
        if done.branch:
            write_reports(view, write_verdict(view, datetime.now(UTC).date(), base))
        named = f" pull request {done.pull}" if done.pull else f" branch {done.branch}" if done.branch else ""
        result(f"{model}: {done.done}{named}. {done.why}")
        if done.branch:
            say(f"  Read .modelyard/evidence/{model}/report.md, then: git merge --no-ff {done.branch}")
        return "pass"

    with handed_over(source, forge) if source else nullcontext() as left:
        finish(for_each(chosen_models(checkout, models, everything), one))
