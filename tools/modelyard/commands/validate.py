"""``modelyard validate``."""

from __future__ import annotations

import click

from modelyard.git import Git
from modelyard.manifests.references import check_repository
from modelyard.options import open_repository
from modelyard.registry.history import read_registry
from modelyard.report import problems
from modelyard.terminal import finish, result, result_json, say


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="github: annotations on the lines with faults.",
)
@click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
@click.pass_context
def command(context: click.Context, form: str, as_json: bool) -> None:
    """Check every manifest and report all faults at once.

    Ends with 1 when there are faults.
    """
    repository = open_repository(context)
    git = Git(repository.root)
    # Without commits there are no versions. In a shallow clone the versions are not known.
    known = None
    if git.has_commits() and not git.is_shallow():
        registry = read_registry(git.tags())
        known = {m: {v.version for v in h.versions} for m, h in registry.models.items()}
    found = check_repository(repository, known)
    if not found:
        from modelyard.pipelines.exported import stale_exports  # engines are found by entry points, which takes time

        found = stale_exports(repository)
    if as_json or form == "json":
        result_json(problems.as_json(found))
    elif form == "github":
        for line in problems.github_annotations(found):
            result(line)
    else:
        for problem in found:
            result(str(problem))
    say(problems.summary(found))
    finish("fail" if found else "pass")
