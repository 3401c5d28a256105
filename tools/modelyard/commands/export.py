"""``modelyard export``."""

from __future__ import annotations

import click

from modelyard.files import write_whole
from modelyard.options import open_repository
from modelyard.pipelines.exported import export, exported_file, is_current
from modelyard.terminal import finish, result, say


@click.command()
@click.argument("engine")
@click.argument("model")
@click.option("--check", is_flag=True, help="End with 1 when the committed file is not current; write nothing.")
@click.pass_context
def command(context: click.Context, engine: str, model: str, check: bool) -> None:
    """Write a model's pipeline for Kubeflow, Metaflow or TFX.

    ENGINE is kubeflow, metaflow or tfx. The file is made from the stages in dvc.yaml and from resources in model.yaml.
    Each step clones a commit and runs one stage through DVC, so cache, lock and lineage stay the same. modelyard
    validate checks the committed files too.
    """
    repository = open_repository(context)
    shown = exported_file(model, engine)
    if check:
        same = is_current(repository, model, engine)
        say(f"{shown} is current." if same else f"{shown} is not what dvc.yaml and model.yaml say now.")
        if not same:
            say(f"  Run modelyard export {engine} {model}, then commit the file.")
        finish("pass" if same else "fail")
    text = export(repository, model, engine)
    write_whole(repository.root / shown, text.encode())
    result(shown)
