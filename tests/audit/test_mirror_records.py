"""The records of a mirror: what comes next, what is refused, and which ones a restoration needs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.audit.mirror.records import (
    EVIDENCE,
    Record,
    chain,
    name_of,
    newest,
    plan_increment,
    read_record,
    write_record,
)
from modelyard.errors import ModelyardError, Refused

MAIN = "refs/heads/main"
DAY = 86_400
NOW = 1_800_000_000


def oid(n: int) -> str:
    return hashlib.sha1(str(n).encode(), usedforsecurity=False).hexdigest()


def record(sequence: int = 1, before: tuple[str, ...] = (), n: int = 1, written: int = NOW, whole: int = NOW, **other: object) -> Record:  # fmt: skip
    known: dict[str, object] = {
        "sequence": sequence, "before": before, "default": MAIN, "refs": {MAIN: oid(n), EVIDENCE: oid(-n)},
        "bundle": "a" * 64, "size": 10, "everything": not before, "written": written, "whole": whole,
    }  # fmt: skip
    return Record(**known | other)  # type: ignore[arg-type]


def named(found: Record) -> tuple[str, Record]:
    return name_of(write_record(found), found.sequence), found


@dataclass
class Written:
    """Records as writers add them."""

    records: dict[str, Record]

    def add(self, heads: dict[str, Record], n: int, now: int = NOW) -> str:
        plan = plan_increment(heads, {MAIN: oid(n), EVIDENCE: oid(-n)}, now, 10)
        assert plan is not None
        name, found = named(record(plan.sequence, plan.before, n, now, plan.whole, everything=not plan.have))
        self.records[name] = found
        return name


def test_the_first_write_holds_everything_and_the_next_only_what_is_new() -> None:
    first = plan_increment({}, {MAIN: oid(1)}, NOW, 10)
    assert first is not None
    assert (first.sequence, first.before, first.have, first.whole) == (1, (), (), NOW)
    heads = dict([named(record())])
    second = plan_increment(heads, {MAIN: oid(2)}, NOW + DAY, 10)
    assert second is not None
    assert (second.sequence, second.before, second.whole) == (2, tuple(heads), NOW)
    assert second.have == tuple(sorted([oid(1), oid(-1)]))


def test_nothing_new_is_no_write() -> None:
    heads = dict([named(record())])
    assert plan_increment(heads, record().refs, NOW + DAY, 10) is None


def test_after_half_of_the_retention_everything_is_written_again() -> None:
    heads = dict([named(record())])
    again = plan_increment(heads, record().refs, NOW + 5 * DAY + 1, 10)
    assert again is not None and again.have == () and again.whole == NOW + 5 * DAY + 1 and again.before == tuple(heads)


@pytest.mark.parametrize("whole", [NOW + DAY, 2**53])
def test_a_record_of_the_future_does_not_keep_everything_from_being_written(whole: int) -> None:
    plan = plan_increment(dict([named(record(whole=whole))]), record().refs, NOW, 10)
    assert plan is not None and plan.have == () and plan.whole == NOW


def test_two_writers_at_once_are_joined_by_the_next() -> None:
    mirror = Written({})
    first = mirror.add({}, 1)
    heads = {first: mirror.records[first]}
    both = {mirror.add(heads, 2), mirror.add(heads, 3)}
    assert set(newest(mirror.records)) == both
    last = mirror.add({name: mirror.records[name] for name in both}, 4)
    assert set(mirror.records[last].before) == both
    assert [name for name, _ in chain(mirror.records).records] == sorted([first, *both, last])


def test_a_record_that_is_missing_in_between_is_named() -> None:
    mirror = Written({})
    first = mirror.add({}, 1)
    second = mirror.add({first: mirror.records[first]}, 2)
    third = mirror.add({second: mirror.records[second]}, 3)
    del mirror.records[second]
    with pytest.raises(Refused, match=f"{second[:21]} of the mirror is missing, and {third[:21]} needs it"):
        chain(mirror.records)
    assert [name for name, _ in chain(mirror.records, first).records] == [first]


def test_what_was_before_everything_written_again_may_be_missing() -> None:
    mirror = Written({})
    first = mirror.add({}, 1)
    whole = mirror.add({first: mirror.records[first]}, 2, NOW + 6 * DAY)
    last = mirror.add({whole: mirror.records[whole]}, 3, NOW + 7 * DAY)
    assert [name for name, _ in chain(mirror.records).records] == [first, whole, last]
    del mirror.records[first]
    assert [name for name, _ in chain(mirror.records).records] == [whole, last]


def test_until_leaves_out_what_somebody_added_later() -> None:
    mirror = Written({})
    first = mirror.add({}, 1)
    forged = mirror.add({first: mirror.records[first]}, 666)
    found = chain(mirror.records, first)
    assert [name for name, _ in found.records] == [first] and found.left_out == (forged,)
    with pytest.raises(Refused, match="has no valid record '00000009'"):
        chain(mirror.records, "00000009")
    with pytest.raises(Refused, match="no valid record"):
        chain({})


@pytest.mark.parametrize(
    "ref",
    ["refs/heads/other", "HEAD", "refs/remotes/origin/main", "refs/heads/main/../x", "refs/modelyard/rollouts/a/b/c",
     "refs/modelyard/rollouts/../../heads/main", "refs/modelyard/mirror/x", "refs/tags/nightly", "refs/tags/churn@v1",
     "refs/tags/../heads/main", "--upload-pack=x", "refs/heads/main\n", ""],
)  # fmt: skip
def test_a_ref_that_no_mirror_holds_is_refused(ref: str) -> None:
    name, found = named(record(refs={MAIN: oid(1), ref: oid(2)}))
    with pytest.raises(Refused, match="which no mirror holds"):
        read_record(name, write_record(found))


@pytest.mark.parametrize("default", ["refs/heads/modelyard/evidence", "refs/heads/-x", "refs/heads/a..b", "refs/heads/a b", "main",
                                     "refs/heads/a.lock", "refs/heads/a:b", "refs/heads/"])  # fmt: skip
def test_a_default_branch_that_is_none_is_refused(default: str) -> None:
    name, found = named(record(default=default))
    with pytest.raises(Refused, match="default branch is none"):
        read_record(name, write_record(found))


def test_a_record_is_the_one_that_its_name_says() -> None:
    name, found = named(record())
    content = write_record(found)
    assert read_record(name, content) == found
    for other in (content.replace(b"\n", b"\r\n"), b"", b"[" * 100_000):
        with pytest.raises(Refused, match="not those that its name says"):
            read_record(name, other)
    moved = "00000007" + name[8:]
    with pytest.raises(Refused, match="its number is not that of its name"):
        read_record(moved, content)


@pytest.mark.parametrize(
    "wrong",
    [{"refs": {MAIN: "HEAD"}}, {"refs": {MAIN: oid(1) + "\n"}}, {"bundle": "../../x"}, {"before": ("../x",)},
     {"before": ("00000001-" + "a" * 64,)}, {"size": -1}, {"sequence": 0}, {"extra": 1}, {"refs": []}],
    ids=str,
)  # fmt: skip
def test_no_field_holds_what_it_cannot(wrong: dict[str, object]) -> None:
    document = msgspec.json.decode(write_record(record())) | wrong
    content = msgspec.json.encode(document)
    name = f"{document['sequence']:08d}-{hashlib.sha256(content).hexdigest()}"
    with pytest.raises(Refused, match="is not valid"):
        read_record(name, content)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")), st.integers(0, 99_999_999))  # fmt: skip
def test_no_bytes_end_in_anything_but_a_record_or_a_refusal(content: bytes, number: int) -> None:
    with pytest.raises(ModelyardError):
        read_record(name_of(content, number), content)


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=3), min_size=1, max_size=8), st.data())
def test_whatever_writers_do_at_once_each_record_reaches_all_before_it(rounds: list[list[bool]], data: st.DataObject) -> None:  # fmt: skip
    """Each round, some writers start from the same newest records; some of them see the same refs."""
    mirror, n = Written({}), 0
    for writers in rounds:
        heads = {name: mirror.records[name] for name in newest(mirror.records)}
        for changed in writers:
            n += changed
            if plan_increment(heads, {MAIN: oid(n), EVIDENCE: oid(-n)}, NOW, 10):
                mirror.add(heads, n)
    assert len(chain(mirror.records).records) == len(mirror.records)
    until = data.draw(st.sampled_from(sorted(mirror.records)))
    found = chain(mirror.records, until)
    assert found.records[-1][0] == until
    earlier = {name for name in mirror.records if name[:8] < until[:8]}
    assert {name for name, _ in found.records} == earlier | {until}
