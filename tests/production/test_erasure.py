"""An id searched for as text, and erased from what a clone in memory holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError, Refused
from modelyard.manifests.configuration import Environment, PredictionLogging, Predictions
from modelyard.manifests.model import Model
from modelyard.predictions.segments import read_predictions
from modelyard.predictions.writer import Entry, Privacy
from modelyard.production.feedback.erasure import ErasureResult, erase_id, name_pattern, purge
from modelyard.report.markdown.safe import text
from modelyard.secrets.interface import Secrets
from production.stores import Yard
from production.test_increment import FIRST, MODEL, collected, entry, table, truth

SECRETS = Secrets({"KEY": "k"})
SHA256_OF_A = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"

# --- the search ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"flight-7", True), (b'{"id": "flight-7"}', True), (b"<td>flight-7</td>", True), (b"flight-7/0", True),
        (b"a,flight-7,b", True), (b"flight-7.", True), (b"", False), (b"flight-70", False), (b"flight-7-8", False),
        (b"my-flight-7", False), (b"xflight-7", False), (b"flight_7", False), (b"FLIGHT-7", False),
    ],
)  # fmt: skip
def test_an_id_is_found_as_a_word_of_its_own(content: bytes, found: bool) -> None:
    assert bool(name_pattern({"flight-7"}).search(content)) is found


def test_an_id_is_found_as_json_html_and_markdown_write_it() -> None:
    name = 'Ann "é" <b> a_b'
    pattern = name_pattern({name})
    forms = (name, json.dumps(name), json.dumps(name, ensure_ascii=False), escape(name), text(name))
    assert all(pattern.search(f"| {form} |".encode()) for form in forms)
    assert msgspec.json.encode({"id": name}) and pattern.search(msgspec.json.encode({"id": name}))


def test_any_of_several_names_is_found() -> None:
    pattern = name_pattern(["ann", "5f3a"])
    assert pattern.search(b"id 5f3a") and pattern.search(b"ann") and not pattern.search(b"anna 5f3ab")


names = st.text(min_size=1, max_size=8).filter(lambda name: name.strip() != "")


@given(
    names,
    st.sampled_from(["", " ", "\n", '"', "<td>", "|", ",", "/"]),
    st.sampled_from(["", " ", "\n", '"', "</td>", "|", ","]),
)
def test_any_id_is_found_between_any_other_characters(name: str, before: str, after: str) -> None:
    pattern = name_pattern({name})
    for form in (name, json.dumps(name)[1:-1], json.dumps(name, ensure_ascii=False)[1:-1], escape(name), text(name)):
        assert form.strip() == "" or pattern.search((before + form + after).encode())
    assert not pattern.search(b""), "no form is empty"


@given(st.from_regex(r"[a-z0-9]{1,6}", fullmatch=True), st.from_regex(r"[a-zA-Z0-9_-]{1,3}", fullmatch=True))
def test_a_longer_word_is_another_id(name: str, more: str) -> None:
    pattern = name_pattern({name})
    assert not pattern.search((name + more).encode()) or f"{name}{more}" == name
    assert not pattern.search((more + name).encode())


# --- the erasure --------------------------------------------------------------------------------------------------


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """A log of four, of which three are in two increments."""
    found = Yard(tmp_path, MODEL)
    found.log(*(entry(name) for name in "abcd"))
    collected(found, truth(a=1, b=0))
    collected(found, truth(a=0, c=1))
    return found


def erased(yard: Yard, name: str, secrets: Secrets = SECRETS) -> ErasureResult:
    return erase_id(yard.view, name, secrets, lambda _: None)


def logged(yard: Yard) -> list[str]:
    return [
        row["entity"]
        for part in read_predictions(yard.root / ".modelyard/local/production/log/m")
        for row in part.to_pylist()
    ]


def test_an_id_is_erased_from_log_and_increments_and_the_tombstone_has_a_digest(yard: Yard) -> None:
    older = {name: yard.git.files[f"{name}.dvc"] for name in (FIRST, FIRST.replace("00Z", "01Z"))}
    result = erased(yard, "a")
    assert logged(yard) == ["b", "c", "d"]
    assert result.erasure.logs == {"production": 1} and result.erasure.waiting == {"production": 0}
    assert [(one.path, one.rows) for one in result.erasure.increments] == [(name, 1) for name in older]
    assert all(one.md5.encode() in older[one.path] for one in result.erasure.increments)
    assert result.erasure.digest == SHA256_OF_A and result.erasure.complete
    [(path, tombstone)] = yard.evidence.files.items()
    assert path == f"m/erasures/{SHA256_OF_A}.json" and not name_pattern({"a"}).search(tombstone)
    assert result.proposed is not None and result.proposed.branch == f"modelyard/forget/m-{SHA256_OF_A[:12]}"
    assert yard.left == sorted(
        path
        for one in older
        for path in (f"{Path(one).name}.dvc", f"{Path(one).stem}.json", f"{Path(one).stem}.profile.json")
    )
    assert all((yard.root / f"{one}.dvc").read_bytes() == older[one] for one in older), (
        "the checkout keeps its pointers"
    )
    yard.git.merge(result.proposed.files)
    assert [row["id"] for row in table(yard, FIRST)] == ["b"]
    record = json.loads(yard.git.files[FIRST.replace(".parquet", ".json")])
    assert (record["joined"]["labelled"], record["erased"]) == (1, 1)


def test_a_second_run_finds_nothing_and_keeps_what_the_first_found(yard: Yard) -> None:
    first = erased(yard, "a")
    assert first.proposed is not None
    yard.git.merge(first.proposed.files)
    again = erased(yard, "a")
    assert again.proposed is None and again.erasure.logs == {"production": 0}
    assert again.erasure.increments == first.erasure.increments and len(yard.evidence.files) == 1


def test_older_bytes_are_purged_only_after_the_merge(yard: Yard) -> None:
    first = erased(yard, "a")
    with pytest.raises(Refused, match=rf"still hold the id\. Merge modelyard/forget/m-{SHA256_OF_A[:12]} first"):
        purge(yard.view.checkout.dvc, first)
    assert yard.dvc.removed == [] and first.proposed is not None
    yard.git.merge(first.proposed.files)
    again = erased(yard, "a")
    wanted = sorted(one.md5 for one in first.erasure.increments)
    assert purge(yard.view.checkout.dvc, again) == 4
    assert yard.dvc.removed == [("cache", wanted), ("remote", wanted)]
    assert purge(yard.view.checkout.dvc, again) == 0, "they are gone"
    assert len(table(yard, FIRST)) == 1, "the new bytes stay"


def test_an_id_that_nothing_holds_leaves_a_tombstone_all_the_same(yard: Yard) -> None:
    result = erased(yard, "z")
    assert result.proposed is None and result.erasure.complete and len(yard.evidence.files) == 1


def test_a_log_of_digests_is_searched_under_its_key(tmp_path: Path) -> None:
    model = msgspec.structs.replace(MODEL, contract=msgspec.structs.replace(MODEL.contract, personal_id="hash"))
    yard = Yard(tmp_path, model, Environment(name="production", log=PredictionLogging(hash_key="env:KEY")))

    def digest(one: Entry) -> Entry:
        return msgspec.structs.replace(one, entities=Privacy(model.contract, b"k").entities(one.entities))

    yard.log(*(digest(entry(name)) for name in "ab"))
    result = erased(yard, "a")
    assert result.erasure.logs == {"production": 1} and len(logged(yard)) == 1
    assert result.erasure.digest != SHA256_OF_A, "under the key it cannot be guessed"
    with pytest.raises(ModelyardError, match="KEY"):
        erased(yard, "b", Secrets({}))


def test_logs_that_modelyard_does_not_write_are_named(tmp_path: Path) -> None:
    elsewhere = Environment(name="lab", predictions=Predictions(reader="files", uri="x"))
    result = erased(Yard(tmp_path, MODEL, elsewhere, Environment(name="production")), "a")
    assert result.erasure.unreached == ("lab",) and not result.erasure.complete


def test_evidence_that_names_the_id_is_listed(yard: Yard) -> None:
    yard.evidence.files |= {
        f"m/{'e' * 64}/evaluation.json": b'{"id": "b"}', "pulls/9/report.html": b"<td>a</td>", "pulls/8/report.html": b"<td>ab</td>",
        "other/1/evaluation.json": b'{"id": "a"}',
    }  # fmt: skip
    result = erased(yard, "a")
    assert result.erasure.evidence == ("pulls/9/report.html",) and not result.erasure.complete


LOCK = """\
schema: '2.0'
stages:
  train:
    cmd: python train.py
    outs:
    - {{path: data/train.parquet, md5: {training}}}
    - {{path: data/holdout.parquet, md5: {holdout}}}
"""


def version(yard: Yard, name: str, training: str, holdout: str) -> None:
    yard.versions.append(SimpleNamespace(version=name, commit=name))
    yard.git.files["models/m/dvc.lock"] = LOCK.format(training=training, holdout=holdout).encode()


def kept(yard: Yard, *ids: str) -> str:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"id": list(ids)}), sink)
    return yard.dvc.keep(sink.getvalue().to_pybytes())


@pytest.mark.parametrize(
    ("name", "trained", "judged", "unknown"),
    [("a", ("v1.0.0",), (), ()), ("b", (), ("v1.0.0",), ()), ("c", (), (), ())],
)
def test_versions_are_named_by_the_data_that_hold_the_id(
    yard: Yard, name: str, trained: tuple[str, ...], judged: tuple[str, ...], unknown: tuple[str, ...]
) -> None:
    version(yard, "v1.0.0", kept(yard, "a", "z"), kept(yard, "b"))
    erasure = erased(yard, name).erasure
    assert (erasure.trained, erasure.judged, erasure.unknown) == (trained, judged, unknown)


def test_versions_without_available_data_are_unknown_and_data_are_read_once(yard: Yard) -> None:
    training = kept(yard, "a")
    version(yard, "v1.0.0", training, "f" * 32)
    version(yard, "v1.1.0", training, "f" * 32)
    fetched: list[str] = []
    fetch = yard.dvc.fetch

    def counted(md5: str, *rest: Any) -> Path:
        fetched.append(md5)
        return fetch(md5, *rest)

    yard.dvc.fetch = counted  # type: ignore[method-assign, assignment]
    erasure = erased(yard, "a").erasure
    assert (erasure.trained, erasure.unknown) == (("v1.0.0", "v1.1.0"), ("v1.0.0", "v1.1.0"))
    assert sorted(fetched) == sorted([training, "f" * 32])


def test_the_date_of_the_tombstone_is_now(yard: Yard) -> None:
    before = datetime.now(UTC).timestamp()
    assert before <= erased(yard, "a").erasure.at <= datetime.now(UTC).timestamp()


def test_a_model_of_another_name_is_another_folder(tmp_path: Path) -> None:
    other: Model = msgspec.structs.replace(MODEL, name="churn")
    yard = Yard(tmp_path, other)
    erased(yard, "a")
    assert list(yard.evidence.files) == [f"churn/erasures/{SHA256_OF_A}.json"]
