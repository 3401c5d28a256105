"""``modelyard feedback``."""

from __future__ import annotations

import os
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
from modelyard.production.feedback.erasure import forget as forget_entity
from modelyard.production.feedback.erasure import purge
from modelyard.production.feedback.increment import collect as collect_increment
from modelyard.production.feedback.increment import earlier_labels, write_labelled
from modelyard.production.feedback.reviews import read_labels
from modelyard.production.feedback.sample import sample as pick_sample
from modelyard.production.monitoring.window import profile_of
from modelyard.report.terminal.production import render_erasure, render_joined
from modelyard.secrets.interface import Secrets
from modelyard.terminal import finish, result, result_json, say


@click.group()
def command() -> None:
    """Join ground truth to predictions, as labelled data."""


@command.command()
@click.argument("models", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every model whose model.yaml names ground_truth.")
@click.option("--env", "environment", required=True, help="Whose predictions.")
@ground_truth_options
@click.option(
    "--labels",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Instead of a file of labels: a sample's CSV with label, reviewer and reviewed_at filled in.",
)
@click.option("--window", default="90d", show_default=True, help="How far back predictions are looked for.")
@click.option("--until", help="The window's end, such as 2026-05-03T14:00 (UTC); by default now.")
@click.option("--if-declared", is_flag=True, help="Do nothing when model.yaml names no ground_truth.")
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
    """Join labels to predictions; propose the next increment.

    Writes a file that DVC tracks below data/feedback/MODEL/, with its profile, and keeps one pull request with it. Of
    several labels of one id the latest counts; of several predictions of one id the newest before its outcome.
    """
    checkout = open_checkout(context)
    repository, git = checkout.repository, checkout.git
    where, span = repository.environment(environment), window_of(window, until)
    chosen = chosen_models(checkout, models, everything)
    if labels is not None and (file or sql):
        raise UsageError(
            "--labels is a place of its own.", "Bring reviewed labels and ground truth back one after the other."
        )
    of_one_model(chosen, file, sql, labels)

    def one(view: ModelView) -> Outcome:
        model, found = view.name, view.manifest
        reviews = None
        if labels is not None:
            given = read_labels(labels, found)
            known, reviews = given.ground_truth, given.reviews
            say(f"{len(reviews):,} labels; {given.unlabelled:,} rows have none yet")
        else:
            asked = find_ground_truth(found, where, checkout.root, Secrets(os.environ), file, sql, query)
            if asked is None and (if_declared or everything):
                say(f"{model}: model.yaml names no ground_truth")
                return "pass"
            if asked is None:
                raise UsageError(
                    f"Nobody says where the labels of {model} are.",
                    "Name them under ground_truth in model.yaml, or say --ground-truth FILE, --labels FILE, or --sql"
                    " REFERENCE.",
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
@click.option("--env", "environment", required=True, help="Whose predictions.")
@click.option("--rows", default=200, show_default=True, type=click.IntRange(1, 100_000), help="How many to pick.")
@click.option("--window", default="30d", show_default=True, help="How far back predictions are looked at.")
@click.option("--until", help="The window's end, such as 2026-05-03T14:00 (UTC); by default now.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The CSV to write.")
@click.pass_context
def sample(
    context: click.Context, model: str, environment: str, rows: int, window: str, until: str | None, out: Path
) -> None:
    """Pick the predictions most worth a label.

    In turn: the least certain, the most unlike what was learnt from, those of levels that are rare there, those that
    two versions decided differently, and some at random. Fill in label, reviewer and reviewed_at; feedback collect
    --labels takes them back.
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
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The Parquet to write.")
@click.pass_context
def table(context: click.Context, model: str, out: Path) -> None:
    """Write all labelled rows, for a pipeline to learn from.

    Reads this checkout's increments; of each prediction what the newest one says. Make it a stage of the pipeline, with
    the folder data/feedback/MODEL as its dependency.
    """
    repository = open_repository(context)
    result(f"{out}: {write_labelled(repository.root, repository.model(model), out):,} labelled rows")


@command.command()
@click.argument("models", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every model: where the id names the same one everywhere.")
@click.option("--entity", required=True, help="The contract's id, as callers sent it.")
@click.option("--purge", "purging", is_flag=True, help="After the merge: delete the increments' older bytes for good.")
@click.option("--json", "as_json", is_flag=True, help="Print the tombstone as JSON.")
@click.pass_context
def forget(
    context: click.Context, models: tuple[str, ...], everything: bool, entity: str, purging: bool, as_json: bool
) -> None:
    """Erase one id from logs and increments.

    Leaves a tombstone with a digest on the evidence branch, opens the pull request that rewrites the increments, and
    lists the versions that learnt from it. Ends with 3 when something still holds it.
    """
    checkout = open_checkout(context)
    repository, git = checkout.repository, checkout.git
    if not entity.strip():
        raise UsageError("An empty --entity names nobody.", "Give the contract's id, as callers sent it.")

    def one(view: ModelView) -> Outcome:
        done = forget_entity(view, entity, Secrets(os.environ), say)
        if purging:
            say(f"deleted for good: {purge(checkout.dvc, done)} copies of older increments")
        elif done.proposed is not None:
            propose_change(checkout, open_forge(repository, git), git.commit_of("HEAD"), done.proposed, say)
        if as_json:
            result_json(done.erasure)
        else:
            result(render_erasure(view.name, done.erasure))
        return "pass" if done.erasure.complete else "inconclusive"

    finish(for_each(chosen_models(checkout, models, everything), one))
