"""Earlier predictions as the reference of input drift: the same months of earlier years, or the time just before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from modelyard.manifests.model import Model
from modelyard.manifests.names import seconds_of
from modelyard.manifests.watches import AnyWatch, DriftReference, InputsWatch
from modelyard.metrics.drift import MINIMUM_ROWS
from modelyard.metrics.profile import ColumnProfile, Profile, merge_columns
from modelyard.predictions.interface import Reader, Window
from modelyard.predictions.profiles import ProfilesReader
from modelyard.production.monitoring.counts import WindowCounts
from modelyard.progress import Progress

YEARS = 5
"""Earlier years that are looked for the same months."""


@dataclass(frozen=True)
class Earlier:
    """The inputs of earlier predictions, in the bins of a version's profile."""

    profile: Profile | None
    """None where there are too few."""
    name: str
    """What they are, such as ``the predictions of July in earlier years``."""
    missing: str = ""
    """Why there is no profile, as a sentence."""


def earlier_inputs(
    model: Model,
    profile: Profile | None,
    watches: Sequence[AnyWatch],
    reader: Reader | ProfilesReader,
    window: Window,
    progress: Progress,
) -> Earlier | None:
    """The inputs of the spans that a window is compared with, whichever version answered; None where no watch of a
    policy names a reference.

    Importance and window spreads are those of ``profile``, the monitored version's.
    """
    reference = next((w.reference for w in watches if isinstance(w, InputsWatch) and w.reference), None)
    if reference is None or profile is None:
        return None
    if isinstance(reader, ProfilesReader):
        missing = "Profiles of days are not compared with earlier ones, so drift cannot be told from the season."
        return Earlier(None, _named(reference, window), missing)
    found: dict[str, list[ColumnProfile]] = {}
    for span in spans_of(reference, window):
        counts = WindowCounts(model, lambda _: profile, span, (), None, span.end)
        for (_, variant), part in counts.read(reader, progress).items():
            if variant != "shadow":  # a copy of a request that is counted already
                for name, counted in part.profiles.items():
                    found.setdefault(name, []).extend(counted)
    merged = {name: merge_columns(parts) for name, parts in found.items() if parts}
    columns = tuple(_frozen(merged[c.name], c) for c in profile.columns if c.role == "input" and c.name in merged)
    name = _named(reference, window)
    known = max((column.rows for column in columns), default=0)
    if known < MINIMUM_ROWS:
        what = f"{_months(window)} is new" if reference.season else f"Nothing to compare with {reference.rolling} back"
        missing = f"{what}: the prediction log has {known:,} of {name} ({MINIMUM_ROWS} needed)"
        return Earlier(None, name, f"{missing}, so drift cannot be told from the season.")
    return Earlier(Profile(known, columns), name)


def spans_of(reference: DriftReference, window: Window) -> tuple[Window, ...]:
    """The spans that a window is compared with, newest first; all of them end before it begins."""
    if reference.rolling is not None:
        return (Window(window.begin - seconds_of(reference.rolling), window.begin),)
    first, last = _first_and_last(window)
    found = []
    for back in range(1, YEARS + 1):
        begin = datetime(first.year - back, first.month, 1, tzinfo=UTC)
        following = last.year * 12 + last.month  # months since year 0, counted from January
        end = datetime(following // 12 - back, following % 12 + 1, 1, tzinfo=UTC)
        span = Window(begin.timestamp(), min(end.timestamp(), window.begin))
        if span.begin < span.end:
            found.append(span)
    return tuple(found)


def _first_and_last(window: Window) -> tuple[datetime, datetime]:
    return datetime.fromtimestamp(window.begin, UTC), datetime.fromtimestamp(max(window.end - 1e-3, window.begin), UTC)


def _months(window: Window) -> str:
    """The months of a window, such as ``July`` or ``June to August``."""
    first, last = _first_and_last(window)
    return f"{first:%B}" if (first.year, first.month) == (last.year, last.month) else f"{first:%B} to {last:%B}"


def _named(reference: DriftReference, window: Window) -> str:
    if reference.rolling is not None:
        return f"the predictions of the {reference.rolling} before the window"
    return f"the predictions of {_months(window)} in earlier years"


def _frozen(counted: ColumnProfile, reference: ColumnProfile) -> ColumnProfile:
    """Counts of earlier predictions with what the version's own profile says of the column."""
    return replace(counted, spreads=reference.spreads, importance=reference.importance, scores=reference.scores)
