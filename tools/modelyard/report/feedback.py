"""What feedback brought, for a terminal and for a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from modelyard.evidence.production import Erasure, Joined
from modelyard.report.safe import table as markdown_table
from modelyard.report.safe import text
from modelyard.report.text import bold, table, wrapped


def render_joined(model: str, joined: Joined, path: str) -> str:
    """For a terminal: every prediction and every outcome in exactly one count."""
    head = f"{joined.labelled:,} labelled rows for {model}" if path else f"Nothing new to learn from for {model}"
    lines = [bold(head), *([path] if path else []), "", table(["predictions", ""], _predictions(joined))]
    lines += ["", table(["outcomes", ""], _outcomes(joined))]
    if joined.lacking:
        lines += ["", wrapped(f"Not in the log, for they are personal: {', '.join(joined.lacking)}.")]
    return "\n".join(lines)


def increment_body(model: str, environment: str, path: str, begin: float, end: float, joined: Joined) -> str:
    """Markdown for the pull request."""
    lines = [
        f"## Feedback for {text(model)}", "",
        f"What happened to the predictions of {text(environment)} from {_day(begin)} to {_day(end)}, as the next"
        f" labelled increment: `{text(path)}`.", "",
        *markdown_table(["predictions", ""], _predictions(joined)), "",
        *markdown_table(["outcomes", ""], _outcomes(joined)), "",
        *([f"Not in the log, for they are personal: {text(', '.join(joined.lacking))}.", ""] if joined.lacking else []),
        "**If it is merged:** a pipeline with `modelyard feedback table` as a stage learns from it, once retrained.",
        "",
        "**If nobody acts:** the next run refreshes this pull request; no row is brought twice.", "",
        "<sub>Opened by modelyard. Edits of this text are overwritten when it is refreshed.</sub>", "",
    ]  # fmt: skip
    return "\n".join(lines)


def render_erasure(model: str, erasure: Erasure) -> str:
    """For a terminal: what is gone, what is not, and which versions know it."""
    rows = [[f"log of {name}", f"{count:,} erased"] for name, count in erasure.logs.items()]
    rows += [[f"log of {name}", f"{n:,} in the segment being written"] for name, n in erasure.waiting.items() if n]
    rows += [[f"log of {name}", "kept by somebody else: erase it there"] for name in erasure.unreached]
    rows += [[one.path, f"{one.rows:,} rows"] for one in erasure.increments]
    known = (("learnt from it", erasure.trained), ("judged on it", erasure.judged), ("unknown", erasure.unknown))
    rows += [[f"versions: {what}", ", ".join(names)] for what, names in known if names]
    head = f"Erased from what {model} logged and learns from; tombstone {erasure.digest[:12]}"
    lines = [bold(head), "", table(["where", ""], rows)] if rows else [bold(head)]
    if erasure.evidence:
        said = "These files on the evidence branch name it, and things are only added there:"
        lines += ["", said, *(f"  {path}" for path in erasure.evidence)]
    return "\n".join(lines)


def forgetting_body(model: str, erasure: Erasure, paths: Sequence[str]) -> str:
    """Markdown for the pull request; it names nobody."""
    trained = ", ".join(erasure.trained) or "none"
    lines = [
        f"## Erase an id from the feedback of {text(model)}", "",
        f"Asked for by somebody who may. The tombstone is `{erasure.digest[:16]}` on the evidence branch.", "",
        *markdown_table(["increment", ""], [[f"`{text(path)}`", "rewritten without it"] for path in paths]), "",
        f"Versions that learnt from it: {text(trained)}. They keep serving; retrain, or deprecate them.", "",
        "**If it is merged:** the next retraining does not see it. `modelyard feedback forget --purge` then deletes the"
        " older bytes for good.", "",
        "**If nobody acts:** main's increments keep holding it.", "",
        "<sub>Opened by modelyard. Edits of this text are overwritten when it is refreshed.</sub>", "",
    ]  # fmt: skip
    return "\n".join(lines)


def _predictions(joined: Joined) -> list[list[str]]:
    new = joined.labelled - joined.corrected
    counts = [
        ("newly labelled", new), ("labelled otherwise than before", joined.corrected),
        ("labelled before", joined.known),
        ("superseded by a newer one of the same id", joined.repeated), ("without an outcome yet", joined.waiting),
        ("all", joined.predictions),
    ]  # fmt: skip
    return [[name, f"{count:,}"] for name, count in counts]


def _outcomes(joined: Joined) -> list[list[str]]:
    counts = [
        ("delivered", joined.outcomes), ("delivered twice", joined.duplicates),
        ("replaced by a later one", joined.changed),
        ("ids that contradict themselves", joined.contradicting), ("unreadable", joined.unreadable),
        ("for ids that nobody predicted here", joined.unknown),
    ]  # fmt: skip
    return [[name, f"{count:,}"] for name, count in counts]


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
