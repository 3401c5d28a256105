"""``modelyard adopt``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.terminal import result, result_json, say


@click.command()
@click.option("--yes", is_flag=True, help="Do it. Without this, only say what would be written.")
@click.option("--answer", "answers", multiple=True, metavar="KEY=VALUE", help="Answer one question of the template.")
@click.option("--json", "as_json", is_flag=True, help="Print the files and the models as JSON.")
@click.pass_context
def command(context: click.Context, yes: bool, answers: tuple[str, ...], as_json: bool) -> None:
    """Make an existing git or DVC repository a model repository.

    Adds the files that modelyard init writes, all or none. A file that is there stays as it is, and is named. Lists the
    files that look like models, among the outputs in dvc.yaml and the files of git and Git LFS, and the command that
    adds each. Nothing is committed. Questions of --answer are those of modelyard init.
    """
    from modelyard.report.terminal.setup import render_adoption
    from modelyard.setup.adoption import adopt, plan_adoption
    from modelyard.setup.tree_change import finish_interrupted

    root: Path = context.obj
    if (root / ".git").exists() and finish_interrupted(root):
        say("Completed a change of this repository that was interrupted.")
    plan = plan_adoption(root, answers)
    if yes:
        adopt(root, plan)
    if as_json:
        models = [
            {"file": m.file, "origin": m.origin, "name": m.name, "holdout": m.holdout, "problem": m.problem}
            for m in plan.models
        ]
        result_json({"written": sorted(plan.change.writes), "done": yes, "kept": plan.kept, "models": models})
        return
    result(render_adoption(sorted(plan.change.writes), plan.kept, plan.models, yes))
    if yes:
        say("  Next: git add --all, commit, then the commands above, then modelyard validate")
    else:
        say("  Nothing was written. Do it: modelyard adopt --yes")
