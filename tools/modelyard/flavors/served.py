"""A version's folder for another server: contract, artifact, probe rows and this package.

``contract.json`` names the artifact and its sha256. A server's adapter opens the folder and scores rows. Opening
fails unless the artifact is the registered one and gives the probe's scores.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .discovery import flavor_named
from .interface import Fault, Options, Scorer
from .probe import Probe
from .signature import Input, Signature
from .values import Column, Floats, Unreadable, breaches, canonical, shown

CONTRACT, PROBE = "contract.json", "probe.json"


class Refused(ValueError):
    """A caller's error: rows that do not fit the contract, in one sentence that names the column."""


@dataclass(frozen=True)
class Served:
    """One loaded version."""

    signature: Signature
    scorer: Scorer
    sha256: str

    @classmethod
    def open(cls, folder: Path) -> Served:
        """The loaded version of a folder; Fault if it is not the registered one."""
        said = json.loads((folder / CONTRACT).read_text(encoding="utf-8"))
        signature = Signature.from_json(said["signature"])
        artifact = folder / said["artifact"]
        digest = hashlib.sha256(artifact.read_bytes()).hexdigest()
        if not hmac.compare_digest(digest, said["sha256"]):
            raise Fault(f"{artifact} has sha256 {digest[:12]}, not {said['sha256'][:12]}.", "Deploy the version again.")
        options: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in said["options"].items()
        }
        flavor = flavor_named(said["flavor"])
        scorer = flavor.load(artifact, signature, Options(**options | {"folder": folder, "threads": 1}))
        found = cls(signature, scorer, said["sha256"])
        if (folder / PROBE).is_file():
            found.check(Probe.from_json(json.loads((folder / PROBE).read_text(encoding="utf-8"))))
        return found

    def check(self, probe: Probe) -> None:
        """Raises Fault unless the probe rows get the registered scores."""
        wrong = probe.differing(self.scorer.score(probe.columns(self.signature)))
        if wrong:
            raise Fault(
                f"{self.signature.model} {self.signature.version} gives other scores here for {len(wrong)} of"
                f" {probe.rows} probe rows.",
                "Compare the installed library versions with those recorded in the version.",
            )

    def answer(self, inputs: Mapping[str, Sequence[Any]]) -> Floats:
        """Scores (rows,), of a multiclass model (rows, classes), of a caller's columns. Raises Refused."""
        columns: dict[str, Column] = {}
        for name in inputs:
            if self.signature.input(name) is None:
                raise Refused(f"Column {name!r} is not in the contract.")
        rows = None
        for column in self.signature.inputs:
            if column.name not in inputs:
                raise Refused(f"Column {column.name!r} is missing.")
            values = inputs[column.name]
            rows = len(values) if rows is None else rows
            if len(values) != rows:
                raise Refused(f"Column {column.name!r} has {len(values)} values, others have {rows}.")
            columns[column.name] = checked(column, values)
        return self.scorer.score(columns)


def checked(column: Input, values: Sequence[Any]) -> Column:
    """The canonical values (rows,) of a caller's column. Raises Refused for values that the contract does not allow."""
    try:
        found = canonical(column, values)
    except Unreadable as error:
        raise Refused(f"Column {column.name!r}, row {error.row}: {error.said}.") from error
    if column.categories and not column.nullable and any(value is None for value in values):
        raise Refused(f"Column {column.name!r}, row {list(values).index(None)}: null is not allowed.")
    for what, rows in breaches(column, found):
        row = int(np.flatnonzero(rows)[0])
        said = "null is not allowed" if what == "null" else f"{shown(values[row])} is {what}"
        raise Refused(f"Column {column.name!r}, row {row}: {said}.")
    return found
