"""Queries, comparison, lineage and needed data on a repository whose Git is in memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.catalog.queries import find, parse_time, registry_of, running_at
from modelyard.catalog.storage import needed_commits, needed_md5s, plan_collection, prunable, prune
from modelyard.catalog.versions import card_of, compare, lineage_of, manifest_of
from modelyard.checkout.artifacts import packages_of
from modelyard.dvc import Stored
from modelyard.errors import ModelyardError, UsageError
from modelyard.evidence.statement import write_statement
from modelyard.registry.lineage import lineage_down
from modelyard.registry.search import parse_terms
from support.evidence import TRAINING
from support.memory import START, MemoryYard, digest_of, memory_yard
from support.yard import MODEL_YAML


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryYard:
    """churn v1.0.0 → v1.1.0 in production; price v1.0.0 in staging."""
    found = memory_yard(tmp_path, monkeypatch, ("churn", "price"))
    found.commit({"data/flights.dvc": "outs:\n- {md5: a.dir, path: flights}\n"}, "flights of January")
    found.add_version("v1.0.0", metrics={"auc": 0.7}, params={"trees": 5}, data={"data/flights": "1" * 32},
                      approved_by=("@Grace",))  # fmt: skip
    found.add_stage("v1.0.0", "production", at=START + 1000)
    manifest = MODEL_YAML.format(name="churn") + "    - {name: age, type: integer}\n"
    found.commit({"models/churn/model.yaml": manifest}, "an input")
    found.add_version(
        "v1.1.0", metrics={"auc": 0.72}, params={"trees": 9}, data={"data/flights": "2" * 32}, champion="v1.0.0"
    )
    found.add_stage("v1.1.0", "production", at=START + 2000)
    found.add_version("v1.0.0", "price", data={"data/prices": "3" * 32})
    found.add_stage("v1.0.0", "staging", "price", at=START + 1500)
    return found


def ran(yard: MemoryYard, at: int | None, model: str | None = None, environment: str | None = None) -> list[str]:
    found = running_at(yard.git, model, environment, at)  # type: ignore[arg-type]
    return [f"{period.model} {period.version} {period.environment}" for period in found]


def test_which_version_served_at_a_time(yard: MemoryYard) -> None:
    assert ran(yard, None) == ["churn v1.1.0 production", "price v1.0.0 staging"]
    assert ran(yard, START + 1999) == ["churn v1.0.0 production", "price v1.0.0 staging"]
    assert ran(yard, START + 2000, "churn") == ["churn v1.1.0 production"]
    assert ran(yard, START + 1200, environment="production") == ["churn v1.0.0 production"]
    assert ran(yard, START + 999) == []


def test_a_model_or_an_environment_that_nothing_knows_is_an_error(yard: MemoryYard, tmp_path: Path) -> None:
    yard.git.root = yard.root
    with pytest.raises(UsageError, match="no model 'chrun'") as error:
        ran(yard, None, "chrun")
    assert error.value.remedy == "Did you mean 'churn'?"
    for model in (None, "churn"):
        with pytest.raises(UsageError, match="declares no environment 'prod'"):
            ran(yard, None, model, "prod")
    assert ran(yard, None, "price", "production") == [], "known, and nothing of it ran there"


def test_a_shallow_clone_without_tags_has_no_history(yard: MemoryYard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yard.git, "is_shallow", lambda: True)
    monkeypatch.setattr(yard.git, "remote", lambda: "upstream")
    with pytest.raises(UsageError, match="so the history is unknown") as unknown:
        registry_of(yard.git, "nobody")  # type: ignore[arg-type]
    assert unknown.value.remedy == "Run: git fetch --tags upstream"
    assert registry_of(yard.git, None).models.keys() == {"churn", "price"}  # type: ignore[arg-type]


ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)), ZONES)
def test_a_time_is_utc_unless_it_has_a_zone(moment: datetime, zone: timezone) -> None:
    seconds = int(moment.replace(tzinfo=UTC).timestamp())
    assert parse_time(moment.isoformat()) == seconds
    assert parse_time(moment.replace(tzinfo=UTC).astimezone(zone).isoformat()) == seconds


@given(st.text(max_size=20))
def test_any_other_text_is_wrong_usage(text: str) -> None:
    try:
        assert isinstance(parse_time(text), int)
    except UsageError as error:
        assert "is not a valid time" in error.problem


@pytest.mark.parametrize(
    ("terms", "found"),
    [
        ("model=churn", ["churn v1.1.0", "churn v1.0.0"]),
        ("live=production", ["churn v1.1.0"]),
        ("live=staging task=binary", ["price v1.0.0"]),
        ("auc>=0.72", ["churn v1.1.0"]),
        ("params.trees<9", ["churn v1.0.0"]),
        ("approved=grace", ["churn v1.0.0"]),
        (f"artifact={digest_of('v1.1.0')[:10]}", ["churn v1.1.0"]),
        ("data=data/prices", ["price v1.0.0"]),
        ("lifecycle=archived", []),
        ("verdict!=pass", []),
    ],
)
def test_versions_that_match_conditions(yard: MemoryYard, terms: str, found: list[str]) -> None:
    entries = find(yard.checkout, parse_terms(terms.split()))
    assert [f"{entry.model} {entry.version}" for entry in entries] == found


def test_withdrawn_versions_and_models_without_a_folder_are_archived(yard: MemoryYard) -> None:
    yard.tag("churn@v1.0.0!", "HEAD", "by hand")
    yard.tag("old@v1.0.0", "HEAD", "by hand")
    found = find(yard.checkout, parse_terms(["lifecycle=archived"]))
    assert {(entry.model, entry.version) for entry in found} == {("churn", "v1.0.0"), ("old", "v1.0.0")}
    assert find(yard.checkout, parse_terms(["verdict=none"]))[0].model == "old"


def file_training(yard: MemoryYard, version: str) -> None:
    content = write_statement("training", "churn", digest_of(version), TRAINING)
    yard.checkout.evidence.file_evidence("churn", digest_of(version), {"training": content}, {}, "training")


def test_the_differences_of_two_versions(yard: MemoryYard) -> None:
    file_training(yard, "v1.1.0")
    found = compare(yard.view(), "v1.0.0", "v1.1.0")
    assert [(m.name, m.before, m.after) for m in found.metrics] == [("auc", 0.7, 0.72)]
    assert [(d.name, d.before, d.after) for d in found.params] == [("trees", "5", "9")]
    assert [d.name for d in found.data] == ["data/flights"] and found.features == ("input age added",)
    assert found.files == ("models/churn/model.yaml", "models/churn/note") and not found.same_bytes
    assert [(d.name, d.before) for d in found.environment] == [("lightgbm", "")]
    same = compare(yard.view(), "v1.1.0", "v1.1.0")
    assert same.same_bytes and not (same.params or same.data or same.features or same.files or same.environment)


def test_a_version_without_a_readable_manifest_has_no_features_to_compare(yard: MemoryYard) -> None:
    yard.commit({"models/churn/model.yaml": "name: [\n"}, "broken")
    yard.tag("churn@v1.2.0", "HEAD", "by hand")
    assert manifest_of(yard.view(), yard.view().version("v1.2.0")) is None
    yard.git.commit_files({"models/churn/model.yaml": None}, "removed")
    yard.tag("churn@v1.3.0", "HEAD", "by hand")
    assert manifest_of(yard.view(), yard.view().version("v1.3.0")) is None
    found = compare(yard.view(), "v1.1.0", "v1.2.0")
    assert found.features == ("a version without a manifest cannot be compared",)
    assert packages_of(yard.view(), yard.view().version("v1.2.0")) == {}, "handmade, so it has no artifact"


def test_unreadable_training_evidence_gives_no_packages(yard: MemoryYard) -> None:
    file_training(yard, "v1.0.0")
    assert packages_of(yard.view(), yard.view().version("v1.0.0")) == dict(TRAINING.packages)
    yard.checkout.evidence.file_evidence("churn", digest_of("v1.0.0"), {"training": b"{"}, {}, "damage")
    assert packages_of(yard.view(), yard.view().version("v1.0.0")) == {}


def test_the_lineage_of_a_version(yard: MemoryYard) -> None:
    found = lineage_of(yard.view(), "v1.0.0")
    assert found.subject == "churn v1.0.0" and found.author == "Ada Author" and found.approved_by == ("@Grace",)
    [source] = found.data
    assert (source.path, source.md5) == ("data/flights", "1" * 32)
    assert source.changed_by.startswith("Ada Author, ") and source.changed_by.endswith(": flights of January")
    assert [(p.environment, p.until) for p in found.served] == [("production", START + 2000)]
    assert lineage_of(yard.view(), None).version == "v1.1.0" and lineage_of(yard.view(), None).champion == "v1.0.0"
    with pytest.raises(ModelyardError, match="nobody has no version yet"):
        lineage_of(yard.view("nobody"), None)


@pytest.mark.parametrize("wanted", ["data/flights", "data/flights.dvc", "./data/flights/2013", "data/", "2" * 32])
def test_the_versions_trained_on_some_data(yard: MemoryYard, wanted: str) -> None:
    found = lineage_down(yard.checkout.registry.models.values(), wanted)
    assert ("churn", "v1.1.0") in {(one.model, one.version) for one in found}
    assert [bool(one.live) for one in found] == sorted((bool(one.live) for one in found), reverse=True)
    assert lineage_down(yard.checkout.registry.models.values(), "data/flight") == [], "not a path of its own"


def test_a_card_has_the_manifest_of_its_version(yard: MemoryYard) -> None:
    assert [column.name for column in card_of(yard.view(), "v1.0.0").model.contract.inputs] == ["x", "colour"]
    card = card_of(yard.view(), None)
    assert card.lineage.version == "v1.1.0" and len(card.model.contract.inputs) == 3


# --- stored data -----------------------------------------------------------------------------------------------------


class Pulls:
    """A forge with one open pull request."""

    def __init__(self, head: str) -> None:
        self.head = head

    def open_pulls(self) -> list[Any]:
        return [SimpleNamespace(number=7, head=self.head)]


def test_the_commits_whose_data_are_kept(yard: MemoryYard) -> None:
    head = yard.git.commit_on(yard.git.commit_of("HEAD"), {}, "a proposal")
    yard.git.set_ref("refs/heads/topic", head)
    versions = {known.commit for name in ("churn", "price") for known in yard.view(name).history.all_versions}
    alone = needed_commits(yard.checkout, Pulls(yard.git.commit_of("HEAD")))  # type: ignore[arg-type]
    assert set(alone) == versions | {yard.git.commit_of("HEAD")}
    assert alone[yard.git.commit_of("HEAD")] == "HEAD"
    assert needed_commits(yard.checkout, None)[head] == "topic", "in plain git every branch counts"
    assert needed_commits(yard.checkout, Pulls(head))[head] == "pull request 7"  # type: ignore[arg-type]
    yard.add_tag("churn@v1.0.0!")
    assert versions <= set(needed_commits(yard.checkout, None)), "also the data of a withdrawn version"


def test_a_shallow_clone_does_not_know_what_is_needed(yard: MemoryYard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yard.git, "is_shallow", lambda: True)
    with pytest.raises(UsageError, match="so the needed data are unknown"):
        needed_commits(yard.checkout, None)


class MemoryDvc:
    """DVC's store: folders with their members, and stored objects."""

    def __init__(self, folders: dict[str, list[str]], objects: dict[str, Stored]) -> None:
        self.folders, self.objects = folders, objects

    def members(self, md5: str) -> dict[str, str]:
        if md5 not in self.folders:
            raise ModelyardError("The list is missing.", "Push it.")
        return {f"part-{place}": member for place, member in enumerate(self.folders[md5])}

    def stored(self, where: str) -> dict[str, Stored]:
        return self.objects


LOCK = """\
schema: '2.0'
stages:
  train:
    cmd: x
    deps: [{path: ../../data/flights, md5: aa.dir}]
    outs: [{path: model.txt, md5: bb}]
"""


def needed(yard: MemoryYard, dvc: MemoryDvc) -> tuple[set[str], list[str]]:
    yard.checkout.dvc = dvc  # type: ignore[assignment]
    said: list[str] = []
    return needed_md5s(yard.checkout, [yard.git.commit_of("HEAD")], said.append), said


def test_the_objects_that_locks_pointers_and_folders_name(yard: MemoryYard) -> None:
    yard.commit({"models/churn/dvc.lock": LOCK, "data/note.dvc": "outs:\n- {md5: cc, path: note}\n"}, "lock")
    dvc = MemoryDvc({"aa.dir": ["a1", "a2"], "a.dir": ["a3"]}, {})
    assert needed(yard, dvc)[0] == {"aa.dir", "bb", "cc", "a.dir", "a1", "a2", "a3"}


def test_a_stored_folder_without_its_list_is_an_error_and_one_that_is_not_stored_is_skipped(yard: MemoryYard) -> None:
    dvc = MemoryDvc({}, {})
    found, said = needed(yard, dvc)
    assert found == {"a.dir"} and said[-1] == "  The list of a.dir is not stored, so it keeps no files."
    dvc.objects["a.dir"] = Stored(1, None)
    with pytest.raises(ModelyardError, match="The list is missing"):
        needed(yard, dvc)
    plan = plan_collection(MemoryDvc({}, {"x": Stored(5, 1.0), "y": Stored(7, 9.0)}), "cache", {"y"}, 5.0)  # type: ignore[arg-type]
    assert (plan.remove, plan.remove_bytes, plan.kept) == (("x",), 5, 1)


def test_reports_of_closed_pull_requests_without_a_version_may_go(yard: MemoryYard) -> None:
    yard.add_version("v1.2.0", pull=3)
    yard.add_stage("v1.2.0", "staging", pull=4)
    reports = {f"pulls/{number}/churn.md": str(number).encode() for number in (2, 3, 4, 5)}
    filed = set(yard.checkout.evidence.listed())
    assert prunable(yard.checkout, set(), START + 10**9) == {}, "there is no report"
    yard.checkout.evidence.append(reports, "reports")
    assert prunable(yard.checkout, {5}, START + 1) == {"pulls/2/churn.md": 2}
    assert prunable(yard.checkout, {5}, START) == {}, "too recent"
    prune(yard.checkout.evidence, {"pulls/2/churn.md": 2})
    assert set(yard.checkout.evidence.listed()) - filed == reports.keys() - {"pulls/2/churn.md"}
