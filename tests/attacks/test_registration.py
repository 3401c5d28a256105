"""What an attacker or a hurried person tries with registrations and rollbacks, and what a killed run must not do twice."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from modelyard.candidate.files import Candidate
from modelyard.catalog.queries import running_at, told
from modelyard.checkout.tags import settle_tags, write_tag
from modelyard.cli import cli
from modelyard.deployment import observation
from modelyard.deployment.rollback import RollbackRequest, roll_back
from modelyard.errors import Refused
from modelyard.git import Git, RefRejected
from modelyard.release import registration
from modelyard.release.registration import register
from modelyard.rollout.plan import StatusLine, Traffic
from msgspec.structs import replace
from support.memory import MemoryYard, digest_of, memory_yard
from support.yard import small_repository


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryYard:
    """v1.0.0, v1.1.0 and v1.2.0 served in production, one after the other."""
    found = memory_yard(tmp_path, monkeypatch)
    for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
        found.add_version(version)
        found.deploy_manifest(version)
        found.deploy()
    return found


def by_hand(yard: MemoryYard, to: str | None = None) -> Any:
    yard.reopen()
    environment = yard.checkout.repository.environment("production")
    target, request = yard.targets["production"], RollbackRequest(to=to, why="wrong", by="ada")
    return roll_back(yard.view(), environment, target, lambda: yard.forge, request, yard.said.append)  # type: ignore[arg-type, return-value]


def test_to_roll_back_an_innocent_version_by_a_repeat(yard: MemoryYard) -> None:
    assert by_hand(yard).live == "v1.1.0"
    for _ in range(3):
        again = by_hand(yard)
        assert (again.live, again.actions, again.tag) == ("v1.1.0", (), None)
    blocked = [known.record.blocked for known in yard.view().history.rollbacks() if known.record]
    assert blocked == [digest_of("v1.2.0")]
    assert by_hand(yard, "v1.0.0").live == "v1.0.0", "going further back names a version"


def test_to_give_traffic_to_a_blocked_version(yard: MemoryYard) -> None:
    by_hand(yard)
    yard.deploy_manifest("v1.1.0")
    with pytest.raises(Refused, match=r"v1\.2\.0 cannot get traffic in production: its artifact was rolled back"):
        by_hand(yard, "v1.2.0")
    assert yard.targets["production"].models["churn"].traffic == Traffic("v1.1.0")


def test_to_roll_back_to_a_tag_that_was_pushed(yard: MemoryYard) -> None:
    yard.add_tag("churn@v0.0.1", 'x\n\n{"artifact":"' + "e" * 64 + '","verdict":"pass"}')
    with pytest.raises(Refused, match=r"The tag churn@v0\.0\.1 was made by hand"):
        by_hand(yard, "v0.0.1")


def test_to_register_from_a_branch(yard: MemoryYard, monkeypatch: pytest.MonkeyPatch) -> None:
    main = yard.git.commit_of("HEAD")
    branch = yard.commit({"models/churn/note": "mine"}, "a branch")
    yard.git.set_ref("refs/heads/main", main)
    monkeypatch.setattr(yard.git, "commit_of", lambda revision: branch if revision == "HEAD" else main)
    monkeypatch.setattr(Candidate, "of", lambda view: SimpleNamespace(sha256=lambda: "e" * 64))
    with pytest.raises(Refused, match=r"HEAD is at the commit \w+, which is not in the history of main"):
        register(yard.view(), yard.forge, None)  # type: ignore[arg-type]


def test_to_register_bytes_that_only_this_machine_has(yard: MemoryYard, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = yard.root / "models/churn/model.txt"
    artifact.write_bytes(b"bytes")
    md5 = hashlib.md5(b"bytes", usedforsecurity=False).hexdigest()
    lock = f"stages: {{train: {{cmd: x, outs: [{{path: model.txt, md5: {md5}, size: 5}}]}}}}\n"
    (artifact.parent / "dvc.lock").write_text(lock)
    candidate = SimpleNamespace(model=yard.view().manifest, folder=artifact.parent, artifact=artifact)
    there = {md5}
    stored = SimpleNamespace(has_remote=lambda: True, on_remote=lambda wanted: wanted in there)
    yard.checkout.dvc = stored  # type: ignore[assignment]
    registration._require_stored_bytes(yard.view(), candidate, "e" * 64)  # type: ignore[arg-type]
    there.clear()
    with pytest.raises(Refused, match="is not on the DVC remote"):
        registration._require_stored_bytes(yard.view(), candidate, "e" * 64)  # type: ignore[arg-type]


@pytest.mark.parametrize("step", range(4))
def test_to_lose_a_tag_or_its_approvals_by_a_kill(yard: MemoryYard, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    class Killed(BaseException):
        pass

    left = [step]

    def guard(action: Any) -> Any:
        def guarded(*arguments: Any, **named: Any) -> Any:
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return action(*arguments, **named)

        return guarded

    view, commit = yard.view(), yard.git.commit_of("HEAD")
    with monkeypatch.context() as patch:
        patch.setattr(yard.checkout.evidence, "append", guard(yard.checkout.evidence.append))
        patch.setattr(yard.git, "place_tag", guard(yard.git.place_tag))
        try:
            write_tag(view, "churn#production#9", commit, "Assigning\n\n{}", {"churn/approvals/x.json": b"{}"})
        except Killed:
            assert step < 3
    yard.reopen()
    settle_tags(yard.checkout)
    tags = [tag.name for tag in yard.git.tags("churn#production#9")]
    approvals = yard.checkout.evidence.filed("churn/approvals/x.json")
    copies = yard.checkout.evidence.tags("churn")
    assert (tags == ["churn#production#9"]) == bool(approvals) == ("churn#production#9" in copies) == (step > 0)
    assert yard.checkout.evidence.pending() == {} and settle_tags(yard.checkout) == ()


def test_to_take_the_name_of_a_tag_while_it_is_written(yard: MemoryYard) -> None:
    yard.git.taken = ["churn#production#9"]
    with pytest.raises(RefRejected):
        write_tag(yard.view(), "churn#production#9", "HEAD", "ours", {"churn/approvals/x.json": b"{}"})
    assert not yard.checkout.evidence.pending()
    assert "churn#production#9" in yard.view().history.strays


def test_to_have_the_bot_push_to_main_from_a_pull_request_whose_head_is_main(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard = small_repository(tmp_path / "yard")
    (tmp_path / "bundle").mkdir()
    monkeypatch.chdir(yard)
    arguments = ["push-lock", "--from", str(tmp_path / "bundle"), "--branch", "main"]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert isinstance(done.exception, Refused) and "main is the default branch" in done.exception.problem


def test_to_have_a_pushed_tag_shown_like_a_real_one(yard: MemoryYard) -> None:
    yard.add_tag("churn@v9.9.9", 'x\n\n{"artifact":"' + "e" * 64 + '","verdict":"pass","approved_by":["@grace"]}')
    moved = yard.git.tags("churn#production#1")[0]
    yard.git.delete_tag("churn#production#1")
    yard.add_tag("churn#production#1", moved.message.replace('"why":"', '"why":"another '))
    shown = {event.tag: event.doubt for event in told(yard.git, "churn", yard.git.tags())}  # type: ignore[arg-type]
    assert shown["churn@v9.9.9"].startswith("not filed: ") and shown["churn#production#1"].startswith("moved: ")
    assert {tag for tag, doubt in shown.items() if doubt} == {"churn@v9.9.9", "churn#production#1"}


def test_to_give_a_receipt_of_another_version_the_name_of_a_pushed_tag(yard: MemoryYard) -> None:
    served = yard.view().history.assigned("production")
    assert served is not None
    yard.add_tag("churn@v9.9.9", 'x\n\n{"artifact":"' + "e" * 64 + '"}', served.commit)
    yard.add_tag("churn#production#77", 'x\n\n{"version":"v9.9.9","approved_by":["grace"]}', served.commit)
    git: Git = yard.git  # type: ignore[assignment]
    shown = {event.tag: (event.version, event.doubt) for event in told(git, "churn", yard.git.tags())}
    assert shown[served.tag] == (served.version, "")
    assert shown["churn#production#77"][1].startswith("not filed: ")
    assert [(one.version, one.tag) for one in running_at(git, "churn", "production", None)] == [
        (served.version, served.tag)
    ]


def test_to_have_a_pushed_tag_desired_or_believed_by_status(yard: MemoryYard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observation, "open_target", lambda declared, *_: yard.targets[declared.name])
    yard.deploy_manifest("latest")
    git: Git = yard.git  # type: ignore[assignment]

    def seen() -> StatusLine:
        [line] = observation.observe(yard.checkout.repository, git, git.begin_tags(), None, "production")
        return line

    before = seen()
    yard.add_tag("churn@v9.9.9", 'x\n\n{"artifact":"' + "e" * 64 + '"}')
    yard.add_tag("churn#production#77", 'x\n\n{"version":"v9.9.9","why":"forged","approved_by":["grace"]}')
    after = seen()
    said = ("churn@v9.9.9, churn#production#77: not filed: the tag was made by hand, and what it says proves nothing",)
    assert after == replace(before, doubts=said) and not before.doubts
