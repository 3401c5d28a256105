"""The result of a replay: the quality of each month, for the first model without retraining and for the loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelyard.report.html.figure import Figure
from modelyard.report.html.pictures import trend_plot
from modelyard.report.terminal.layout import Layout, Paragraph, Part, Table
from modelyard.report.terminal.text import bold


@dataclass(frozen=True)
class Month:
    """The result of one month. Each AUC is realised: all predictions of the month against their labels."""

    month: str
    rows: int
    version: str
    """The version that served."""
    static: float
    """AUC of v1.0.0 on the same rows."""
    loop: float
    interval: tuple[float, float]
    """95 % interval of ``loop``."""
    alarms: tuple[str, ...]
    """Ids of the failed watches."""
    candidate: str
    """The version of the promoted candidate; '' when the gate did not pass it."""
    refused: tuple[str, ...]
    """Ids of the checks that the candidate failed."""
    undecided: tuple[str, ...]
    """Ids of the checks for which its held-out month says too little."""
    seconds: float
    """Duration of the training."""


def render_replay(months: Sequence[Month]) -> Layout:
    """The replay as a table of months, then the alarms, the refusals and the mean AUC."""
    rows = [
        [m.month, f"{m.rows:,}", m.version, f"{m.static:.4f}", f"{m.loop:.4f}", f"{m.loop - m.static:+.4f}",
         str(len(m.alarms)), _became(m)]
        for m in months
    ]  # fmt: skip
    parts: list[Part] = [
        Table(["month", "flights", "serves", "static", "loop", "gain", "alarms", "retrained"], rows),
        "",
    ]
    for m in months:
        if m.alarms:
            parts.append(Paragraph(f"{m.month} alarms: {', '.join(m.alarms)}", "  "))
        if m.refused:
            parts.append(Paragraph(f"{m.month} refused by: {', '.join(m.refused)}", "  "))
        if m.undecided:
            parts.append(Paragraph(f"{m.month} undecided: {', '.join(m.undecided)}", "  "))
    total = sum(m.rows for m in months)
    static, loop = (sum(value * m.rows for m, value in zip(months, values, strict=True)) / total
                    for values in ([m.static for m in months], [m.loop for m in months]))  # fmt: skip
    promoted, refused = sum(bool(m.candidate) for m in months), sum(bool(m.refused) for m in months)
    said = f"{_counted(promoted, 'promotion')}, {_counted(refused, 'refusal')}"
    said += f", {left} undecided" if (left := len(months) - promoted - refused) else ""
    parts += ["", bold(f"Mean AUC by flights: static {static:.4f}, loop {loop:.4f} ({loop - static:+.4f})"), said]
    return Layout.of(*parts)


def replay_chart(months: Sequence[Month]) -> Figure:
    """The replay as an SVG figure: two lines, and the result of each month's candidate."""
    marks = [_became(m).removeprefix("→ ") for m in months]
    return trend_plot(
        [m.month for m in months],
        [
            ("the loop", "good", [m.loop for m in months]),
            ("v1.0.0 without retraining", "bad", [m.static for m in months]),
        ],
        marks,
        "Realised AUC of each month's flights, and the candidate retrained after it",
    )


def _became(month: Month) -> str:
    """What became of the month's candidate."""
    if month.candidate:
        return f"→ {month.candidate}"
    return "refused" if month.refused else "undecided"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
