"""Reads both tables' slice columns and inputs as codes, for drift inside slices."""

from __future__ import annotations

import numpy as np

from modelyard.manifests.model import Model
from modelyard.metrics.drift import MINIMUM_ROWS
from modelyard.metrics.profile import Profile
from modelyard.metrics.slices import MISSING, Coded, Levels, SliceDrift, levels_of_numbers, slice_drifts
from modelyard.proposal.reference import bin_codes
from modelyard.tables import TableFile, read_table


def drift_in_slices(model: Model, before: TableFile, after: TableFile, reference: Profile) -> tuple[SliceDrift, ...]:
    """Every column of the reference in every slice that both tables have."""
    names = [name for name in model.evaluation.slices if name in before.names and name in after.names]
    columns = [c for c in reference.columns if c.name in before.names and c.name in after.names]
    if not names or not columns:
        return ()
    slices = {name: _shared(before, after, name) for name in names}
    bins = {}
    for column in columns:
        sides = [bin_codes(read_table(file.path, [column.name], file.texts), column) for file in (before, after)]
        bins[column.name] = (sides[0], sides[1])
    return slice_drifts(Coded(slices, bins), MINIMUM_ROWS)


def _shared(before: TableFile, after: TableFile, name: str) -> tuple[Levels, Levels]:
    """The slice column of both tables with the same levels: numbers are cut where the quartiles of both lie."""
    tables = [read_table(file.path, [name], file.texts) for file in (before, after)]
    if all(table.is_number(name) for table in tables):
        both = levels_of_numbers(np.concatenate([table.numbers(name) for table in tables]))
        at = tables[0].rows
        return Levels(both.names, both.codes[:at]), Levels(both.names, both.codes[at:])
    coded = [table.level_codes(name) for table in tables]
    shown = [[MISSING if level is None else level for level in levels] for levels, _ in coded]
    known = sorted(set(shown[0]) | set(shown[1]))
    place = {level: i for i, level in enumerate(known)}
    places = [np.array([place[level] for level in levels], dtype=np.int64)[codes]
              for levels, (_, codes) in zip(shown, coded, strict=True)]  # fmt: skip
    return Levels(tuple(known), places[0]), Levels(tuple(known), places[1])
