"""``modelyard status``."""

from __future__ import annotations

import click

from modelyard.git import Git
from modelyard.manifests.location import find_root
from modelyard.registry.tags import EVERY_MODEL, model_patterns
from modelyard.terminal import result, result_json, say


@click.command()
@click.argument("model", required=False)
@click.option("--env", "environment", metavar="ENV", help="Only this environment.")
@click.option("--live", is_flag=True, help="Also ask targets that need a secret; modelyard.yaml on main allows each.")
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON.")
@click.pass_context
def command(context: click.Context, model: str | None, environment: str | None, live: bool, as_json: bool) -> None:
    """Show which version serves where, since when, and why.

    The column sync says whether the observed state matches the desired state, and health says whether the
    version works.
    """
    git = Git(find_root(context.obj))
    pending = git.begin_tags(*(model_patterns(model) if model else EVERY_MODEL))
    # Imports take half of the command's time. Git reads its refs meanwhile.
    from modelyard.audit.mirror.notice import read_notice
    from modelyard.deployment.observation import observe, protection, unpushed
    from modelyard.manifests.repository import ModelRepository
    from modelyard.report.terminal.deployments import render_status

    repository = ModelRepository(git.root)
    if model:
        repository.model_folder(model)
    if environment:
        repository.environment(environment)
    lines = observe(repository, git, pending, model, environment, live=live)
    if unprotected := protection(git):
        say(unprotected)
    if waiting := unpushed(git):
        say(waiting)
    if repository.config.mirror and (behind := read_notice(git)):
        say(behind)
    if as_json:
        result_json(lines)
    else:
        result(render_status(lines, detailed=model is not None or len(lines) <= 6))
