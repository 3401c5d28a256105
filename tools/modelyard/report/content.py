"""The content of a report on a candidate, and the numbers and sentences that every form of it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from modelyard.evidence.bundle import Bundle
from modelyard.evidence.production import Joined
from modelyard.evidence.training import Changes
from modelyard.evidence.verdict import CheckResult, Verdict
from modelyard.gate.backtest import Backtest
from modelyard.metrics.drift import ColumnDrift, Drift
from modelyard.metrics.evaluation import Evaluation, MetricResult, SliceResult
from modelyard.metrics.fairness import Gap
from modelyard.metrics.flips import Flips
from modelyard.metrics.intervals import Interval
from modelyard.registry.numbering import Numbering
from modelyard.report.headline import failures_first, headline, next_step

SYMBOLS = {"pass": "✅", "fail": "❌", "inconclusive": "⚪", "waived": "🟡", "error": "💥"}
EFFECT = "Effect: the change of the mean prediction if only this column changed."
_DIGITS = 4


@dataclass(frozen=True)
class Report:
    """One candidate's verdict and the evidence behind it."""

    verdict: Verdict
    bundle: Bundle
    commit: str
    """The evaluated commit."""
    owners: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    """Who approves a change of the policy, by the approval rules of the base branch."""
    rules_url: str = ""
    """Address of the policy's file at the commit of the rules; '' where there is none."""
    changes: Changes = field(default_factory=Changes)
    backtest: Backtest | None = None
    """The verdicts of the policy that this change proposes on past versions; None if it proposes none."""
    numbering: Numbering | None = None
    """The version that merging registers, with the reasons; None if not known."""

    @property
    def headline(self) -> str:
        """The verdict with its reason, in one sentence. Names are in backticks."""
        return headline(self.bundle.model, self.verdict, self.bundle.evaluation, self.backtest)

    @property
    def plain_headline(self) -> str:
        """The headline without its sign and backticks, for pages that have colours."""
        return self.headline.split(" ", 1)[1].replace("`", "")

    @property
    def why(self) -> str:
        """The reason of the verdict alone, as commit statuses show it."""
        return self.plain_headline.partition(": ")[2]

    @property
    def next_step(self) -> str:
        """Who does what next, in one sentence."""
        version = self.numbering.version if self.numbering else ""
        return next_step(self.verdict, self.bundle.evaluation, self.backtest, self.owners, self.approvers, version)

    @property
    def checks(self) -> tuple[CheckResult, ...]:
        """The checks in reading order: failures first, those that do not apply last."""
        return failures_first(self.verdict.checks)

    def reproduce(self) -> tuple[str, ...]:
        """The commands that reproduce this report."""
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


def outcome_word(check: CheckResult) -> str:
    """The outcome of a check as reports show it."""
    return check.outcome if check.applicable else "not applicable"


def outcome_mark(check: CheckResult) -> str:
    """The sign of a check's outcome."""
    return SYMBOLS[check.outcome] if check.applicable else "–"


def worst_slices(slices: Sequence[SliceResult], limit: int = 5) -> list[tuple[SliceResult, MetricResult]]:
    """The slices with the smallest gain on the task's first metric; without a champion, those with the worst value."""
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


def share(value: float | None, digits: int = 1) -> str:
    """A share as a percentage, or a dash: ``41.3 %``."""
    return "–" if value is None else f"{value * 100:.{digits}f} %"


def drift_sign(column: ColumnDrift) -> str:
    """The state of a column as one sign."""
    if column.alarm:
        return "🔺"
    return {"drifted": "🔸", "stable": "·"}.get(column.state, "⚪")


def drift_word(column: ColumnDrift) -> str:
    """The state of a column as one word; ``unused`` has drifted, but the model hardly uses it."""
    return "alarm" if column.alarm else "unused" if column.state == "drifted" else column.state


def between(interval: Interval | None) -> str:
    """An interval, or a dash."""
    return f"[{number(interval.low)}, {number(interval.high)}]" if interval else "–"


def change_of(gap: Gap) -> str:
    """The change of a gap against the champion, with its interval."""
    interval = gap.change_interval
    return with_interval(gap.change, interval.low if interval else None, interval.high if interval else None)


def flips_sentence(flips: Flips) -> str:
    """The number of decisions that flip, and how many of them are right now."""
    total = flips.to_positive + flips.to_negative
    if not total:
        return "No decision flips."
    said = f"{total:,} {'decision flips' if total == 1 else 'decisions flip'}"
    said += f": {flips.to_positive:,} to positive, {flips.to_negative:,} to negative."
    return f"{said} {flips.right:,} of them {'is' if flips.right == 1 else 'are'} correct now."


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


def evaluation_sentence(evaluation: Evaluation) -> str:
    """The number of held-out rows and the champion: ``6,000 held-out rows, compared with v1.0.0.``"""
    champion = f"compared with {evaluation.champion}" if evaluation.champion else "a first version without a champion"
    return f"{evaluation.rows:,} held-out rows, {champion}."


def drift_sentence(drift: Drift) -> str:
    """What was compared: ``2,000 current rows compared with 2,000 rows of v1.0.0.``"""
    return f"{drift.current_rows:,} current rows compared with {drift.reference_rows:,} rows of {drift.reference}."


def prediction_counts(joined: Joined) -> list[list[str]]:
    """Rows of a table: the number of predictions with and without labels."""
    new = joined.labelled - joined.corrected
    counts = [
        ("newly labelled", new), ("label changed", joined.corrected), ("label known before", joined.known),
        ("superseded by a newer prediction of the same id", joined.repeated),
        ("without a label yet", joined.waiting), ("total", joined.predictions),
    ]  # fmt: skip
    return [[name, f"{count:,}"] for name, count in counts]


def lacking_sentence(joined: Joined) -> str:
    """The inputs that a labelled increment does not have; '' if it has all."""
    if not joined.lacking:
        return ""
    return f"Personal inputs are left out, because the log does not hold their values: {', '.join(joined.lacking)}."


def label_counts(joined: Joined) -> list[list[str]]:
    """Rows of a table: the number of labels that were delivered, and of those that were not used."""
    counts = [
        ("delivered", joined.delivered), ("duplicates", joined.duplicates),
        ("replaced by a later label", joined.changed), ("ids with contradicting labels", joined.contradicting),
        ("unreadable", joined.unreadable), ("ids without a prediction in this window", joined.unknown),
    ]  # fmt: skip
    return [[name, f"{count:,}"] for name, count in counts]
