"""``modelyard owners``."""

from __future__ import annotations

import click

from modelyard.files import write_whole
from modelyard.options import open_repository
from modelyard.report.generated import render_owners
from modelyard.terminal import finish, result, say

_FILES = {"github": ".github/CODEOWNERS", "gitlab": ".gitlab/CODEOWNERS", "git": "CODEOWNERS"}


@click.command()
@click.option("--check", is_flag=True, help="End with 1 when the file is not what the manifests say.")
@click.option("--write", is_flag=True, help="Write the file where the forge looks for it.")
@click.pass_context
def command(context: click.Context, check: bool, write: bool) -> None:
    """Make CODEOWNERS from the owners in the manifests."""
    repository = open_repository(context)
    owners = {name: repository.model(name).owners for name in repository.model_names()}
    content = render_owners(repository.config.owners, owners)
    path = repository.root / _FILES[repository.config.forge]
    if write:
        write_whole(path, content.encode())
        say(f"wrote {path.relative_to(repository.root)}")
    elif check:
        same = path.is_file() and path.read_text(encoding="utf-8") == content
        say(f"{path.relative_to(repository.root)} " + ("is up to date" if same else "is not what the manifests say"))
        if not same:
            say("  Run: modelyard owners --write, and commit it.")
        finish("pass" if same else "fail")
    else:
        result(content.rstrip("\n"))
