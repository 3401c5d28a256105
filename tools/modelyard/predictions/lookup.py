"""Single predictions: how a log names an id, and finding rows by what somebody knows of them."""

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
    """The key of the log's digests; None where there are none. ModelyardError where it has to be, and is not named."""
    reference = environment.log.hash_key
    if reference is None and model.contract.personal_id == "hash" and environment.predictions.reader == "log":
        raise ModelyardError(
            f"{environment.name} logs digests of ids, and modelyard.yaml names no log.hash_key for it.",
            "Name the key the server used.",
        )
    return secrets.read(reference).encode() if reference else None


def as_logged(environment: Environment, model: Model, secrets: Secrets) -> AsLogged | None:
    """What turns ids into the log's names; None where those are the ids themselves."""
    personal = model.contract.personal_id
    if personal == "no":
        return None
    key = log_key(environment, model, secrets) if personal == "hash" else None
    if personal == "hash" and key is None:  # another's log, which knows nothing of our digests
        return None
    privacy = Privacy(model.contract, key)

    def names(ids: Sequence[str | None]) -> list[str | None]:
        known = privacy.entities([one for one in ids if one is not None])
        if known is None:
            raise UsageError(
                f"The log of {model.name} keeps no {model.contract.id}, so no outcome finds its prediction by it.",
                f"Name ground_truth by {PREDICTION}, which callers get with the answer.",
            )
        rest = iter(known)
        return [None if one is None else str(next(rest)) for one in ids]

    return names


def named(reader: Reader, model: Model, begin: float, end: float, wanted: str, most: int) -> list[dict[str, Any]]:
    """The rows of ``[begin, end)`` whose id, request or entity is ``wanted``, oldest first, at most so many."""
    import pyarrow.compute as pc

    found: list[dict[str, Any]] = []
    for table in reader.read(model, begin, end, _COLUMNS):
        those = pc.or_kleene(pc.equal(table["id"], wanted), pc.starts_with(table["id"], f"{wanted}/"))
        those = pc.or_kleene(those, pc.equal(table["entity"], wanted)).fill_null(False)
        found += table.filter(those).select(_COLUMNS).to_pylist()
    return sorted(found, key=lambda row: row["time"] or datetime.fromtimestamp(0, UTC))[:most]
