"""A checkout reads its tags once a command, and again only after they changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from modelyard.checkout.checkout import Checkout, version_of
from modelyard.cli import cli
from modelyard.errors import UsageError
from modelyard.git import Git
from support.memory import MemoryYard, memory_yard
from support.versions import add_stage, add_version
from support.yard import small_repository


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryYard:
    found = memory_yard(tmp_path, monkeypatch, ("churn", "price"))
    for model in ("churn", "price"):
        found.add_version("v1.0.0", model)
        found.add_version("v1.1.0", model)
    found.git.calls.clear()
    return found


def test_the_history_of_a_model_is_read_once(yard: MemoryYard) -> None:
    view = yard.view()
    assert view is yard.view() and view.history is view.history
    assert [known.version for known in view.history.versions] == ["v1.0.0", "v1.1.0"]
    assert view.champion and view.champion.version == "v1.1.0" and view.version("v1.0.0").at
    assert yard.git.calls["tags"] == 1
    assert yard.view("price").history.latest
    assert yard.git.calls["tags"] == 2, "the tags of each model are asked for alone"


def test_the_registry_of_all_models_is_read_once_and_serves_each_history(yard: MemoryYard) -> None:
    assert set(yard.checkout.registry.models) == {"churn", "price"}
    assert yard.view("churn").history is yard.checkout.registry.history("churn")
    assert yard.view("price").history.latest and yard.git.calls["tags"] == 1


def test_after_a_tag_is_written_the_history_is_read_again(yard: MemoryYard) -> None:
    before = yard.view().history
    opened = yard.checkout
    yard.tag("churn#production#1", before.versions[0].commit, "by hand", yard.now + 9)
    yard.checkout = opened
    assert yard.view().history is before
    assert yard.checkout.reread("churn").assigned("production")
    assert yard.view().history is not before and yard.view().history.assigned("production")
    registry = yard.checkout.registry
    yard.checkout.reread("churn")
    assert yard.checkout.registry is not registry


def test_a_manifest_is_read_once(yard: MemoryYard) -> None:
    manifest = yard.view().manifest
    (yard.root / "models/churn/model.yaml").write_text("name: [")
    assert yard.view().manifest is manifest and yard.view().folder == yard.root / "models/churn"


def test_the_champion_is_what_the_last_environment_serves(yard: MemoryYard) -> None:
    yard.add_stage("v1.0.0", "staging")
    assert (champion := yard.view().champion) and champion.version == "v1.0.0"
    yard.add_stage("v1.1.0", "production")
    yard.add_stage("v1.0.0", "staging")
    assert (champion := yard.view().champion) and champion.version == "v1.1.0"
    assert Checkout(yard.root).model("churn").name == "churn"
    assert yard.view("nobody").champion is None


def test_an_unknown_version_names_the_registered_ones(yard: MemoryYard) -> None:
    with pytest.raises(UsageError, match=r"churn has no version v2\.0\.0\.") as unknown:
        version_of(yard.view().history, "v2.0.0")
    assert unknown.value.remedy == "The newest registered versions: v1.0.0, v1.1.0."


def test_a_shallow_clone_without_tags_does_not_answer_that_there_are_no_versions(
    yard: MemoryYard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yard.git, "is_shallow", lambda: True)
    monkeypatch.setattr(yard.git, "remote", lambda: "origin")
    assert yard.view("churn").history.latest
    with pytest.raises(UsageError, match="no tags of nobody, so its versions are unknown"):
        yard.view("nobody").history  # noqa: B018


COMMANDS = [
    ["status"], ["history", "churn"], ["who-runs"], ["who-runs", "churn"], ["diff", "churn@v1.0.0", "v1.1.0"],
    ["lineage", "churn"], ["lineage", "--of", "data/flights"], ["search", "model=churn"], ["card", "churn"],
    ["site", "--out", "../site"],
]  # fmt: skip


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = small_repository(tmp_path_factory.mktemp("asked") / "yard")
    add_version(folder, "churn", "v1.0.0")
    add_version(folder, "churn", "v1.1.0")
    add_stage(folder, "churn", "v1.0.0", "staging")
    return folder


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_command_asks_git_for_the_tags_of_a_model_once(
    clone: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    popen = subprocess.Popen

    def counted(command: list[str], *args: object, **named: object) -> object:
        if "for-each-ref" in command and any("taggerdate" in part for part in command):
            asked.extend(part for part in command if part.startswith("refs/tags"))
        return popen(command, *args, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", counted)
    monkeypatch.chdir(clone)
    done = CliRunner().invoke(cli, arguments, obj=None)
    assert done.exit_code == 0, (done.output, done.exception)
    assert asked and len(asked) == len(set(asked)), asked


def test_reading_tags_in_two_processes_gives_each_tag(clone: Path) -> None:
    git = Git(clone)
    assert sorted(tag.name for tag in git.begin_tags("churn@*", "churn#*")) == sorted(t.name for t in git.tags())
