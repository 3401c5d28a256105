"""``modelyard owners``."""

from __future__ import annotations

import click

from modelyard.files import write_whole
from modelyard.options import open_repository
from modelyard.report.generated import OWNER_FILES, render_owners
from modelyard.terminal import finish, result, say


@click.command()
@click.option("--check", is_flag=True, help="End with 1 when the file differs from the manifests.")
@click.option("--write", is_flag=True, help="Write the file to the path that the forge reads.")
@click.pass_context
def command(context: click.Context, check: bool, write: bool) -> None:
    """Make CODEOWNERS from the owners in the manifests.

    Without an option the content is printed.
    """
    repository = open_repository(context)
    owners = {name: repository.model(name).owners for name in repository.model_names()}
    content = render_owners(repository.config.owners, owners)
    path = repository.root / OWNER_FILES[repository.config.forge]
    if write:
        write_whole(path, content.encode())
        say(f"Wrote {path.relative_to(repository.root)}.")
    elif check:
        same = path.is_file() and path.read_text(encoding="utf-8") == content
        say(f"{path.relative_to(repository.root)} " + ("is up to date." if same else "differs from the manifests."))
        if not same:
            say("  Run modelyard owners --write, then commit the file.")
        finish("pass" if same else "fail")
    else:
        result(content.rstrip("\n"))
