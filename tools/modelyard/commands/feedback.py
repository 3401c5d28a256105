"""``modelyard feedback``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import click

from modelyard.checkout.checkout import ModelView
from modelyard.deployment.rollback import propose_change
from modelyard.errors import UsageError
from modelyard.evidence.verdict import Outcome
from modelyard.files import write_whole
from modelyard.forges.discovery import open_forge
from modelyard.ground_truth.sources import find_ground_truth
from modelyard.options import (
    chosen_models,
    for_each,
    ground_truth_options,
    of_one_model,
    open_checkout,
    open_repository,
    the_model,
    window_of,
)
from modelyard.predictions.discovery import open_reader
from modelyard.production.feedback.erasure import erase_id, purge
from modelyard.production.feedback.increment import collect as collect_increment
from modelyard.production.feedback.increment import earlier_labels, write_labelled
from modelyard.production.feedback.reviews import read_labels
from modelyard.production.feedback.sample import sample as pick_sample
from modelyard.production.monitoring.window import profile_of
from modelyard.report.terminal.production import render_erasure, render_joined
from modelyard.secrets.permission import open_secrets
from modelyard.terminal import finish, result, result_json, say


@click.group()
def command() -> None:
    """Join ground truth to predictions, as labelled data."""


@command.command()
@click.argument("models", nargs=-1)
@click.option(
    "--all", "everything", is_flag=True, help="All models; those without ground_truth in model.yaml are skipped."
)
@click.option("--env", "environment", required=True, metavar="ENV", help="The environment of the predictions.")
@ground_truth_options
@click.option(
    "--labels",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Instead of ground truth: the CSV of feedback sample, with label, reviewer and reviewed_at filled in.",
)
@click.option(
    "--window", default="90d", show_default=True, metavar="LENGTH", help="Length of the window of predictions."
)
@click.option("--until", metavar="TIME", help="The window's end, such as 2026-05-03T14:00 (UTC); by default now.")
@click.option("--if-declared", is_flag=True, help="Pass when model.yaml names no ground_truth.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
@click.pass_context
def collect(
    context: click.Context,
    models: tuple[str, ...],
    everything: bool,
    environment: str,
    file: Path | None,
    sql: str | None,
    query: str | None,
    labels: Path | None,
    window: str,
    until: str | None,
    if_declared: bool,
    as_json: bool,
) -> None:
    """Join ground truth to predictions; propose the increment.

    Writes the labelled rows to a file below data/feedback/MODEL/ that DVC tracks, with its profile, and keeps one pull
    request with it. Of several labels of one id the latest counts. Of several predictions of one id, the newest before
    the label is labelled.
    """
    checkout = open_checkout(context)
    repository, git = checkout.repository, checkout.git
    where, span = repository.environment(environment), window_of(window, until)
    chosen = chosen_models(checkout, models, everything)
    if labels is not None and (file or sql):
        raise UsageError(
            "--labels cannot be combined with --ground-truth or --sql.", "Run feedback collect once for each of them."
        )
    of_one_model(chosen, file, sql, labels)

    def one(view: ModelView) -> Outcome:
        model, found = view.name, view.manifest
        reviews = None
        if labels is not None:
            given = read_labels(labels, found)
            known, reviews = given.ground_truth, given.reviews
            say(f"{len(reviews):,} labels; {given.unlabelled:,} rows have no label yet")
        else:
            asked = find_ground_truth(found, where, checkout.root, open_secrets(checkout.git), file, sql, query)
            if asked is None and (if_declared or everything):
                say(f"{model}: model.yaml names no ground_truth")
                return "pass"
            if asked is None:
                raise UsageError(
                    f"There is no ground truth for {model}.",
                    "Declare it in model.yaml under ground_truth, or pass --ground-truth FILE, --labels FILE, or --sql"
                    " REFERENCE with --query.",
                )
            known = asked
        brought = collect_increment(view, where, span, known, say, reviews)
        number = None
        if brought.proposed is not None:
            forge = open_forge(repository, git)
            number = propose_change(checkout, forge, git.commit_of("HEAD"), brought.proposed, say)
        if as_json:
            result_json({"model": model, "joined": brought.joined, "path": brought.path, "pull": number})
        else:
            result(render_joined(model, brought.joined, brought.path))
        return "pass"

    finish(for_each(chosen, one))


@command.command()
@click.argument("model")
@click.option("--env", "environment", required=True, metavar="ENV", help="The environment of the predictions.")
@click.option(
    "--rows", default=200, show_default=True, type=click.IntRange(1, 100_000), help="How many predictions to pick."
)
@click.option(
    "--window", default="30d", show_default=True, metavar="LENGTH", help="Length of the window of predictions."
)
@click.option("--until", metavar="TIME", help="The window's end, such as 2026-05-03T14:00 (UTC); by default now.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The CSV file to write.")
@click.pass_context
def sample(
    context: click.Context, model: str, environment: str, rows: int, window: str, until: str | None, out: Path
) -> None:
    """Pick the predictions most worth a label.

    Takes in turn the most uncertain predictions, outliers, rare levels of slice columns, ids that two versions decided
    differently, and random ones. Fill in label, reviewer and reviewed_at, and pass the file to feedback collect
    --labels.
    """
    checkout = open_checkout(context)
    view = the_model(checkout, model)
    profiles = cache(lambda version: profile_of(view, version))
    reader = open_reader(checkout.repository.environment(environment), checkout.root)
    picked = pick_sample(reader, view.manifest, window_of(window, until), profiles, earlier_labels(view), rows)
    write_whole(out, picked.content)
    said = ", ".join(f"{count:,} {why}" for why, count in picked.reasons.items())
    result(f"{out}: {picked.rows:,} of {picked.of:,} predictions without a label" + (f" ({said})" if said else ""))


@command.command()
@click.argument("model")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The Parquet file to write."
)
@click.pass_context
def table(context: click.Context, model: str, out: Path) -> None:
    """Write all labelled rows to a file for a pipeline.

    Reads the increments of this checkout; of several rows of one prediction the newest increment's counts. Make it a
    stage of the pipeline that depends on the folder data/feedback/MODEL.
    """
    repository = open_repository(context)
    result(f"{out}: {write_labelled(repository.root, repository.model(model), out):,} labelled rows")


@command.command()
@click.argument("models", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All models; use it when the id means the same in all of them.")
@click.option("--entity", required=True, metavar="ID", help="The value of the contract's id, as callers sent it.")
@click.option(
    "--purge",
    "purging",
    is_flag=True,
    help="After the merge: delete the older bytes of the increments from cache and remote.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the tombstone as JSON.")
@click.pass_context
def forget(
    context: click.Context, models: tuple[str, ...], everything: bool, entity: str, purging: bool, as_json: bool
) -> None:
    """Erase one id from logs and increments.

    Files a tombstone with a digest of the id on the evidence branch, opens the pull request that rewrites the
    increments, and lists the versions that were trained on it. Exits with 3 when something still holds the id.
    """
    checkout = open_checkout(context)
    repository, git = checkout.repository, checkout.git
    if not entity.strip():
        raise UsageError("--entity is empty.", "Pass the value of the contract's id, as callers sent it.")

    def one(view: ModelView) -> Outcome:
        done = erase_id(view, entity, open_secrets(checkout.git), say)
        if purging:
            say(f"deleted {purge(checkout.dvc, done)} copies of older increments")
        elif done.proposed is not None:
            propose_change(checkout, open_forge(repository, git), git.commit_of("HEAD"), done.proposed, say)
        if as_json:
            result_json(done.erasure)
        else:
            result(render_erasure(view.name, done.erasure))
        return "pass" if done.erasure.complete else "inconclusive"

    finish(for_each(chosen_models(checkout, models, everything), one))
