"""What an attacker with write access tries in order to move traffic. The door refuses, and nothing moves."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from modelyard.checkout.artifacts import FetchedVersion
from modelyard.checkout.trust import require_stored
from modelyard.deployment.record import read_rollouts
from modelyard.errors import Blocked, ModelyardError, Refused
from modelyard.gate.approvals import Review
from modelyard.registry.tags import StageRecord, VersionRecord, write_record
from modelyard.rollout.plan import Traffic
from modelyard.rollout.progress import RolloutState
from support.memory import START, MemoryYard, digest_of, memory_yard

RULES = "rules:\n  - {id: reviewed, paths: ['*'], role: writers, count: 1, why: Two people look.}\n"
GRACE = (Review("grace", "approved", "", START),)
JOURNAL = "refs/modelyard/rollouts/production/churn"


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryYard:
    """Production serves v1.1.0; v1.0.0 served before. Every change since the rules was approved by Grace."""
    found = memory_yard(tmp_path, monkeypatch)
    found.commit({"policies/approvals.yaml": RULES}, "rules")
    found.forge.reviews = GRACE
    for version in ("v1.0.0", "v1.1.0"):
        found.add_version(version)
        found.deploy_manifest(version)
        found.deploy()
    found.targets["production"].done.clear()
    return found


def refused(yard: MemoryYard, match: str) -> Refused:
    with pytest.raises(ModelyardError, match=match) as caught:
        yard.deploy()
    assert yard.targets["production"].done == [], "nothing moved"
    assert yard.targets["production"].models["churn"].traffic == Traffic("v1.1.0")
    return caught.value  # type: ignore[return-value]


def unapproved(yard: MemoryYard, files: dict[str, str], subject: str = "a push at night") -> str:
    """A commit on main that nobody approves, ever."""
    commit = yard.commit(files, subject)
    yard.forge.unapproved.add(commit)
    yard.reopen()
    return commit


def test_to_serve_a_tag_that_was_pushed_with_a_record_of_its_own(yard: MemoryYard) -> None:
    record = VersionRecord(digest_of("evil"), verdict="pass", by="@ada", approved_by=("@grace",))
    yard.add_tag("churn@v9.9.9", write_record("Registering artifact churn version v9.9.9", record))
    yard.deploy_manifest("v9.9.9")
    error = refused(yard, r"The tag churn@v9\.9\.9 was made by hand: it has no filed copy")
    assert "git push origin :refs/tags/churn@v9.9.9" in error.remedy


def test_to_become_latest_with_a_pushed_tag(yard: MemoryYard) -> None:
    yard.deploy_manifest("latest")
    yard.add_tag("churn@v9.9.9", write_record("x", VersionRecord(digest_of("evil"), verdict="pass")))
    assert yard.deploy().live == "v1.1.0"
    yard.add_version("v1.2.0")
    assert yard.deploy().live == "v1.2.0", "the stray tag does not stop the next version"


def test_to_serve_other_bytes_under_the_same_number(yard: MemoryYard) -> None:
    yard.git.delete_tag("churn@v1.0.0")
    yard.add_tag("churn@v1.0.0", write_record("x", VersionRecord(digest_of("evil"), verdict="pass")))
    yard.deploy_manifest("v1.0.0")
    assert "audit check --restore" in refused(yard, r"The tag churn@v1\.0\.0 was moved after it was filed").remedy


def test_to_move_a_version_and_its_receipt_together(yard: MemoryYard) -> None:
    evil = write_record("x", VersionRecord(digest_of("evil"), verdict="pass"))
    for tag, message in (
        ("churn@v1.1.0", evil),
        ("churn#production#2", write_record("x", StageRecord("v1.1.0", digest_of("evil")))),
    ):
        yard.git.delete_tag(tag)
        yard.add_tag(tag, message)
    refused(yard, r"The tag churn@v1\.1\.0 was moved")


def test_to_serve_a_version_of_a_branch(yard: MemoryYard) -> None:
    main = yard.git.commit_of("HEAD")
    yard.add_version("v1.2.0")
    yard.git.set_ref("refs/heads/main", main)
    yard.deploy_manifest("v1.2.0")
    refused(yard, r"The tag churn@v1\.2\.0 is at the commit \w+, which is not in the history of main")


def test_to_serve_without_a_verdict(yard: MemoryYard) -> None:
    tag = yard.add_version("v1.2.0")
    path = f"churn/{digest_of('v1.2.0')}/verdict.json"
    yard.checkout.evidence.append({}, "gone", drop=frozenset({path}))
    yard.deploy_manifest("v1.2.0")
    refused(yard, f"No verdict on the artifact of {tag} is filed")


def test_to_serve_with_the_verdict_of_other_bytes(yard: MemoryYard) -> None:
    yard.add_version("v1.2.0")
    other = yard.checkout.evidence.documents("churn", digest_of("v1.0.0"))["verdict"]
    yard.checkout.evidence.append({f"churn/{digest_of('v1.2.0')}/verdict.json": other}, "forged")
    yard.deploy_manifest("v1.2.0")
    refused(yard, "The filed verdict of churn@v1.2.0 is not the one that its tag names")


def test_to_serve_bytes_that_only_this_machine_has(tmp_path: Path) -> None:
    stored: set[str] = set()
    dvc = SimpleNamespace(has_remote=lambda: True, on_remote=lambda md5: md5 in stored)
    version = SimpleNamespace(version="v1.0.0")
    found = FetchedVersion(SimpleNamespace(name="churn"), version, tmp_path, "s" * 64, b"", md5="a" * 32)  # type: ignore[arg-type]
    with pytest.raises(Blocked, match=r"of churn@v1\.0\.0 \(md5 aaaaaaaaaaaa\) is not on the DVC remote"):
        require_stored(SimpleNamespace(dvc=dvc), found)  # type: ignore[arg-type]
    stored.add("a" * 32)
    require_stored(SimpleNamespace(dvc=dvc), found)  # type: ignore[arg-type]


def test_to_turn_a_failed_verdict_into_a_passed_one_in_the_tag(yard: MemoryYard) -> None:
    yard.add_version("v1.2.0", verdict="fail")
    tag = yard.git.tags("churn@v1.2.0")[0]
    yard.git.delete_tag("churn@v1.2.0")
    yard.tag("churn@v1.2.0", tag.commit, tag.message.replace('"verdict":"fail"', '"verdict":"pass"'))
    yard.deploy_manifest("v1.2.0")
    refused(yard, "The filed verdict of churn@v1.2.0 is fail, and its tag says 'pass'")


def test_to_deploy_a_change_that_nobody_approved(yard: MemoryYard) -> None:
    commit = unapproved(yard, {"deployments/production/churn.yaml": "model: churn\nversion: v1.0.0\n"})
    error = refused(yard, r"\(a push at night\) was merged without the required approvals: reviewed: 0 of 1")
    assert commit in error.remedy
    path = f"refused/production/churn/{commit}.json"
    assert json.loads(yard.checkout.evidence.filed(path)[path])["missing"].startswith("reviewed: 0 of 1")


def test_to_have_an_unreviewed_push_delivered_by_the_next_approved_change(yard: MemoryYard) -> None:
    unapproved(yard, {"models/churn/src/train.py": "evil = True\n"})
    yard.add_version("v1.2.0")
    yard.deploy_manifest("v1.2.0")
    refused(yard, r"\(a push at night\) was merged without")


def test_to_weaken_the_rules_first_and_deploy_afterwards(yard: MemoryYard) -> None:
    weak = "rules:\n  - {id: lax, paths: [nothing], why: w}\n"
    unapproved(yard, {"policies/approvals.yaml": weak})
    unapproved(yard, {"deployments/production/churn.yaml": "model: churn\nversion: v1.0.0\n"}, "the next push")
    refused(yard, r"\(a push at night\) and 1 more was merged without")


def test_to_remove_the_rules_first_and_deploy_afterwards(yard: MemoryYard) -> None:
    commit = yard.git.commit_files({"policies/approvals.yaml": None}, "a push at night")
    (yard.root / "policies/approvals.yaml").unlink()
    yard.forge.unapproved.add(commit)
    yard.deploy_manifest("v1.0.0")
    refused(yard, r"\(a push at night\) was merged without")


def test_to_make_oneself_an_owner_first(yard: MemoryYard) -> None:
    owned = "rules:\n  - {id: owned, paths: ['*'], role: owners, count: 1, why: w}\n"
    yard.commit({"policies/approvals.yaml": owned}, "owners approve")
    manifest = (yard.root / "models/churn/model.yaml").read_text()
    yard.commit({"models/churn/model.yaml": manifest.replace("@team", "mallory")}, "mine")
    yard.forge.reviews = (Review("mallory", "approved", "", START),)
    yard.deploy_manifest("v1.0.0")
    refused(yard, r"\(owners approve\)|\(mine\)")


def test_to_weaken_the_rules_in_a_repository_whose_rules_do_not_cover_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard = memory_yard(tmp_path, monkeypatch)
    yard.commit({"policies/approvals.yaml": RULES.replace("'*'", "'deployments/production/*'")}, "rules")
    yard.add_version("v1.0.0")
    unapproved(yard, {"policies/approvals.yaml": RULES.replace("'*'", "'nothing'")})
    yard.deploy_manifest("v1.0.0")
    with pytest.raises(Refused, match=r"\(a push at night\) and 1 more was merged without"):
        yard.deploy()
    assert yard.targets["production"].models == {}


def test_a_later_approved_change_that_names_the_commit_is_the_way_out(yard: MemoryYard) -> None:
    commit = unapproved(yard, {"models/churn/src/train.py": "evil = True\n"})
    yard.deploy_manifest("v1.0.0")
    refused(yard, r"\(a push at night\)")
    yard.commit({"README.md": "reviewed\n"}, f"Accept {commit[:12]}")
    refused(yard, r"\(a push at night\)")
    unapproved(yard, {"README.md": "accepted by its author\n"}, f"Accept {commit}")
    refused(yard, r"and 1 more")
    yard.commit({"README.md": "accepted\n"}, f"Accept {commit} and {yard.git.commit_of('HEAD')}")
    assert yard.deploy().live == "v1.0.0"


def test_to_deploy_what_is_only_in_the_working_tree(yard: MemoryYard) -> None:
    (yard.root / "deployments/production/churn.yaml").write_text("model: churn\nversion: v1.0.0\n")
    refused(yard, r"deployments/production/churn\.yaml differs from HEAD")


def test_to_deploy_to_a_target_that_only_the_working_tree_names(yard: MemoryYard) -> None:
    yard.deploy_manifest("v1.0.0")
    (yard.root / "modelyard.yaml").write_text((yard.root / "modelyard.yaml").read_text() + "# other\n")
    refused(yard, r"modelyard\.yaml differs from HEAD")


def test_to_remove_a_model_with_an_unreviewed_push(yard: MemoryYard) -> None:
    commit = yard.git.commit_files({"deployments/production/churn.yaml": None}, "a push at night")
    (yard.root / "deployments/production/churn.yaml").unlink()
    yard.forge.unapproved.add(commit)
    refused(yard, r"\(a push at night\) was merged without")


# --- journals --------------------------------------------------------------------------------------------------------


def forged(yard: MemoryYard, state: RolloutState) -> None:
    before = read_rollouts(yard.git)["production", "churn"]  # type: ignore[arg-type]
    yard.git.add_entry(JOURNAL, before.commit, f"forged\n\n{json.dumps({'phase': state.phase} | _fields(state))}")


def _fields(state: RolloutState) -> dict[str, object]:
    import msgspec

    return msgspec.structs.asdict(state)


@pytest.mark.parametrize("stable", ["v1.0.0", "v0.0.1", ""])
def test_to_roll_back_with_a_pushed_journal_entry(yard: MemoryYard, stable: str) -> None:
    forged(yard, RolloutState("rolled back", stable, "v1.1.0", digest_of("v1.1.0"), salt="x", reason="quality fell"))
    error = refused(yard, "does not agree with what runs")
    assert error.remedy.startswith("Nothing was moved.") and JOURNAL in error.remedy


def test_to_end_a_canary_on_another_version_with_a_pushed_journal_entry(yard: MemoryYard) -> None:
    yard.add_version("v1.2.0")
    yard.deploy_manifest("v1.2.0", "rollout: {strategy: canary, steps: [{weight: 20}, {weight: 50}]}\n")
    forged(yard, RolloutState("progressing", "v1.0.0", "v1.2.0", digest_of("v1.2.0"), weight=20, salt="x"))
    refused(yard, r"it names v1\.0\.0 as the stable version, which neither serves nor has the newest receipt")


def test_to_skip_the_steps_of_a_canary_with_a_pushed_journal_entry(yard: MemoryYard) -> None:
    yard.add_version("v1.2.0")
    yard.deploy_manifest("v1.2.0", "rollout: {strategy: canary, steps: [{weight: 20}, {weight: 50}, {weight: 100}]}\n")
    candidate = RolloutState(
        "progressing", "v1.1.0", "v1.2.0", digest_of("v1.2.0"), step=2, weight=100, salt="x", started=START
    )
    forged(yard, candidate)
    refused(yard, "which has 0 % and skipped a step")


def test_to_start_a_canary_that_nobody_approved_with_a_pushed_journal_entry(yard: MemoryYard) -> None:
    yard.add_version("v1.2.0")
    canary = "model: churn\nversion: v1.2.0\nrollout: {strategy: canary, steps: [{weight: 20}]}\n"
    unapproved(yard, {"deployments/production/churn.yaml": canary})
    candidate = RolloutState("progressing", "v1.1.0", "v1.2.0", digest_of("v1.2.0"), weight=20, salt="x", started=START)
    forged(yard, candidate)
    refused(yard, r"\(a push at night\) was merged without")


def test_to_block_a_version_with_a_pushed_receipt(yard: MemoryYard) -> None:
    record = StageRecord("v1.0.0", digest_of("v1.0.0"), blocked=digest_of("v1.1.0"), rollout="x", by="@grace")
    yard.add_tag("churn#production#9", write_record("x", record), "refs/tags/churn@v1.0.0")
    assert yard.deploy().live == "v1.1.0"
    assert not yard.view().history.rollbacks()
    assert yard.view().history.strays == ("churn#production#9",)


def test_to_bake_a_version_with_a_pushed_receipt(yard: MemoryYard) -> None:
    yard.add_version("v1.2.0")
    yard.add_tag("churn#staging#5", write_record("x", StageRecord("v1.2.0")), "refs/tags/churn@v1.2.0")
    assert yard.view().history.assigned("staging") is None
