"""Withdrawal of versions, archiving of models, and the edit of the lifecycle in model.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError, Refused, UsageError
from modelyard.registry.tags import read_withdrawal_record
from modelyard.release.withdrawal import archive, set_lifecycle, with_lifecycle, withdraw
from support.memory import MemoryYard, memory_yard

LIFECYCLES = st.sampled_from(["experimental", "active", "deprecated", "archived"])
KEYS = st.sampled_from(["name: churn", "card: |\n  lifecycle: quoted\n  # not a comment", "owners: ['@team']",
                        "# lifecycle: commented", "  ", "files:\n  lifecycle: nested", "lifecycles: [other]"])  # fmt: skip


@st.composite
def manifests(draw: st.DrawFn) -> str:
    """YAML with at most one lifecycle at its top, which may be quoted and have a comment."""
    lines = draw(st.lists(KEYS, unique=True, max_size=5))
    value = draw(LIFECYCLES)
    written = draw(st.sampled_from([value, f'"{value}"', f"'{value}'"]))
    comment = draw(st.sampled_from(["", "  # since May", "   "]))
    if draw(st.booleans()):
        lines.insert(draw(st.integers(0, len(lines))), f"lifecycle: {written}{comment}")
    return "\n".join([*lines, *draw(st.sampled_from([[""], ["", "", ""]]))])


@given(manifests(), LIFECYCLES)
def test_only_the_lifecycle_of_a_manifest_changes(text: str, lifecycle: str) -> None:
    changed = with_lifecycle(text, lifecycle)
    before, after = yaml.safe_load(text) or {}, yaml.safe_load(changed)
    assert after == {**before, "lifecycle": lifecycle}
    kept = [line for line in text.splitlines() if not line.startswith("lifecycle:") and line.strip()]
    assert [line for line in changed.splitlines() if not line.startswith("lifecycle:") and line.strip()] == kept
    for line in text.splitlines():
        if line.startswith("lifecycle:") and "#" in line:
            assert line.partition("#")[2] in changed, "its comment stays"
    assert with_lifecycle(changed, lifecycle) == changed


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryYard:
    found = memory_yard(tmp_path, monkeypatch)
    found.add_version("v1.0.0")
    found.add_version("v1.1.0")
    return found


def test_a_withdrawn_version_has_a_tag_with_reason_and_author(yard: MemoryYard) -> None:
    assert withdraw(yard.view(), "v1.0.0", "leaks") == "churn@v1.0.0!"
    [tag] = yard.git.tags("churn@v1.0.0!")
    record = read_withdrawal_record(tag.message)
    assert record and (record.why, record.by) == ("leaks", "ada")
    assert [known.version for known in yard.view().history.withdrawn] == ["v1.0.0"]
    assert set(yard.checkout.evidence.tags("churn")) == {"churn@v1.0.0", "churn@v1.1.0", "churn@v1.0.0!"}
    assert withdraw(yard.view(), "v1.0.0", "again") == "churn@v1.0.0!"
    assert len(yard.git.tags()) == 3, "a second time nothing is written"
    with pytest.raises(UsageError, match=r"has no version v9\.0\.0"):
        withdraw(yard.view(), "v9.0.0", "leaks")


def test_a_version_that_serves_or_is_desired_is_not_withdrawn(yard: MemoryYard) -> None:
    yard.add_stage("v1.0.0", "staging")
    with pytest.raises(Refused, match=r"staging serves churn@v1\.0\.0, or deployments/staging/churn\.yaml names it"):
        withdraw(yard.view(), "v1.0.0", "leaks")
    yard.deploy_manifest("v1.1.0")
    with pytest.raises(Refused, match="production serves"):
        withdraw(yard.view(), "v1.1.0", "leaks")
    yard.add_stage("v1.1.0", "staging")
    assert withdraw(yard.view(), "v1.0.0", "leaks") == "churn@v1.0.0!"


def test_an_archived_model_is_unassigned_everywhere(yard: MemoryYard) -> None:
    yard.add_stage("v1.0.0", "staging")
    yard.add_stage("v1.1.0", "production")
    assert archive(yard.view(), "replaced") == ["churn#staging!#3", "churn#production!#4", "churn@deprecated"]
    assert yard.view().history.archived and yard.view().history.assigned("production") is None
    assert archive(yard.view(), "replaced") == []


def test_a_deployed_model_is_not_archived(yard: MemoryYard) -> None:
    yard.deploy_manifest("v1.1.0")
    with pytest.raises(Refused, match=r"deployments/production/churn\.yaml still deploys churn"):
        archive(yard.view(), "replaced")
    assert len(yard.git.tags()) == 2


def test_a_concurrent_withdrawal_is_an_error(yard: MemoryYard) -> None:
    yard.git.taken = ["churn@v1.0.0!"]
    with pytest.raises(ModelyardError, match=r"A concurrent run wrote the tag churn@v1\.0\.0!"):
        withdraw(yard.view(), "v1.0.0", "leaks")


def test_the_lifecycle_is_written_once(yard: MemoryYard) -> None:
    assert set_lifecycle(yard.view(), "deprecated") == "models/churn/model.yaml"
    yard.reopen()
    assert yard.view().manifest.lifecycle == "deprecated"
    assert set_lifecycle(yard.view(), "deprecated") is None
