"""``modelyard merge-lock``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from modelyard.errors import UsageError
from modelyard.files import write_whole
from modelyard.options import open_checkout
from modelyard.registry.lock_merge import merge_locks
from modelyard.terminal import result, say


@click.command()
@click.argument("files", nargs=-1, metavar="[BASE OURS THEIRS [PATH]]")
@click.option("--install", is_flag=True, help="Tell git of this clone to call it for dvc.lock (see .gitattributes).")
@click.pass_context
def command(context: click.Context, files: tuple[str, ...], install: bool) -> None:
    """Merge dvc.lock stage by stage, as git's merge driver.

    Stages that one side changed are taken over. Stages that both sides retrained are left out, to be run once more:
    never conflict markers, never a digest that nobody computed.
    """
    if install:
        git = open_checkout(context).git
        git.configure("merge.modelyard-lock.name", "dvc.lock, stage by stage")
        # By its full path: git also merges where this environment is not activated.
        driver = f"{shlex.quote(sys.executable)} -m modelyard merge-lock %O %A %B %P"
        git.configure("merge.modelyard-lock.driver", driver)
        result("git merges dvc.lock with modelyard in this clone.")
        return
    if len(files) not in (3, 4):
        raise UsageError("A merge needs three files: base, ours, theirs.", "git calls it so; set it up with --install.")
    base, ours, theirs = (Path(file) for file in files[:3])
    path = files[3] if len(files) == 4 else str(ours)
    merged = merge_locks(base.read_bytes(), ours.read_bytes(), theirs.read_bytes(), path)
    write_whole(ours, merged.content)
    for stage in merged.recompute:
        say(f"{path}: both sides changed the stage {stage}; run modelyard retrain to make it anew.")
