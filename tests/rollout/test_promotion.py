"""Rules of promotion: bake time, freeze windows, blocked artifacts, and what latest means."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.git import TagRef
from modelyard.manifests.calendar import Freeze
from modelyard.manifests.configuration import Environment
from modelyard.registry.history import ModelHistory, read_registry
from modelyard.registry.tags import StageRecord, VersionRecord, write_record
from modelyard.rollout.promotion import bake_reason, blocking_rollback, freeze_reason, latest_allowed

VERSIONS = ("v1.0.0", "v1.1.0", "v1.2.0")
ENVIRONMENTS = [
    Environment(name="test", target="local"),
    Environment(name="staging", target="local", bake="1h"),
    Environment(name="production", target="local", bake="2h"),
]


def history_of(stages: list[tuple[str, str, int, str]]) -> ModelHistory:
    """Three versions with digests a, b, c; stages are (environment, version or '!', time, blocked digest)."""
    tags = [
        TagRef(f"m@{version}", True, version, at, "ada", write_record("", VersionRecord(digest)))
        for at, (version, digest) in enumerate(zip(VERSIONS, "abc", strict=True))
    ]
    for number, (environment, version, at, blocked) in enumerate(stages, 1):
        off = "!" if version == "!" else ""
        message = write_record("", StageRecord(version, blocked=blocked, rollout=f"r{number}" if blocked else ""))
        tags.append(TagRef(f"m#{environment}{off}#{number}", True, version, at, "ada", message))
    return read_registry(tags).history("m")


STAGES = st.lists(
    st.tuples(st.sampled_from(["test", "staging"]), st.sampled_from([*VERSIONS, "!"]), st.integers(1, 200)), max_size=8
)


@given(STAGES, st.integers(0, 200))
def test_the_time_in_the_previous_environment_is_the_sum_of_all_stays(
    stages: list[tuple[str, str, int]], hours: int
) -> None:
    ordered = sorted(stages, key=lambda stage: stage[2])
    history = history_of([(where, version, hour * 3600 + n, "") for n, (where, version, hour) in enumerate(ordered)])
    now = hours * 3600 + 100
    stay = served = 0
    in_staging = [(version, hour * 3600 + n) for n, (where, version, hour) in enumerate(ordered) if where == "staging"]
    for (version, begin), end in zip(in_staging, [*(at for _, at in in_staging[1:]), now], strict=False):
        if version == "v1.0.0":
            served += 1
            stay += max(0, end - begin)
    reason = bake_reason(history, ENVIRONMENTS, "production", "v1.0.0", now)
    if not served:
        assert reason == "v1.0.0 has never served in staging, which comes before production"
    elif stay >= 7200:
        assert reason == ""
    else:
        assert reason == f"v1.0.0 has served for {stay / 3600:.1f} h in staging; production requires 2h"
    assert bake_reason(history, ENVIRONMENTS, "test", "v1.0.0", now) == "", "the first environment has none before"


@pytest.mark.parametrize(
    ("freezes", "reason"),
    [
        ([], ""),
        ([Freeze(why="holidays", last="2026-05-02")], ""),
        ([Freeze(why="holidays", last="2026-05-03")], "production is frozen until 2026-05-03: holidays"),
        ([Freeze(why="weekend", days=["saturday", "sunday"])], "production is frozen: weekend"),
        ([Freeze(why="later", first="2026-05-04", last="2026-06-01")], ""),
    ],
)
def test_the_reason_of_a_freeze(freezes: list[Freeze], reason: str) -> None:
    environment = Environment(name="production", target="local", freezes=freezes)
    assert freeze_reason(environment, date(2026, 5, 3)) == reason


@given(
    st.lists(st.tuples(st.sampled_from(VERSIONS), st.sampled_from(["", "a", "b", "c"])), max_size=6),
    st.sets(st.integers(1, 6)),
)
def test_latest_is_the_highest_version_that_is_not_blocked(
    assigned: list[tuple[str, str]], readmitted: set[int]
) -> None:
    stages = [("production", version, 100 + n, digest) for n, (version, digest) in enumerate(assigned)]
    history, tags = history_of(stages), {f"m#production#{number}" for number in readmitted}
    blocked = {digest for number, (_, digest) in enumerate(assigned, 1) if number not in readmitted} - {""}
    for digest in "abc":
        found = blocking_rollback(history, digest, tags)
        assert (found is not None) == (digest in blocked)
        assert found is None or (found.record and found.record.blocked == digest and found.tag not in tags)
    free = [version for version, digest in zip(VERSIONS, "abc", strict=True) if digest not in blocked]
    latest = latest_allowed(history, tags)
    assert (latest.version if latest else None) == (free[-1] if free else None)


def test_without_versions_there_is_no_latest_one() -> None:
    assert latest_allowed(ModelHistory("m")) is None
