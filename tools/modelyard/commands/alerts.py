"""``modelyard alerts``."""

from __future__ import annotations

import json
from pathlib import Path

import click
import yaml

from modelyard.errors import UsageError
from modelyard.files import write_whole
from modelyard.manifests.repository import ModelRepository
from modelyard.manifests.rules import watches_for
from modelyard.report.prometheus.rules import Watching, grafana_dashboard, grafana_provisioning, prometheus_rules
from modelyard.terminal import result, say

_OUT = click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write; by default standard output."
)


@click.group()
def command() -> None:
    """Write Prometheus rules and a Grafana dashboard."""


@command.command()
@_OUT
@click.pass_context
def rules(context: click.Context, out: Path | None) -> None:
    """Write Prometheus rules from the policies.

    There is one group of recording and alerting rules per model and environment. Burn rates and missing traffic are
    computed from the server's counters, all other alerts from the metrics that monitor writes.
    """
    repository = ModelRepository.find(context.obj)
    deployed = []
    for environment, deployment in repository.deployments():
        model = repository.model(deployment.model)
        policy, lines = repository.policy(model.policy)
        deployed.append(Watching(environment, model.name, lines.file, watches_for(policy, model)))
    made = prometheus_rules(deployed, repository.config.alerts.hold)
    _write(yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=10_000), out)


@command.command()
@_OUT
@click.option(
    "--provisioning",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write dashboard, provider and data source to this folder, for /etc/grafana/provisioning.",
)
@click.option("--prometheus", metavar="URL", help="With --provisioning: the server as Grafana reaches it.")
def dashboard(out: Path | None, provisioning: Path | None, prometheus: str | None) -> None:
    """Write a Grafana dashboard as JSON.

    Import the file, or provision it.
    """
    if provisioning is None:
        _write(json.dumps(grafana_dashboard(), indent=1) + "\n", out)
        return
    if not prometheus or out:
        raise UsageError(
            "--provisioning needs --prometheus, and excludes --out.",
            "Write: modelyard alerts dashboard --provisioning FOLDER --prometheus http://prometheus:9090",
        )
    for path, content in grafana_provisioning(prometheus).items():
        text = (
            json.dumps(content, indent=1) + "\n" if path.endswith(".json") else yaml.safe_dump(content, sort_keys=False)
        )
        _write(text, provisioning / path)


def _write(text: str, out: Path | None) -> None:
    if out is None:
        result(text.removesuffix("\n"))
    else:
        write_whole(out, text.encode())
        say(f"wrote {out}")
