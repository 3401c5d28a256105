"""The held-out rows of the candidate: the bytes that dvc.lock pins, and how they differ from the champion's."""

from __future__ import annotations

import hashlib

import numpy as np

from modelyard.candidate.files import Candidate
from modelyard.candidate.reference import block_values
from modelyard.checkout.artifacts import FetchedVersion
from modelyard.errors import ModelyardError
from modelyard.files import small_files
from modelyard.manifests.pipeline import read_lock
from modelyard.metrics.held_out import HoldoutChange, LabelledRows, compare_holdouts
from modelyard.tables.file import read_table
from modelyard.tables.table import Table


def require_pinned_rows(candidate: Candidate) -> None:
    """ModelyardError when the held-out rows are not those that dvc.lock pins, as a later stage may rewrite them."""
    name, root = candidate.model.name, candidate.folder.parents[1]
    path, lock = f"models/{name}/{candidate.model.files.holdout}", candidate.folder / "dvc.lock"
    if not lock.is_file() or not (root / path).is_file():
        return
    pinned = read_lock(lock.read_bytes(), f"models/{name}/dvc.lock", small_files(root)).output(path)
    md5 = hashlib.md5((root / path).read_bytes(), usedforsecurity=False).hexdigest()
    if pinned is not None and pinned.md5 and pinned.md5 != md5:
        raise ModelyardError(
            f"{root / path} was changed after its stage wrote it: dvc.lock pins the md5 {pinned.md5[:12]}, and the file"
            f" has {md5[:12]}.",
            f"Let only one stage write it, then run: modelyard retrain {name}",
        )


def holdout_change(candidate: Candidate, champion: FetchedVersion, table: Table) -> HoldoutChange:
    """The held-out rows against those that the champion's commit pins."""
    against, before, now = str(champion.name), champion.model.contract, candidate.model.contract
    if champion.holdout is None:
        reason = f"The held-out rows of {against} are not stored, so nothing shows which rows or labels changed."
        return HoldoutChange(against, reason=reason)
    old = read_table(champion.holdout, texts=before.texts)
    old.require([before.id, before.label], f"the contract of {against}")
    trained = candidate.training([now.id, now.label])
    labelled = candidate.trained_here and {now.id, now.label} <= set(trained.names)
    numeric = all(one.is_number(name) for one, name in ((old, before.label), (table, now.label)))
    block = candidate.model.evaluation.block
    blocks = None
    if block and block in old.names:
        values = [block_values(one, block) for one in (old, table)]
        if values[0].dtype.kind == values[1].dtype.kind:
            places = np.unique(np.concatenate(values), return_inverse=True)[1].astype(np.int64)
            blocks = places[: old.rows], places[old.rows :]
    return compare_holdouts(
        against,
        _labelled(old, before.id, before.label, numeric),
        _labelled(table, now.id, now.label, numeric),
        _labelled(trained, now.id, now.label, numeric) if labelled else None,
        blocks,
    )


def holdout_notes(change: HoldoutChange | None) -> tuple[str, ...]:
    """The rows that were added, which no check refuses."""
    if change is None or not change.added:
        return ()
    return (f"{change.added:,} held-out rows are new: {change.against} was not measured on them.",)


def _labelled(table: Table, identifier: str, label: str, numeric: bool) -> LabelledRows:
    """Ids and labels as texts; a label that is a number in both tables is compared as one, so that 1 is 1.0."""
    if not numeric or not table.is_number(label):
        return LabelledRows(table.texts(identifier), table.texts(label))
    texts = np.array([repr(float(value)) for value in table.numbers(label)], dtype=object)
    return LabelledRows(table.texts(identifier), texts)
