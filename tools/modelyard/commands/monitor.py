"""``modelyard monitor``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from modelyard.checkout.checkout import ModelView
from modelyard.evidence.verdict import Outcome
from modelyard.files import write_whole
from modelyard.ground_truth.sources import find_ground_truth
from modelyard.options import (
    chosen_models,
    for_each,
    ground_truth_options,
    of_one_model,
    open_checkout,
    own_file,
    verbosity,
    window_of,
)
from modelyard.production.alerting.notification import notify
from modelyard.production.alerting.pushgateway import write_metrics
from modelyard.production.monitoring.watch import file_window, watch
from modelyard.production.monitoring.window import NeverServed
from modelyard.report.html.window import render_monitoring_html
from modelyard.report.terminal.production import render_monitoring
from modelyard.secrets.permission import open_secrets
from modelyard.terminal import finish, result, result_json, say, shown_progress


@click.command()
@click.argument("models", nargs=-1)
@click.option(
    "--all", "everything", is_flag=True, help="All models; those that never served in the environment are skipped."
)
@click.option("--env", "environment", required=True, metavar="ENV", help="The environment in which the models serve.")
@click.option(
    "--window", default="7d", show_default=True, metavar="LENGTH", help="Length of the window, such as 24h or 7d."
)
@click.option("--until", metavar="TIME", help="The window's end, such as 2026-05-03T14:00 (UTC); by default now.")
@ground_truth_options
@click.option("--file", "keep", is_flag=True, help="File the window on the branch modelyard/evidence.")
@click.option("--alert", is_flag=True, help="Notify the channels that modelyard.yaml names under alerts.")
@click.option(
    "--metrics",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the window's metrics for Prometheus to this .prom file; {model} becomes the model's name.",
)
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the window as an HTML page that needs no server; {model} becomes the model's name.",
)
@click.option(
    "--evidently",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write Evidently's report and Workspace snapshot of the window to this folder; {model} becomes the model's"
    " name. Needs modelyard tools install evidently.",
)
@click.option(
    "--whylogs",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write whylogs profiles of the window's days, and their merged profile, to this folder; {model} becomes the"
    " model's name. Needs modelyard tools install whylogs.",
)
@click.option("--if-served", is_flag=True, help="Pass when no version ever served in the environment.")
@click.option("--json", "as_json", is_flag=True, help="Print measurements and verdict as JSON.")
@verbosity
@click.pass_context
def command(
    context: click.Context,
    models: tuple[str, ...],
    everything: bool,
    environment: str,
    window: str,
    until: str | None,
    file: Path | None,
    sql: str | None,
    query: str | None,
    keep: bool,
    alert: bool,
    metrics: Path | None,
    page: Path | None,
    evidently: Path | None,
    whylogs: Path | None,
    if_served: bool,
    as_json: bool,
) -> None:
    """Monitor served versions: traffic, drift, quality.

    Reads the environment's prediction log once, compares it with the version's own committed profile, and judges it by
    the monitoring rules of the model's policy. Exits with 1 when a rule failed and with 3 when there was too little to
    judge; with several models the worst result counts.
    """
    checkout = open_checkout(context)
    repository = checkout.repository
    span = window_of(window, until, filed=keep)
    where = repository.environment(environment)
    chosen = chosen_models(checkout, models, everything)
    of_one_model(chosen, file, sql)
    metrics_of, page_of = own_file(metrics, chosen), own_file(page, chosen)
    tools = {"evidently": evidently, "whylogs": whylogs}
    folders = {name: own_file(folder, chosen) for name, folder in tools.items() if folder}

    def one(view: ModelView) -> Outcome:
        model = view.name
        known = find_ground_truth(view.manifest, where, checkout.root, open_secrets(checkout.git), file, sql, query)
        try:
            with shown_progress(f"Reading predictions of {model}") as progress:
                watched = watch(view, where, span, known, progress)
        except NeverServed as never:
            if not (if_served or everything):
                raise
            say(never.problem)
            return "pass"
        if metrics:
            write_metrics(metrics_of(model), model, watched.monitoring, watched.verdict)
        if page:
            write_whole(page_of(model), render_monitoring_html(model, watched.monitoring, watched.verdict).encode())
        if as_json:
            result_json({"model": model, "monitoring": watched.monitoring, "verdict": watched.verdict})
        else:
            result(render_monitoring(model, watched.monitoring, watched.verdict))
        if alert:
            notify(checkout, watched, os.environ, say)
        exchanged = {}
        if folders:
            from modelyard.production.exchange.export import export_window

            into = {name: folder_of(model) for name, folder_of in folders.items()}
            exchanged = export_window(view, where, span, known, watched, into, say)
        if keep:  # last, so that every filed window was notified
            say(f"filed: {file_window(checkout.evidence, watched, exchanged)[:12]}")
        return watched.verdict.outcome

    finish(for_each(chosen, one))
