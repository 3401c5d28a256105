"""Accidents of a registry: deleted and moved tags, killed runs, wrong clocks. Nothing is lost, no number is reused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from modelyard.checkout.evidence_store import intent_of
from modelyard.checkout.tags import next_counter, number_at, settle_tags
from modelyard.errors import Refused
from support.versions import add_stage, add_version, hosted_pair, opened
from support.yard import IDENTITY, commit_all, git, small_repository, tool


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two clones; the remote holds v1.0.0, v1.1.0, and what staging serves, with copies filed."""
    yard = small_repository(tmp_path / "yard")
    lock = "schema: '2.0'\nstages:\n  train:\n    cmd: x\n    deps:\n    - {path: ../../data/flights, md5: 1.dir}\n"
    (yard / "models/churn/dvc.lock").write_text(lock)
    commit_all(yard, "lock")
    one, two = hosted_pair(tmp_path, yard)
    for version in ("v1.0.0", "v1.1.0"):
        add_version(one, "churn", version)
        git(one, "push", "--quiet", "origin", "main")
        add_stage(one, "churn", version, "staging")
    git(two, "pull", "--quiet", "--tags")
    git(two, "fetch", "--quiet", "origin")
    return one, two


def next_number(folder: Path) -> str:
    view = opened(folder).model("churn")
    return number_at(view, view.manifest, "HEAD", "").version


def faults(folder: Path, expect: int) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(tool(folder, "audit", "check", "--json", expect=expect).stdout)
    return found


def test_a_deleted_tag_is_detected_restored_and_its_number_not_reused(pair: tuple[Path, Path]) -> None:
    one, two = pair
    before = git(one, "rev-parse", "refs/tags/churn@v1.1.0")
    for folder in pair:
        git(folder, "tag", "--delete", "churn@v1.1.0")
    git(one, "push", "--quiet", "origin", ":refs/tags/churn@v1.1.0")
    (two / "models/churn/params.yaml").write_text("train: {trees: 9}\n")
    commit_all(two, "change")
    assert next_number(two) == "v1.2.0", "the number of a deleted tag is not reused"
    found = faults(two, 1)
    assert [(f["tag"], f["level"]) for f in found if "deleted" in f["sentence"]] == [("churn@v1.1.0", "error")]
    assert "restored: churn@v1.1.0" in tool(two, "audit", "check", "--restore").stderr
    git(one, "fetch", "--quiet", "--tags")
    assert git(one, "rev-parse", "refs/tags/churn@v1.1.0") == before, "the same tag object"


def test_the_counter_of_a_deleted_receipt_is_not_reused(pair: tuple[Path, Path]) -> None:
    one, _ = pair
    git(one, "tag", "--delete", "churn#staging#2")
    assert next_counter(opened(one).model("churn")) == 3


def test_a_moved_tag_is_detected_refused_and_restored(pair: tuple[Path, Path]) -> None:
    one, two = pair
    before = git(one, "rev-parse", "refs/tags/churn@v1.1.0")
    git(one, "tag", "--force", "--annotate", "churn@v1.1.0", "-m", "mine", "churn@v1.0.0^{commit}")
    git(one, "push", "--quiet", "--force", "origin", "refs/tags/churn@v1.1.0")
    git(two, "fetch", "--quiet", "--tags", "--force")
    assert "was moved" in next(f["sentence"] for f in faults(two, 1) if f["tag"] == "churn@v1.1.0")
    with pytest.raises(Refused, match=r"churn@v1\.1\.0 was moved"):
        opened(two).model("churn").version("v1.1.0")
    assert opened(two).model("churn").version("v1.0.0")
    tool(two, "audit", "check", "--restore")
    assert git(two, "rev-parse", "refs/tags/churn@v1.1.0") == before
    assert git(two, "ls-remote", "origin", "refs/tags/churn@v1.1.0").split()[0] == before


def test_a_clone_that_knows_the_old_tag_refuses_the_moved_one(pair: tuple[Path, Path]) -> None:
    one, two = pair
    git(one, "tag", "--force", "--annotate", "churn@v1.0.0", "-m", "mine", "HEAD")
    git(one, "push", "--quiet", "--force", "origin", "refs/tags/churn@v1.0.0")
    done = tool(two, "deprecate", "churn@v1.0.0", "--why", "old", expect=1)
    assert "moved" in done.stderr and "audit check --restore" in done.stderr


def test_a_clock_that_is_set_back_does_not_change_the_order(pair: tuple[Path, Path]) -> None:
    one, _ = pair
    future = {"GIT_COMMITTER_DATE": "2100000000 +0000"}
    subprocess.run(
        ["git", "tag", "-a", "churn#production#90", "-m", "from a wrong clock", "churn@v1.0.0^{commit}"],
        cwd=one, env=os.environ | IDENTITY | future, check=True,
    )  # fmt: skip
    add_stage(one, "churn", "v1.1.0", "production")
    history = opened(one).history("churn")
    assigned = history.assigned("production")
    assert assigned and assigned.version == "v1.1.0" and assigned.at == 2100000001


def test_a_tag_that_a_killed_run_began_is_completed_by_any_clone(pair: tuple[Path, Path]) -> None:
    one, two = pair
    commit = commit_all(one, "churn v1.2.0")
    git(one, "push", "--quiet", "origin", "main")
    git(two, "pull", "--quiet")
    door = opened(one)
    content = door.git.tag_object("churn@v1.2.0", commit, 'Registering\n\n{"artifact":"x"}', 1_900_000_000)
    door.evidence.append({intent_of("churn", "churn@v1.2.0"): content}, "begun")  # killed here
    assert opened(one).history("churn").version("v1.2.0") is None, "no tag yet"
    assert settle_tags(opened(two)) == ("churn@v1.2.0",)
    git(one, "fetch", "--quiet", "--tags", "origin", "modelyard/evidence:refs/remotes/origin/modelyard/evidence")
    for folder in pair:
        known = opened(folder).history("churn").version("v1.2.0")
        assert known and known.commit == commit
    assert settle_tags(opened(one)) == () and not opened(one).evidence.pending()


def test_five_thousand_foreign_tags_change_nothing(pair: tuple[Path, Path]) -> None:
    one, _ = pair
    before = tool(one, "status", "--json").stdout
    head = git(one, "rev-parse", "HEAD")
    lines = "".join(f"create refs/tags/release-{n} {head}\n" for n in range(5000))
    subprocess.run(["git", "update-ref", "--stdin"], cwd=one, input=lines.encode(), check=True)
    git(one, "tag", "churn@v9.9.9")
    assert tool(one, "status", "--json").stdout == before
    found = faults(one, 0)
    assert any("5000 tags are outside the grammar" in f["sentence"] for f in found)
    assert any(f["tag"] == "churn@v9.9.9" and "lightweight" in f["sentence"] for f in found)


def test_a_shallow_clone_names_the_missing_tags(pair: tuple[Path, Path], tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", "--no-tags", f"file://{tmp_path / 'remote.git'}", "shallow")
    commands = [["history", "churn"], ["who-runs"], ["status"], ["diff", "v1.0.0", "v1.1.0"], ["deploy", "--plan"], ["site"],
                ["search", "lifecycle=active"], ["lineage", "churn"], ["card", "churn"]]  # fmt: skip
    for command in commands:
        said = tool(tmp_path / "shallow", *command, expect=2).stderr
        assert "shallow" in said and "git fetch" in said


def test_a_corrupt_evidence_file_is_an_error_of_its_version_only(pair: tuple[Path, Path]) -> None:
    from support.versions import artifact_of

    one, _ = pair
    opened(one).evidence.file_evidence("churn", artifact_of("churn", "v1.0.0"), {"drift": b'{"half":'}, {}, "damage")
    found = [f for f in faults(one, 1) if f["level"] == "error"]
    assert [f["tag"] for f in found] == ["churn@v1.0.0"] and "drift" in found[0]["sentence"]
    assert tool(one, "history", "churn").returncode == 0


def test_withdrawn_versions_are_not_served_and_their_numbers_not_reused(pair: tuple[Path, Path]) -> None:
    one, two = pair
    said = tool(one, "deprecate", "churn@v1.1.0", "--why", "leaks", expect=1).stderr
    assert "staging serves churn@v1.1.0" in said
    add_stage(one, "churn", "v1.0.0", "staging")
    assert tool(one, "deprecate", "churn@v1.1.0", "--why", "leaks").stdout == "churn@v1.1.0!\n"
    git(two, "fetch", "--quiet", "--tags")
    (two / "models/churn/params.yaml").write_text("train: {trees: 9}\n")
    commit_all(two, "change")
    assert next_number(two) == "v1.2.0"
    (two / "deployments/staging/churn.yaml").write_text("model: churn\nversion: v1.1.0\n")
    assert "out of use: leaks" in tool(two, "deploy", "--env", "staging", expect=1).stderr
    assert "leaks" in tool(two, "history", "churn").stdout


def test_a_deployed_model_is_not_archived_and_an_archived_one_keeps_its_history(pair: tuple[Path, Path]) -> None:
    one, _ = pair
    assert "still deploys churn" in tool(one, "archive", "churn", "--why", "replaced", expect=1).stderr
    (one / "deployments/staging/churn.yaml").unlink()
    commit_all(one, "retire churn")
    done = tool(one, "archive", "churn", "--why", "replaced")
    assert done.stdout.splitlines() == ["churn#staging!#3", "churn@deprecated"]
    assert "lifecycle: archived" in (one / "models/churn/model.yaml").read_text()
    assert tool(one, "archive", "churn", "--why", "replaced").stdout == ""
    periods = json.loads(tool(one, "who-runs", "churn", "--json").stdout)
    assert periods == [], "no version serves"
    assert [e["what"] for e in json.loads(tool(one, "history", "churn", "--json").stdout)][-2:] == [
        "unassigned",
        "archived",
    ]


def test_the_override_of_a_commit_replaces_the_computed_number(pair: tuple[Path, Path]) -> None:
    one, _ = pair
    (one / "models/churn/params.yaml").write_text("train: {trees: 9}\n")
    commit_all(one, "Retune\n\nBump: major")
    assert next_number(one) == "v2.0.0"
    commit_all(one, "Say which\n\nBump: churn v3.1.4")
    assert next_number(one) == "v3.1.4"
    commit_all(one, "Not ours\n\nBump: other v9.0.0")
    assert next_number(one) == "v3.1.4"
    commit_all(one, "Backwards\n\nBump: churn v1.0.5")
    with pytest.raises(Refused, match=r"does not follow v1\.1\.0"):
        next_number(one)


def test_the_number_and_its_reasons_follow_from_what_changed(pair: tuple[Path, Path]) -> None:
    def numbered() -> tuple[str, tuple[str, ...]]:
        view = opened(one).model("churn")
        found = number_at(view, view.manifest, "HEAD", "")
        return found.version, found.reasons

    one, _ = pair
    (one / "data/flights.dvc").write_text("outs:\n- {md5: b.dir, path: flights}\n")
    commit_all(one, "New flights, not retrained yet")
    assert numbered() == ("v1.1.1", ("data: data/flights",))
    (one / "models/churn/params.yaml").write_text("train: {trees: 9}\n")
    commit_all(one, "Retune")
    assert numbered() == ("v1.2.0", ("code: models/churn/params.yaml",))
    manifest = one / "models/churn/model.yaml"
    manifest.write_text(manifest.read_text().replace("type: float}", "type: integer}"))
    commit_all(one, "Whole numbers only")
    assert numbered() == ("v2.0.0", ("contract: input x changed",))


def test_a_repository_is_rebuilt_from_a_mirror_whose_tags_are_gone(pair: tuple[Path, Path], tmp_path: Path) -> None:
    one, _ = pair
    tags = git(one, "for-each-ref", "--format=%(refname) %(objectname)", "refs/tags")
    evidence = git(one, "rev-parse", "modelyard/evidence^{tree}")
    git(tmp_path, "clone", "--quiet", "--mirror", "remote.git", "mirror.git")
    for name in ("one", "two", "remote.git", "yard"):
        shutil.rmtree(tmp_path / name)
    for ref in git(tmp_path / "mirror.git", "for-each-ref", "--format=%(refname)", "refs/tags").splitlines():
        git(tmp_path / "mirror.git", "update-ref", "-d", ref)
    # docs/registry.md lists these commands.
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "new.git")
    git(tmp_path / "mirror.git", "push", "--quiet", "--mirror", str(tmp_path / "new.git"))
    git(tmp_path, "clone", "--quiet", str(tmp_path / "new.git"), "again")
    again = tmp_path / "again"
    tool(again, "audit", "check", "--restore")
    assert git(again, "for-each-ref", "--format=%(refname) %(objectname)", "refs/tags") == tags, "the same objects"
    assert git(tmp_path / "new.git", "for-each-ref", "--format=%(refname) %(objectname)", "refs/tags") == tags
    assert git(again, "rev-parse", "origin/modelyard/evidence^{tree}") == evidence
    tool(again, "audit", "check")
    assert "v1.1.0" in tool(again, "history", "churn").stdout
