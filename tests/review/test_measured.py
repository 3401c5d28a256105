"""Which merge requests a job of the default branch reports on, and what it takes from their jobs."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError
from modelyard.forges.interface import APPROVAL, VERDICT, Measured, MeasuringForge, State, Status
from modelyard.git import Git
from modelyard.review.measured import _source, due, untrusted_of
from support.pulls import MemoryGit, a_pull, as_git

HEAD = "a" * 40
JOB = Measured(a_pull(7, head=HEAD), HEAD, (3,), True, "https://gitlab.example/acme/models/-/jobs/3")
STATES: list[State] = ["success", "failure", "error", "pending"]


def verdict(url: str, ours: bool = True, context: str = VERDICT) -> Status:
    return Status(context, "success", "passed", url, ours=ours)


def test_a_job_is_due_until_a_verdict_of_ours_names_it() -> None:
    assert due([JOB], {}) == [JOB]
    assert due([JOB], {HEAD: [verdict(JOB.url)]}) == []
    assert due([JOB], {HEAD: [verdict(JOB.url, ours=False)]}) == [JOB], "a stranger's status is no report"
    assert due([JOB], {HEAD: [verdict(JOB.url, context=APPROVAL)]}) == [JOB]
    assert due([JOB], {HEAD: [verdict(f"{JOB.url}0")]}) == [JOB], "the report of another run"
    assert due([JOB], {"b" * 40: [verdict(JOB.url)]}) == [JOB], "the report of another commit"


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans(), st.sampled_from(STATES)), max_size=12))
def test_what_is_reported_is_due_no_more_and_nothing_else_is_lost(reports: list[tuple[int, bool, State]]) -> None:
    jobs = [
        replace(JOB, pull=a_pull(n, head=f"{n}" * 40), commit=f"{n}" * 40, jobs=(n,), url=f"job/{n}")
        for n in range(5, 0, -1)
    ]
    statuses: dict[str, list[Status]] = {}
    for number, ours, state in reports:
        statuses.setdefault(f"{number}" * 40, []).append(Status(VERDICT, state, "", f"job/{number}", ours=ours))
    reported = {number for number, ours, _ in reports if ours}
    assert [one.pull.number for one in due(jobs, statuses)] == sorted(set(range(1, 6)) - reported)


def test_a_pipeline_of_merged_results_measured_the_head_that_it_merges() -> None:
    git = MemoryGit()
    first = git.add({"a": "1"})
    head, main = git.add({"b": "1"}, first), git.add({"c": "1"}, first)
    merged = git.add({"d": "1"}, main, merged=head)
    seen = cast(
        Git, SimpleNamespace(remote=lambda: None, has_commit=as_git(git).has_commit, commit_info=git.commit_info)
    )
    of_head = replace(JOB, pull=a_pull(7, head=head), commit=head)
    assert _source(seen, of_head) == head
    assert _source(seen, replace(of_head, commit=merged)) == head
    assert _source(seen, replace(of_head, commit=main)) == main, "it stays what it is, and no report fits it"
    assert _source(seen, replace(of_head, pull=a_pull(7, head=main), commit=merged)) == merged


def forge(content: bytes | ModelyardError | None) -> MeasuringForge:
    def archive(job: int, limit: int) -> bytes | None:
        assert (job,) == JOB.jobs
        if isinstance(content, ModelyardError):
            raise content
        return content

    return cast(MeasuringForge, SimpleNamespace(archive=archive))


def zipped(folder: Path, files: dict[str, Any]) -> bytes:
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return (folder / "a.zip").read_bytes()


def test_only_evidence_is_taken_from_the_archive_of_a_job(tmp_path: Path) -> None:
    link = zipfile.ZipInfo(".modelyard/evidence/churn/drift.json")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(".modelyard/evidence/churn/training.json", "t")
        archive.writestr(".modelyard/evidence/churn/generated/dvc.lock", "l")
        archive.writestr(".modelyard/evidence/../evidence/churn/scan.json", "outside")
        archive.writestr(".modelyard/evidence//churn/scan.json", "outside")
        archive.writestr("churn/scan.json", "elsewhere")
        archive.writestr(".modelyard/evidence/churn/evaluation.json", b"\0" * 20_000_000)
        archive.writestr(link, "/etc/passwd")
    found = untrusted_of(forge((tmp_path / "b.zip").read_bytes()), JOB)
    assert found.evidence == {"churn": {"training": b"t"}} and found.generated == {"churn": {"dvc.lock": b"l"}}
    assert len(found.refused) == 2, "the bomb and the link"


def test_the_archives_of_all_jobs_are_read_together(tmp_path: Path) -> None:
    contents = {
        job: zipped(tmp_path, {f".modelyard/evidence/{model}/training.json": model})
        for job, model in ((3, "churn"), (4, "fraud"))
    }
    asked = cast(MeasuringForge, SimpleNamespace(archive=lambda job, limit: contents.get(job)))
    found = untrusted_of(asked, replace(JOB, jobs=(3, 4, 5)))
    assert found.evidence == {"churn": {"training": b"churn"}, "fraud": {"training": b"fraud"}} and not found.refused


def test_an_archive_that_cannot_be_read_is_missing_evidence_which_the_report_says(tmp_path: Path) -> None:
    assert untrusted_of(forge(None), JOB).evidence == {}
    assert "not a valid zip" in untrusted_of(forge(b"PK\3\4 broken"), JOB).refused[0]
    assert "more than 50,000,000 bytes" in untrusted_of(forge(b"x" * 50_000_001), JOB).refused[0]
    with pytest.raises(ModelyardError, match="does not answer"):  # the next run asks again
        untrusted_of(forge(ModelyardError("GitLab does not answer.", "Wait.")), JOB)
    many = {f".modelyard/evidence/m{i}/training.json": b"" for i in range(5_001)}
    assert "more than 5,000 members" in untrusted_of(forge(zipped(tmp_path, many)), JOB).refused[0]
