"""``modelyard gate``."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from modelyard.candidate.backtest import backtest_policy, policy_lines
from modelyard.candidate.judgement import judged_report, write_verdict
from modelyard.checkout.checkout import Checkout
from modelyard.options import open_checkout, the_model
from modelyard.report.terminal.proposal import render_backtest, render_terminal
from modelyard.terminal import finish, result, result_json


@click.command()
@click.argument("model", required=False)
@click.option("--policy", metavar="POLICY", help="Judge by this policy instead (a name or a file); nothing is written.")
@click.option("--backtest", "last", type=click.IntRange(1), metavar="N",
              help="Backtest: judge the last N versions by --policy, and show which verdicts change.")  # fmt: skip
@click.option("--base", metavar="REVISION", help="Judge by the rules of this revision, as CI does with origin/main.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
@click.pass_context
def command(
    context: click.Context, model: str | None, policy: str | None, last: int | None, base: str | None, as_json: bool
) -> None:
    """Judge the evidence by the model's policy.

    Ends with 0 when the candidate may be merged, 1 when a check failed, 3 when a check is inconclusive, and 4 when
    evidence is missing.
    """
    checkout = open_checkout(context)
    if last:
        _backtest(checkout, model, policy, last, as_json)
        return
    view, today = the_model(checkout, model), datetime.now(UTC).date()
    report = judged_report(view, today, policy) if policy else write_verdict(view, today, base)
    if as_json:
        result_json(report.verdict)
    else:
        result(render_terminal(report))
    finish(report.verdict.outcome)


def _backtest(checkout: Checkout, model: str | None, policy: str | None, last: int, as_json: bool) -> None:
    repository = checkout.repository
    models = [the_model(checkout, model).name] if model else repository.model_names()
    lines = policy_lines(repository, policy or repository.model(models[0]).policy)
    if not model:
        name = str(lines.value.get("name")) if isinstance(lines.value, dict) else ""
        models = [known for known in models if repository.model(known).policy == name] or models
    found = backtest_policy(checkout, models, lines, last)
    if as_json:
        result_json(found)
    else:
        result(render_backtest(found))
