"""Lookup of single predictions by id, and the form in which a log holds personal ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from modelyard.errors import ModelyardError, UsageError
from modelyard.manifests.configuration import Environment
from modelyard.manifests.model import PREDICTION, Model
from modelyard.predictions.interface import Reader
from modelyard.predictions.writer import Privacy
from modelyard.secrets.interface import Secrets

AsLogged = Callable[[Sequence[str | None]], list[str | None]]
_COLUMNS = ("id", "entity", "time", "version", "variant", "score", "error")


def log_key(environment: Environment, model: Model, secrets: Secrets) -> bytes | None:
    """The key of the log's digests of ids; None without one. A ModelyardError when a key is needed and not named."""
    reference = environment.log.hash_key
    if reference is None and model.contract.personal_id == "hash" and environment.predictions.reader == "log":
        raise ModelyardError(
            f"{environment.name} logs digests of ids, but has no log.hash_key in modelyard.yaml.",
            "Name the key that the server uses.",
        )
    return secrets.read(reference).encode() if reference else None


def as_logged(environment: Environment, model: Model, secrets: Secrets) -> AsLogged | None:
    """A function from ids to what the log holds of them; None when the log holds the ids themselves.

    The function raises a UsageError when the log holds no ids.
    """
    personal = model.contract.personal_id
    if personal == "no":
        return None
    key = log_key(environment, model, secrets) if personal == "hash" else None
    if personal == "hash" and key is None:  # a log of another server, which has no digests
        return None
    privacy = Privacy(model.contract, key)

    def names(ids: Sequence[str | None]) -> list[str | None]:
        known = privacy.entities([one for one in ids if one is not None])
        if known is None:
            raise UsageError(
                f"The log of {model.name} does not hold {model.contract.id}, so labels cannot be joined by it.",
                f"Use {PREDICTION} in the ground truth; callers get it with each answer.",
            )
        rest = iter(known)
        return [None if one is None else str(next(rest)) for one in ids]

    return names


def named(reader: Reader, model: Model, begin: float, end: float, wanted: str, most: int) -> list[dict[str, Any]]:
    """The oldest rows (at most ``most``) of ``[begin, end)`` whose id, request or entity is ``wanted``."""
    import pyarrow.compute as pc

    found: list[dict[str, Any]] = []
    for table in reader.read(model, begin, end, _COLUMNS):
        those = pc.or_kleene(pc.equal(table["id"], wanted), pc.starts_with(table["id"], f"{wanted}/"))
        those = pc.or_kleene(those, pc.equal(table["entity"], wanted)).fill_null(False)
        found += table.filter(those).select(_COLUMNS).to_pylist()
    return sorted(found, key=lambda row: row["time"] or datetime.fromtimestamp(0, UTC))[:most]
