"""Single predictions by what is known of them, and ids in the form in which a log holds them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError, UsageError
from modelyard.manifests.configuration import Environment, PredictionLogging, Predictions
from modelyard.manifests.model import Model
from modelyard.predictions.lookup import as_logged, log_key, named
from modelyard.secrets.interface import Secrets
from predictions.test_payload import MODEL

PLAIN = Environment(name="production")
KEYED = Environment(name="production", log=PredictionLogging(hash_key="env:KEY"))
FOREIGN = Environment(name="production", predictions=Predictions(reader="files", uri="x"))
SECRETS = Secrets({"KEY": "k"})


def personal(kind: str) -> Model:
    return msgspec.structs.replace(MODEL, contract=msgspec.structs.replace(MODEL.contract, personal_id=kind))


class Given:
    """A reader of rows (id, entity, second)."""

    def __init__(self, *rows: tuple[str | None, str | None, int]) -> None:
        self._rows = rows

    def read(self, model: Model, begin: float, end: float, columns: tuple[str, ...] | None = None) -> Iterator[Any]:
        for name, entity, second in self._rows:
            texts = {"id": name, "entity": entity, "version": "v1.0.0", "variant": "champion", "error": None}
            table = {key: pa.array([value], pa.string()) for key, value in texts.items()}
            yield pa.table(table | {"time": pa.array([second * 10**6], pa.timestamp("us", "UTC")), "score": [0.5]})


LOG = Given(("r1/0", "ann", 3), ("r1/1", "bob", 3), ("r10/0", "ann", 1), ("r2/0", None, 2), (None, "r2", 4))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("r1/1", ["r1/1"]),
        ("r1", ["r1/0", "r1/1"]),
        ("ann", ["r10/0", "r1/0"]),
        ("r2", ["r2/0", None]),
        ("nobody", []),
    ],
)
def test_rows_are_found_by_prediction_request_or_entity(wanted: str, expected: list[str | None]) -> None:
    assert [row["id"] for row in named(LOG, MODEL, 0, 9, wanted, 10)] == expected
    assert len(named(LOG, MODEL, 0, 9, wanted, 1)) == min(1, len(expected))


def test_ids_that_are_not_personal_are_logged_as_they_are() -> None:
    assert as_logged(PLAIN, MODEL, SECRETS) is None
    assert as_logged(FOREIGN, personal("hash"), SECRETS) is None, "another server's log has no digests"


@given(st.lists(st.none() | st.text(max_size=5), max_size=8))
def test_digests_keep_their_rows_and_differ_where_ids_do(ids: list[str | None]) -> None:
    names = as_logged(KEYED, personal("hash"), SECRETS)
    assert names is not None
    found = names(ids)
    assert [one is None for one in found] == [one is None for one in ids]
    pairs = {(one, digest) for one, digest in zip(ids, found, strict=True) if one is not None}
    assert len(pairs) == len({one for one, _ in pairs}) == len({digest for _, digest in pairs})


def test_a_log_without_ids_says_by_what_to_join() -> None:
    names = as_logged(PLAIN, personal("drop"), SECRETS)
    assert names is not None
    with pytest.raises(UsageError, match=r"does not hold id, so labels cannot be joined by it\. Use prediction_id"):
        names(["a"])


def test_the_key_is_needed_only_for_our_own_log_of_digests() -> None:
    assert log_key(KEYED, MODEL, SECRETS) == b"k"
    assert log_key(PLAIN, MODEL, SECRETS) is None
    assert log_key(FOREIGN, personal("hash"), SECRETS) is None
    with pytest.raises(ModelyardError, match=r"production logs digests of ids, but has no log\.hash_key"):
        log_key(PLAIN, personal("hash"), SECRETS)
