"""Counts of a window from whylogs' profiles of its days, where a system kept no rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from modelyard.candidate.profiles import Columns
from modelyard.candidate.whylogs_profiles import counted_profiles
from modelyard.checkout.checkout import ModelView
from modelyard.errors import UsageError
from modelyard.metrics.profile import Profile
from modelyard.predictions.interface import Window
from modelyard.predictions.profiles import DAY_SECONDS, DayProfile, ProfilesReader
from modelyard.production.monitoring.counts import VersionCounts

NOTE = (
    "Read from whylogs' profiles of whole days: traffic, input drift and score drift are known, and a share between two"
    " edges to about 1.3 % of the rows."
)


def whole_days(window: Window) -> Window:
    """As many whole days (UTC) as the window has, the last of which has ended. UsageError for less than a day."""
    begin, end = (int(moment // DAY_SECONDS) * DAY_SECONDS for moment in (window.begin, window.end))
    if begin == end:
        raise UsageError("Profiles of whylogs are of whole days.", "Choose a longer window, such as --window 7d.")
    return Window(float(begin), float(end))


def profiled_counts(
    view: ModelView,
    environment: str,
    reader: ProfilesReader,
    window: Window,
    profile_of: Callable[[str], Profile | None],
) -> dict[tuple[str, str], VersionCounts]:
    """(version, champion) → its rows by day; inputs and scores of the version that answered last.

    Of several versions on the last day, the one that the environment is assigned counts.
    """
    days = reader.days(view.name, window)
    if not days:
        return {}
    last = {one.version for one in days if one.day == days[-1].day}
    assigned = view.history.assigned(environment)
    version = assigned.version if assigned and assigned.version in last else max(last)
    own, others = ([one for one in days if (one.version == version) is ours] for ours in (True, False))
    with TemporaryDirectory(prefix="modelyard-") as place:
        copies, further = ([one.copied(Path(place)) for one in side] for side in (own, others))
        columns = Columns.of(view.manifest, "input", "score")
        counted = counted_profiles(copies, further, columns, profile_of(version), f"the window of {view.name}")
    found: dict[tuple[str, str], VersionCounts] = {}
    for one, rows in zip([*own, *others], counted.rows, strict=True):
        _add(found.setdefault((one.version, "champion"), VersionCounts(sums=False)), one, rows)
    watched = found[version, "champion"]
    watched.last += 1.0
    watched.profiles = {column.name: [column] for column in counted.profiled.profile.columns}
    watched.faults = counted.profiled.faults
    return found


def _add(found: VersionCounts, one: DayProfile, rows: int) -> None:
    known, errors, total = found.days.get(one.day, (0, 0, 0.0))
    found.days[one.day] = (known + rows, errors, total)
    found.rows += rows
    found.last = max(found.last, float(one.day * DAY_SECONDS))
