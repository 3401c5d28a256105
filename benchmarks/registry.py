"""The registry at 200, 10,000 and 75,000 tags: against git itself, against the interpreter's start, against GTO."""

from __future__ import annotations

import sys
from pathlib import Path

from clock import Figure, measured, medians, modelyard, process
from registry_repos import tagged_repository

_FIELDS = (
    "--format=%(refname)%00%(objecttype)%00%(objectname)%00%(*objectname)%00%(taggerdate:unix)%00%(taggername)"
    "%00%(contents)%00%1e"
)
_SIZES = {"200": (10, 10, ("staging",)), "10,000": (100, 50, ("staging",)),
          "75,000": (500, 50, ("staging", "production"))}  # fmt: skip


def registry(scratch: Path) -> list[Figure]:
    """``status``, ``history`` and ``who-runs`` against ``git for-each-ref`` and the start of Python."""
    figures = []
    for name, (models, versions, stages) in _SIZES.items():
        yard = tagged_repository(scratch / name.replace(",", ""), models, versions, stages)
        refs = process(["git", "for-each-ref", _FIELDS, "refs/tags"], yard)
        click = process([sys.executable, "-c", "import click"], yard)
        bare = process([sys.executable, "-c", "pass"], yard)
        commands = [
            refs, click, bare, modelyard(yard, "status", "--json"), modelyard(yard, "history", "model-003", "--json"),
            modelyard(yard, "who-runs", "model-003", "--env", "staging", "--at", "2023-11-20T00:00", "--json"),
            modelyard(yard, "who-runs", "--env", "staging", "--at", "2023-11-20T00:00", "--json"),
        ]  # fmt: skip
        tags, cli, start, status, history, one, everybody = medians(commands, 7)
        bound = 2 * (tags + cli)
        figures += [
            Figure(f"status of all, {name} tags / 2 × (for-each-ref + import click)", status / bound, 1.0),
            Figure(f"who-runs of all, {name} tags / the same", everybody / bound, 1.0),
            Figure(f"status of all, {name} tags / (2 × for-each-ref + import click)", status / (bound - cli)),
            Figure(f"status of all, {name} tags / (2 × for-each-ref + python -c pass)", status / (2 * tags + start)),
            Figure(f"history of one, {name} tags / (python -c pass + 60 ms)", history / (start + 0.06), 1.0),
            Figure(f"who-runs of one, {name} tags / (python -c pass + 60 ms)", one / (start + 0.06), 1.0),
        ]
        if name == "10,000":
            gto = process([str(Path(sys.executable).with_name("gto")), "show"], yard)
            show = measured([gto], 1)[0].seconds
            figures.append(Figure("status of all, 10,000 tags / gto show", status / show, 1 / 300))
            figures.append(Figure("history of one, 10,000 tags / gto show", history / show, 1 / 300))
    return figures


def site(scratch: Path) -> list[Figure]:
    """``site`` for 500 models of 50 versions: at first, and when nothing changed."""
    yard = tagged_repository(scratch / "site", 500, 50, ("staging", "production"))
    out = str(scratch / "pages")
    first = process([str(Path(sys.executable).with_name("modelyard")), "site", "--out", out], yard)().seconds
    again = medians([modelyard(yard, "site", "--out", out)], 3)[0]
    return [
        Figure("site, 500 models × 50 versions / 30 s", first / 30, 1.0),
        Figure("the same again, nothing changed / the first time", again / first, 0.25),
    ]
