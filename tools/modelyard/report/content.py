"""What a report is made of, in the order every form shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from modelyard.evidence.bundle import Bundle
from modelyard.evidence.production import Joined
from modelyard.evidence.training import Changes
from modelyard.evidence.verdict import CheckResult, Verdict
from modelyard.gate.backtest import Backtest
from modelyard.metrics.drift import ColumnDrift
from modelyard.metrics.evaluation import MetricResult, SliceResult
from modelyard.metrics.fairness import Gap
from modelyard.metrics.flips import Flips
from modelyard.metrics.intervals import Interval
from modelyard.registry.numbering import Numbering

SYMBOLS = {"pass": "✅", "fail": "❌", "inconclusive": "⚪", "waived": "🟡", "error": "💥"}
_ORDER = ("error", "fail", "inconclusive", "waived", "pass")
_DIGITS = 4


@dataclass(frozen=True)
class Report:
    """One candidate's verdict and the evidence behind it."""

    verdict: Verdict
    bundle: Bundle
    commit: str
    """The commit that was measured."""
    owners: tuple[str, ...] = ()
    changes: Changes = field(default_factory=Changes)
    backtest: Backtest | None = None
    """What the policy that this change proposes would have said of past versions; None where it proposes none."""
    numbering: Numbering | None = None
    """The version that merging registers, and why; None where that is not known."""

    @property
    def headline(self) -> str:
        """The verdict, in one sentence."""
        name = self.bundle.model
        blocking, total = self.verdict.blocking, len(self.verdict.checks)
        if not blocking:
            advice = sum(c.outcome not in ("pass", "waived") for c in self.verdict.checks)
            note = f", {advice} advisory {'warning' if advice == 1 else 'warnings'}" if advice else ""
            waived = sum(c.outcome == "waived" for c in self.verdict.checks)
            note += f", {waived} waived" if waived else ""
            return f"✅ {name} may be merged: {total - advice} of {total} checks passed{note}"
        counts = {o: sum(c.outcome == o for c in blocking) for o in ("error", "fail", "inconclusive")}
        words = {"error": "could not be judged", "fail": "failed", "inconclusive": "inconclusive"}
        present = [(count, words[outcome]) for outcome, count in counts.items() if count]
        said = f"{present[0][0]} of {total} checks {present[0][1]}"
        said += "".join(f", {count} {word}" for count, word in present[1:])
        sign = "⚪" if self.verdict.outcome == "inconclusive" else "⛔"
        verb = "Wait with" if self.verdict.outcome == "inconclusive" else "Do not merge"
        return f"{sign} {verb} {name}: {said}"

    @property
    def plain_headline(self) -> str:
        """The same without its sign, for pages that have colour."""
        return self.headline.split(" ", 1)[1]

    @property
    def next_step(self) -> str:
        """Who must do what."""
        who = ", ".join(self.owners) or "the owners"
        if self.verdict.outcome in ("pass", "waived"):
            as_version = f" as {self.numbering.version}" if self.numbering else ""
            return f"Next: a review by {who}; merging registers it{as_version} and deploys it."
        if self.verdict.outcome == "inconclusive":
            return "Next: the author brings more held-out rows; the interval is too wide to tell."
        if self.verdict.outcome == "error":
            return "Next: the author runs the commands at the end again; a check had nothing to judge."
        waivable = [check.id for check in self.verdict.blocking if check.level == "soft"]
        hard = [check.id for check in self.verdict.blocking if check.level == "hard"]
        if hard:
            return f"Next: the author mends it; {', '.join(hard)} cannot be waived."
        return f"Next: the author mends it, or {who} review a waiver of {', '.join(waivable)}."

    @property
    def checks(self) -> tuple[CheckResult, ...]:
        """Failures first; advisory ones after what blocks."""
        return failures_first(self.verdict.checks)

    def reproduce(self) -> tuple[str, ...]:
        """The commands that make this report again."""
        name = self.bundle.model
        return (
            f"git checkout {self.commit[:12]}",
            f"modelyard retrain {name}",
            f"modelyard evaluate {name}",
            f"modelyard drift {name}",
            f"modelyard scan {name}",
            f"modelyard gate {name}",
            f"modelyard report {name}",
        )


def failures_first(checks: Sequence[CheckResult]) -> tuple[CheckResult, ...]:
    """In the order people read them; advisory ones after what blocks."""
    return tuple(sorted(checks, key=lambda c: (c.level == "advisory" or not c.blocks, _ORDER.index(c.outcome))))


def worst_slices(slices: Sequence[SliceResult], limit: int = 5) -> list[tuple[SliceResult, MetricResult]]:
    """The slices with the least gain (or the lowest value, without a champion), on the task's first metric."""
    judged = [(part, part.metrics[0]) for part in slices if part.sufficient and part.metrics]
    against = any(result.champion is not None for _, result in judged)

    def gain(entry: tuple[SliceResult, MetricResult]) -> float:
        result = entry[1]
        value = result.difference if against else result.candidate
        sign = 1 if result.higher_is_better else -1
        return sign * value if value is not None else float("inf")

    return sorted(judged, key=gain)[:limit]


def number(value: float | None) -> str:
    """A measured value, or a dash."""
    return "–" if value is None else f"{value:.{_DIGITS}f}"


def share(value: float | None) -> str:
    """A share as a percentage, or a dash."""
    return "–" if value is None else f"{value:.1%}"


def drift_sign(column: ColumnDrift) -> str:
    """How a column stands, as one sign."""
    if column.alarm:
        return "🔺"
    return {"drifted": "🔸", "stable": "·"}.get(column.state, "⚪")


def drift_word(column: ColumnDrift) -> str:
    """The same as a word."""
    return "alarm" if column.alarm else "unused" if column.state == "drifted" else column.state


def between(interval: Interval | None) -> str:
    """An interval, or a dash."""
    return f"[{number(interval.low)}, {number(interval.high)}]" if interval else "–"


def change_of(gap: Gap) -> str:
    """How a gap changed against the champion, with its interval."""
    interval = gap.change_interval
    return with_interval(gap.change, interval.low if interval else None, interval.high if interval else None)


def flips_sentence(flips: Flips) -> str:
    """How many decisions change, and how many of them for the better."""
    total = flips.to_positive + flips.to_negative
    if not total:
        return "No decision flips."
    return (
        f"{total:,} {'decision flips' if total == 1 else 'decisions flip'}: {flips.to_positive:,} to positive,"
        f" {flips.to_negative:,} to negative; {flips.right:,} of them to the right answer."
    )


def signed(value: float | None) -> str:
    """A difference, or a dash."""
    return "–" if value is None else f"{value:+.{_DIGITS}f}"


def with_interval(difference: float | None, low: float | None, high: float | None) -> str:
    """A difference and its interval: ``+0.0123 [+0.0101, +0.0145]``."""
    if difference is None or low is None or high is None:
        return signed(difference)
    return f"{signed(difference)} [{signed(low)}, {signed(high)}]"


def check_difference(check: CheckResult) -> str:
    """A check's difference with its interval."""
    interval = check.interval
    return with_interval(check.difference, interval.low if interval else None, interval.high if interval else None)


def metric_difference(result: MetricResult) -> str:
    """A metric's difference with its interval; a first version has the interval of its own value."""
    interval = result.interval
    if result.difference is None and interval is not None:
        return f"[{number(interval.low)}, {number(interval.high)}]"
    return with_interval(result.difference, interval.low if interval else None, interval.high if interval else None)


def prediction_counts(joined: Joined) -> list[list[str]]:
    """Rows of a table: what became of every prediction."""
    new = joined.labelled - joined.corrected
    counts = [
        ("newly labelled", new), ("labelled otherwise than before", joined.corrected),
        ("labelled before", joined.known),
        ("superseded by a newer one of the same id", joined.repeated), ("without an outcome yet", joined.waiting),
        ("all", joined.predictions),
    ]  # fmt: skip
    return [[name, f"{count:,}"] for name, count in counts]


def label_counts(joined: Joined) -> list[list[str]]:
    """Rows of a table: what became of every label that was delivered."""
    counts = [
        ("delivered", joined.delivered), ("delivered twice", joined.duplicates),
        ("replaced by a later one", joined.changed),
        ("ids that contradict themselves", joined.contradicting), ("unreadable", joined.unreadable),
        ("for ids that nobody predicted here", joined.unknown),
    ]  # fmt: skip
    return [[name, f"{count:,}"] for name, count in counts]
