"""The door on a long history: ``deploy --plan`` for a version that 5,000 approved changes lead to."""

from __future__ import annotations

import subprocess
from pathlib import Path

from clock import ENVIRONMENT, Figure, median, modelyard
from crash_loop import APPROVED, MODEL, begun, pushed, wants
from support.yard import git, tool

_COMMITS = 5_000


def mainline(scratch: Path) -> list[Figure]:
    """Seconds of ``deploy --plan`` once each change is filed, as a share of 2 s."""
    yard = begun(scratch / "story")
    rules = yard / "policies/approvals.yaml"
    text = rules.read_text()
    assert '["deployments/production/*"]' in text
    rules.write_text(text.replace('["deployments/production/*"]', '["deployments/production/*", "models/**"]'))
    pushed(yard, "Models need an approval too")
    _changes(yard)
    tool(yard, "register", MODEL)
    tool(yard, "deploy", "--env", "staging")  # asks about each change once, and files it
    wants(yard, "v1.1.0")
    seconds = median(modelyard(yard, "deploy", "--plan", "--env", "production"))
    return [Figure(f"deploy --plan after {_COMMITS:,} changes that are filed / 2 s", seconds / 2.0, 1.0)]


def _changes(yard: Path) -> None:
    """So many approved commits of one file of the model, in one stream."""
    head, message = git(yard, "rev-parse", "HEAD"), f"note\n\n{APPROVED}\n"
    begin = int(git(yard, "log", "-1", "--format=%ct"))
    commits = [
        f"commit refs/heads/main\ncommitter Ada Author <ada@example.org> {begin - _COMMITS + number} +0000\n"
        f"data {len(message)}\n{message}" + (f"from {head}\n" if not number else "")
        + f"M 100644 inline models/{MODEL}/notes.txt\ndata {len(str(number))}\n{number}\n"
        for number in range(_COMMITS)
    ]  # fmt: skip
    stream = "".join(commits).encode()
    subprocess.run(["git", "fast-import", "--quiet"], input=stream, cwd=yard, env=ENVIRONMENT, check=True)
    git(yard, "reset", "--quiet", "--hard", "main")
    git(yard, "push", "--quiet", "origin", "main")
