"""``modelyard affected``."""

from __future__ import annotations

import click

from modelyard.checkout.affected import affected_models, all_models, unregistered_models
from modelyard.checkout.jobs import matrix, on_runner
from modelyard.errors import UsageError
from modelyard.git import Git
from modelyard.manifests.location import find_root
from modelyard.terminal import result, result_json, say


@click.command()
@click.option(
    "--base", default="origin/main", show_default=True, metavar="REVISION", help="First revision of the change."
)
@click.option("--head", default="HEAD", show_default=True, metavar="REVISION", help="Last revision of the change.")
@click.option("--unregistered", is_flag=True, help="Instead: models whose lock at HEAD is not a registered version.")
@click.option("--all", "everything", is_flag=True, help="Instead: all models at HEAD.")
@click.option("--json", "as_json", is_flag=True, help='Print a workflow matrix: {"include": [{"model": …}]}.')
@click.option(
    "--github",
    is_flag=True,
    help="Print lines for $GITHUB_OUTPUT: any=true, matrix={…} of at most 256 jobs, of one model or of several.",
)
@click.option(
    "--runner",
    metavar="LABEL",
    help="Only models whose model.yaml names this label of a CI runner; '' for those that name none.",
)
@click.option(
    "--wait",
    "minutes",
    type=click.FloatRange(0, 360),
    default=0.0,
    metavar="MINUTES",
    help="Wait so long for models of the base that are not registered and deployed yet, as in a merge queue.",
)
@click.pass_context
def command(
    context: click.Context,
    base: str,
    head: str,
    unregistered: bool,
    everything: bool,
    as_json: bool,
    github: bool,
    runner: str | None,
    minutes: float,
) -> None:
    """List the models that a change touches."""
    if unregistered and everything:
        raise UsageError("--unregistered and --all exclude each other.", "Give one of them.")
    git = Git(find_root(context.obj))
    git.require_work_tree()
    if unregistered:
        found = unregistered_models(git)
    elif everything:
        found = all_models(git)
    else:
        found = affected_models(git, base, head)
    if runner is not None:
        found = on_runner(git, found, head, runner)
    if minutes and found and not (unregistered or everything):
        from modelyard.checkout.settling import wait_until_settled
        from modelyard.options import open_checkout

        models = [entry.model for entry in found]
        if late := wait_until_settled(open_checkout(context), models, git.commit_of(base), minutes, say):
            say(f"{', '.join(late)} is not settled after {minutes:g} minutes; compared is the champion of now.")
    if github:
        from modelyard.documents import encode

        jobs = matrix(git, [entry.model for entry in found], head, "HEAD" if unregistered or everything else base)
        result(f"any={'true' if found else 'false'}")
        result(f"matrix={encode({'include': jobs}).decode()}")
    elif as_json:
        result_json({"include": [{"model": entry.model, "reasons": entry.reasons} for entry in found]})
    else:
        for entry in found:
            result(entry.model)
            say("  " + "\n  ".join(entry.reasons))
    if not found:
        say("Every model's lock is registered." if unregistered else f"No model is affected between {base} and {head}.")
