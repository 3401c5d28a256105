"""``modelyard init``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.setup.template import write_repository
from modelyard.terminal import result, result_json, say


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--answer", "answers", multiple=True, metavar="KEY=VALUE", help="Answer one question of the template.")
@click.option(
    "--example",
    type=click.Choice(["flights", "digits", "none"]),
    help="The example model to begin with. The default is flights.",
)
@click.option("--ask", is_flag=True, help="Ask the template's questions instead of taking its defaults.")
@click.option("--json", "as_json", is_flag=True, help="Print the folder and the first commit as JSON.")
def command(folder: Path, answers: tuple[str, ...], example: str | None, ask: bool, as_json: bool) -> None:
    """Write a new model repository.

    Renders the Copier template into FOLDER, creates a git and DVC repository, and makes the first commit. Questions:
    repository_name, ci, forge, cml, owner, remote_url, policy, example, staging_port, production_port, toolkit.

    toolkit is where CI installs modelyard from: index, or git+URL@COMMIT. Default: what this one was installed from.
    """
    commit = write_repository(folder, (*answers, *([f"example={example}"] if example else [])), ask)
    if as_json:
        result_json({"folder": str(folder.resolve()), "commit": commit})
        return
    result(str(folder))
    say(f"  First commit: {commit[:10]}. Next: cd {folder} && modelyard validate")
