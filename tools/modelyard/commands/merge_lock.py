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
@click.option("--install", is_flag=True, help="Let git in this clone use it for dvc.lock (see .gitattributes).")
@click.pass_context
def command(context: click.Context, files: tuple[str, ...], install: bool) -> None:
    """Merge dvc.lock stage by stage, as git's merge driver.

    Stages that one side changed are kept. Stages that both sides retrained are left out and must run again. The result
    has no conflict markers.
    """
    if install:
        git = open_checkout(context).git
        git.configure("merge.modelyard-lock.name", "dvc.lock, stage by stage")
        # With a full path, because git also merges where this environment is not active.
        driver = f"{shlex.quote(sys.executable)} -m modelyard merge-lock %O %A %B %P"
        git.configure("merge.modelyard-lock.driver", driver)
        result("Git merges dvc.lock with modelyard in this clone.")
        return
    if len(files) not in (3, 4):
        raise UsageError("A merge needs three files: base, ours and theirs.", "Use --install to let git call it.")
    base, ours, theirs = (Path(file) for file in files[:3])
    path = files[3] if len(files) == 4 else str(ours)
    merged = merge_locks(base.read_bytes(), ours.read_bytes(), theirs.read_bytes(), path)
    write_whole(ours, merged.content)
    for stage in merged.recompute:
        say(f"{path}: both sides changed the stage {stage}; run modelyard retrain to run it again.")
