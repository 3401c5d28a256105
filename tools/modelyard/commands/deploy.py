"""``modelyard deploy``."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import click

from modelyard.checkout.tags import settle_tags
from modelyard.deployment.delivery import Deployer, admitted
from modelyard.deployment.due import due_environments
from modelyard.deployment.observation import protection
from modelyard.deployment.planning import Planner, stray_receipts
from modelyard.deployment.promotion import preview
from modelyard.documents import encode
from modelyard.errors import ModelyardError, UsageError
from modelyard.forges.ci import read_event
from modelyard.forges.discovery import forge_if_reachable, open_forge, open_pull_forge
from modelyard.ground_truth.sources import known_ground_truth
from modelyard.options import open_checkout, record_in_trackers
from modelyard.report.terminal.deployments import render_deliveries
from modelyard.review.subject import subject_of_run
from modelyard.rollout.plan import Delivery
from modelyard.secrets.permission import open_secrets
from modelyard.terminal import result, result_json, say, show_error


@click.command()
@click.option("--env", "environments", multiple=True, metavar="ENV", help="Only this environment; may be repeated.")
@click.option("--model", "models", multiple=True, metavar="MODEL", help="Only this model; may be repeated.")
@click.option("--plan", "plan_only", is_flag=True, help="Show the plan without carrying it out.")
@click.option(
    "--github",
    is_flag=True,
    help="With --plan: print lines for $GITHUB_OUTPUT: any=true, matrix={…} of the environments with work to do.",
)
@click.option("--post", is_flag=True, help="With --plan: post on a pull request what merging it deploys.")
@click.option(
    "--pull",
    "number",
    type=int,
    metavar="NUMBER",
    help="The pull request for --post; default: from the workflow_run event.",
)
@click.option(
    "--ground-truth",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A file of labels, as for feedback collect; default: the source that model.yaml declares under ground_truth.",
)
@click.option("--wait", is_flag=True, help="Run until every rollout has ended.")
@click.option(
    "--every",
    type=click.FloatRange(0.1, 3600),
    default=15.0,
    show_default=True,
    help="Seconds between runs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the deliveries as JSON.")
@click.pass_context
def command(
    context: click.Context,
    environments: tuple[str, ...],
    models: tuple[str, ...],
    plan_only: bool,
    github: bool,
    post: bool,
    number: int | None,
    ground_truth: Path | None,
    wait: bool,
    every: float,
    as_json: bool,
) -> None:
    """Reconcile environments with the manifests on main.

    Reads deployments/, observes the targets and carries out the next step of each rollout. Running it again changes
    only what is due. Exits with 1 while a deployment on main names a version that was rolled back.
    """
    if (post or number is not None) and not (post and plan_only):
        raise UsageError("--post needs --plan, and --pull needs --post.", "Run: modelyard deploy --plan --post")
    if github and not (plan_only and not post):
        raise UsageError("--github needs --plan, without --post.", "Run: modelyard deploy --plan --github")
    checkout = open_checkout(context)
    repository, git = checkout.repository, checkout.git
    chosen = {repository.environment(name).name for name in environments}
    chosen = chosen or {environment.name for environment in repository.config.environments}
    for name in models:
        repository.model_folder(name)
    if post:
        forge, ci = open_pull_forge(repository, git)
        if number is None:
            subject = subject_of_run(forge, git, read_event(ci.event))
            number = subject.pull.number if subject else None
        if number is None:
            say("No open pull request has that head commit.")
        else:
            result(preview(checkout, forge, number, chosen, datetime.now(UTC)))
        return
    if github:
        found = due_environments(Planner(checkout), [e for e in repository.config.environments if e.name in chosen])
        for due in found:
            say(f"{due.environment}: {due.reason}")
        result(f"any={'true' if found else 'false'}")
        result(f"matrix={encode({'include': [{'environment': due.environment} for due in found]}).decode()}")
        return
    faults: list[ModelyardError] = []
    if not plan_only:
        settle_tags(checkout)
    while True:
        planner = Planner(
            checkout, ground_truth=known_ground_truth(repository, open_secrets(checkout.git), ground_truth)
        )
        planned = planner.plan(chosen, set(models))
        if plan_only:
            deliveries = [plan.delivery for plan in admitted(planner, planned, forge_if_reachable(repository, git))]
            faults = [plan.fault for plan in planned if plan.fault]
        else:
            deployer = Deployer(planner, open_forge(repository, git), say)
            deliveries, faults = deployer.deliver_all(planned)
        if not wait or plan_only or not any(_continues(delivery) for delivery in deliveries):
            break
        time.sleep(every)
    if not plan_only:
        record_in_trackers(checkout, list(dict.fromkeys(delivery.model for delivery in deliveries)))
    if as_json:
        result_json(deliveries)
    else:
        result(render_deliveries(deliveries, plan_only))
    for sentence in stray_receipts(planned):
        say(sentence)
    if plan_only and (unprotected := protection(git)):
        say(unprotected)
    for fault in faults[:-1]:
        show_error(fault)
    if faults and not plan_only:
        raise faults[-1]


def _continues(delivery: Delivery) -> bool:
    return delivery.progressing and not delivery.skipped
