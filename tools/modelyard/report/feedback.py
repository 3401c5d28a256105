"""What feedback brought, for a terminal and for a pull request."""

from __future__ import annotations

from datetime import UTC, datetime

from modelyard.evidence.feedback import Joined
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
        "**If it is merged:** the next retraining of a pipeline that depends on that folder learns from it.", "",
        "**If nobody acts:** the next run refreshes this pull request; no row is brought twice.", "",
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
