"""Windows as they were filed: which are found, in which order, and what was settled before."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from modelyard.checkout.evidence_store import EvidenceStore
from modelyard.evidence.production import WindowRecord
from modelyard.evidence.statement import write_statement
from modelyard.evidence.verdict import Outcome
from modelyard.production.monitoring.watch import Watched, file_window, filed_windows, settled_before, window_blobs
from production.windows import check, verdict, window

ARTIFACT = "a" * 64


class FakeEvidence:
    """The evidence branch as a dictionary."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.git = SimpleNamespace(blobs=lambda shas: {sha: self.files[sha] for sha in shas})

    def listed(self, *folders: str) -> dict[str, str]:
        return {path: path for path in self.files if path.startswith(folders)}

    def append(self, files: dict[str, bytes], message: str) -> str:
        self.files |= files
        self.message = message
        return "c" * 40


def store(evidence: FakeEvidence) -> EvidenceStore:
    return cast(EvidenceStore, cast(Any, evidence))


def watched(day: int, outcome: Outcome = "fail", environment: str = "production", name: str = "c") -> Watched:
    """A window of one day of May."""
    monitoring = window(
        environment=environment, since=f"2026-05-{day:02}T00:00:00Z", until=f"2026-05-{day + 1:02}T00:00:00Z"
    )
    return Watched("churn", ARTIFACT, monitoring, verdict(check(name, outcome), outcome=outcome))


def test_a_window_is_filed_by_artifact_environment_and_span() -> None:
    evidence = FakeEvidence()
    assert file_window(store(evidence), watched(1)) == "c" * 40
    assert list(evidence.files) == [f"churn/{ARTIFACT}/monitoring/production/20260501T000000Z-20260502T000000Z.json"]
    assert evidence.message == "churn in production: fail"
    file_window(store(evidence), watched(1, "pass"))
    assert len(evidence.files) == 1, "the same window has the same path"


def test_a_version_that_was_never_registered_has_a_folder_too() -> None:
    evidence = FakeEvidence()
    file_window(store(evidence), Watched("churn", "", window(), verdict()))
    assert next(iter(evidence.files)).startswith("churn/unregistered/monitoring/")
    assert len(filed_windows(store(evidence), "churn")) == 1


def test_the_newest_windows_come_first_and_what_is_no_window_is_left_out() -> None:
    evidence = FakeEvidence()
    for one in (watched(2), watched(5), watched(3), watched(9, environment="staging")):
        file_window(store(evidence), one)
    evidence.files[f"churn/{ARTIFACT}/evaluation.json"] = b"{}"
    evidence.files[f"churn/{ARTIFACT}/monitoring/production/superseded/x/20260509T000000Z-20260510T000000Z.json"] = (
        b"{}"
    )
    evidence.files[f"churn/{ARTIFACT}/monitoring/production/20260520T000000Z-20260521T000000Z.json"] = (
        b"of another toolkit"
    )
    evidence.files[f"other/{ARTIFACT}/monitoring/production/20260520T000000Z-20260521T000000Z.json"] = (
        b"of another model"
    )
    found = filed_windows(store(evidence), "churn", "production")
    assert [one.predicate.monitoring.since[8:10] for one in found] == ["05", "03", "02"]
    assert len(filed_windows(store(evidence), "churn")) == 4
    blobs = window_blobs(evidence.listed("churn/"), 2)
    assert [path.rpartition("/")[2][:8] for path in blobs["churn"]] == ["20260520", "20260509", "20260505"], (
        "two of each environment"
    )


def test_only_thirty_windows_are_read() -> None:
    evidence = FakeEvidence()
    content = write_statement("monitoring", "churn", ARTIFACT, WindowRecord(window(), verdict()))
    for hour in range(40):
        span = f"20260501T{hour:02}0000Z-20260502T{hour:02}0000Z"
        evidence.files[f"churn/{ARTIFACT}/monitoring/production/{span}.json"] = content
    assert len(filed_windows(store(evidence), "churn", "production")) == 30


OUTCOMES: tuple[Outcome, ...] = ("pass", "fail", "inconclusive", "waived", "error")


@given(st.dictionaries(st.integers(1, 28), st.tuples(st.sampled_from("ab"), st.sampled_from(OUTCOMES)), max_size=10),
       st.integers(1, 29))  # fmt: skip
def test_settled_is_the_last_conclusive_outcome_before_a_window(
    filed: dict[int, tuple[str, Outcome]], day: int
) -> None:
    evidence = FakeEvidence()
    for since, (name, outcome) in filed.items():
        file_window(store(evidence), watched(since, outcome, name=name))
    found = settled_before(store(evidence), "churn", "production", f"2026-05-{day + 1:02}T00:00:00Z")
    expected: dict[str, Outcome] = {}
    for since, (name, outcome) in sorted(filed.items()):
        if since < day and outcome != "inconclusive":
            expected[name] = outcome
    assert found == expected
