"""What happened to what was predicted: outcomes by the contract's id, one each, whatever was delivered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.errors import UsageError
from modelyard.manifests.problems import near_match
from modelyard.manifests.schema import Model
from modelyard.measure.scores import Floats, Integers
from modelyard.predictions.once import Hashes, text_hashes
from modelyard.tables import Table, read_table

TIME = "outcome_time"


@dataclass(frozen=True)
class Outcomes:
    """Sorted by id. Where an id has several, that of the latest time counts."""

    hashes: Hashes
    """Of the ids (outcomes,), sorted, distinct."""
    labels: Any
    """Numbers, or codes of the contract's classes (outcomes,)."""
    times: Floats
    """Seconds since 1970 (outcomes,); NaN where nobody said."""
    delivered: int
    duplicates: int
    """Delivered again with the same label."""
    changed: int
    """Superseded by a later one with another label."""
    contradicting: int
    """Ids with different labels and nothing to say which is later; they count as unknown."""
    unreadable: int
    """Without an id, or with a label that the contract does not know."""

    def places(self, hashes: Hashes, at: Floats) -> Integers:
        """Where each prediction's outcome stands (rows,); −1 where there is none, or it came before the prediction."""
        if not self.hashes.size:
            return np.full(hashes.size, -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self.hashes, hashes), self.hashes.size - 1)
        known = (self.hashes[place] == hashes) & ~(self.times[place] < at)
        return np.where(known, place, -1).astype(np.int64)


def read_outcomes(file: Path, model: Model) -> Outcomes:
    """Outcomes of a Parquet, Arrow or CSV file with the contract's id and label, and ``outcome_time`` where known.

    A UsageError when the columns are not there.
    """
    contract = model.contract
    table = read_table(file, [contract.id, contract.label, TIME])
    for name in (contract.id, contract.label):
        if name not in table.names:
            raise UsageError(f"{file} has no column {name!r}.", near_match(name, table.names))
    return outcomes_of(table, model)


def outcomes_of(table: Table, model: Model) -> Outcomes:
    """The same from a table."""
    import pyarrow as pa

    contract = model.contract
    ids = pa.chunked_array(table.chunks(contract.id)).cast(pa.string())
    hashes, labels = text_hashes(ids), _labels(table, model)
    times = table.numbers(TIME) if TIME in table.names else np.full(hashes.size, np.nan)
    sound = np.asarray(ids.is_valid(), dtype=bool) & np.isfinite(labels)
    unreadable = int((~sound).sum())
    hashes, labels, times = hashes[sound], labels[sound], times[sound]
    order = np.lexsort((np.where(np.isnan(times), -np.inf, times), hashes))  # of one id, the latest is last
    hashes, labels, times = hashes[order], labels[order], times[order]
    if not hashes.size:
        return Outcomes(hashes, labels, times, table.rows, 0, 0, 0, unreadable)
    begins = np.concatenate([[True], hashes[1:] != hashes[:-1]])
    ends = np.concatenate([begins[1:], [True]])
    group = np.cumsum(begins) - 1
    last = labels[ends]
    again = (labels == last[group]) & ~ends
    other = labels != last[group]
    newest = np.where(np.isnan(times[ends]), -np.inf, times[ends])
    same_time = other & (np.where(np.isnan(times), -np.inf, times) == newest[group])
    torn = np.zeros(last.size, dtype=bool)
    torn[group[same_time]] = True
    keep = ~torn
    return Outcomes(
        hashes[ends][keep],
        last[keep],
        times[ends][keep],
        table.rows,
        int(again.sum()),
        int((other & ~torn[group]).sum()),
        int(torn.sum()),
        unreadable,
    )


def _labels(table: Table, model: Model) -> Floats:
    label = model.contract.label
    if model.task == "multiclass":
        places = {name: float(i) for i, name in enumerate(model.contract.classes)}
        names, codes = table.level_codes(label)
        known = np.array([places.get(name or "", np.nan) for name in names], dtype=np.float64)
        return np.asarray(known[codes], dtype=np.float64)
    values = table.numbers(label)
    return np.where((values == 0) | (values == 1), values, np.nan) if model.task == "binary" else values
