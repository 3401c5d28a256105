"""``modelyard merge-lock``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from modelyard.errors import Refused, UsageError
from modelyard.files import write_whole
from modelyard.git import Git
from modelyard.manifests.document import ManifestErrors
from modelyard.options import open_checkout
from modelyard.registry.lock_merge import merge_locks
from modelyard.terminal import result, say


@click.command()
@click.argument("files", nargs=-1, metavar="[BASE OURS THEIRS [PATH]]")
@click.option("--install", is_flag=True, help="Let git in this clone use it for dvc.lock (see .gitattributes).")
@click.pass_context
def command(context: click.Context, files: tuple[str, ...], install: bool) -> None:
    """Merge dvc.lock stage by stage, as git's merge driver.

    What one side changed is kept. Stages that both sides retrained are left out and must run again. Anything else that
    both sides changed is a conflict: the file gets conflict markers, and git asks a person.
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
    git = Git(Path.cwd())
    try:
        merged = merge_locks(base.read_bytes(), ours.read_bytes(), theirs.read_bytes(), path)
    except ManifestErrors:
        git.merge_text(ours, base, theirs)
        raise
    if merged.conflicts:
        git.merge_text(ours, base, theirs)
        raise Refused(
            f"{path} cannot be merged: both sides changed {', '.join(merged.conflicts)}.",
            "Keep what is right in the file, and git add it; dvc repro writes its stages again.",
        )
    write_whole(ours, merged.content)
    for stage in merged.recompute:
        say(f"{path}: the stage {stage} is left out, because both sides changed it or what it reads.")
    if merged.recompute:
        say("To run these stages again, run modelyard retrain.")
