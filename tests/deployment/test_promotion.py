"""Promotions by pull request, and the preview of what merging one deploys."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.deployment import promotion as module
from modelyard.deployment.promotion import PromotionRequest, _place, preview, promotion
from modelyard.errors import ModelyardError, Refused, UsageError
from modelyard.forges.interface import Comment
from modelyard.manifests.conversion import parse
from modelyard.manifests.deployment import Deployment
from modelyard.manifests.names import is_name
from modelyard.report.markdown.summary import PLAN, PLAN_END, REPORT, with_plan
from modelyard.review.pull_requests import Proposed
from support.memory import START, MemoryYard, digest_of, memory_yard

NOW = datetime.fromtimestamp(START + 100_000, UTC)
FILE = "deployments/production/churn.yaml"


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryYard:
    """v1.1.0 serves in staging, v1.0.0 in production."""
    found = memory_yard(tmp_path, monkeypatch)
    found.add_version("v1.0.0")
    found.deploy_manifest("v1.0.0")
    found.add_stage("v1.0.0", "production")
    found.add_version("v1.1.0")
    found.add_stage("v1.1.0", "staging")
    return found


def promoted(
    yard: MemoryYard, environment: str = "production", version: str | None = None, clear: float | None = None
) -> Proposed:
    request = PromotionRequest(environment=environment, version=version, clear=clear, who="ada", why="a good month")
    return promotion(yard.view(), request, NOW)


def desired(proposed: Proposed, file: str = FILE) -> Deployment:
    content = proposed.files[file]
    assert content
    return parse(Deployment, content, file)


def test_the_default_is_the_version_of_the_previous_environment(yard: MemoryYard) -> None:
    proposed = promoted(yard)
    assert desired(proposed).version == "v1.1.0" and proposed.branch == "modelyard/promote/production/churn"
    assert "a good month" in proposed.body and "v1.0.0" in proposed.body


def test_the_first_environment_gets_the_latest_version(yard: MemoryYard) -> None:
    yard.add_version("v1.2.0")
    proposed = promoted(yard, "staging")
    assert desired(proposed, "deployments/staging/churn.yaml").version == "v1.2.0"


def test_the_rest_of_the_file_stays_as_it_is(yard: MemoryYard) -> None:
    yard.deploy_manifest("v1.0.0  # reviewed by grace", "rollout:\n  strategy: canary  # slowly\n")
    content = promoted(yard).files[FILE]
    assert content == b"model: churn\nversion: v1.1.0  # reviewed by grace\nrollout:\n  strategy: canary  # slowly\n"


@pytest.mark.parametrize(
    ("environment", "version", "said"),
    [
        ("production", "v1.0.0", "v1.0.0 has never served in staging, which comes before production"),
        ("production", "v9.9.9", "churn has no version v9.9.9"),
        ("nowhere", None, "no environment 'nowhere'"),
    ],
)
def test_what_may_not_be_promoted(yard: MemoryYard, environment: str, version: str | None, said: str) -> None:
    with pytest.raises(ModelyardError, match=said):
        promoted(yard, environment, version)


def test_without_a_version_there_is_nothing_to_promote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    yard = memory_yard(tmp_path, monkeypatch)
    with pytest.raises(UsageError, match="churn has no version yet"):
        promoted(yard, "staging")
    with pytest.raises(UsageError, match="staging serves no version of churn"):
        promoted(yard)


def test_main_that_names_the_version_already_is_refused(yard: MemoryYard) -> None:
    yard.deploy_manifest("v1.1.0")
    with pytest.raises(Refused, match=r"v1\.1\.0"):
        promoted(yard)


def test_a_blocked_artifact_is_refused_until_it_is_readmitted(yard: MemoryYard) -> None:
    tag = yard.add_stage("v1.0.0", "production", blocked=digest_of("v1.1.0"), rollout="r")
    with pytest.raises(Refused, match=r"The artifact of v1\.1\.0 was rolled back in production: wanted") as refused:
        promoted(yard)
    assert f"list {tag} under readmit" in refused.value.remedy
    yard.deploy_manifest("v1.0.0", f"readmit: ['{tag}']\n")
    assert desired(promoted(yard)).version == "v1.1.0"


def test_bake_time_and_freezes_are_kept(yard: MemoryYard) -> None:
    config = (yard.root / "modelyard.yaml").read_text()
    for setting, said in (
        ("bake: 30d", "production requires 30d"),
        ("freezes: [{why: stocktaking, last: '2099-12-31'}]", "production is frozen until 2099-12-31: stocktaking"),
    ):
        changed = config.replace("name: production,", f"name: production, {setting},")
        yard.commit({"modelyard.yaml": changed}, setting)
        yard.reopen()
        with pytest.raises(Refused, match=said):
            promoted(yard)


def test_a_manual_gate_is_opened_up_to_a_weight(yard: MemoryYard) -> None:
    yard.deploy_manifest("v1.1.0", "rollout:\n  strategy: canary\n  steps: [{weight: 20, gate: manual}]\n")
    cleared = desired(promoted(yard, clear=20.0)).rollout.cleared
    assert cleared and (cleared.version, cleared.weight) == ("v1.1.0", 20.0)
    with pytest.raises(UsageError, match="churn is not deployed in staging"):
        promoted(yard, "staging", clear=20.0)


NAMES = st.from_regex(r"[a-zA-Z0-9_./-]{1,12}", fullmatch=True)


@given(NAMES, NAMES)
def test_the_place_of_a_deployment_file(environment: str, model: str) -> None:
    found = _place(f"deployments/{environment}/{model}.yaml")
    if is_name(environment) and is_name(model):
        assert found == (environment, model)
    else:
        assert found == ("", "")


@given(st.text(max_size=40))
def test_other_paths_have_no_place(path: str) -> None:
    found = _place(path)
    assert found == ("", "") or path == f"deployments/{found[0]}/{found[1]}.yaml"


@dataclass
class Comments:
    """A forge with one pull request and its comments."""

    head: str
    bodies: list[str] = field(default_factory=list)

    def pull(self, number: int) -> SimpleNamespace:
        return SimpleNamespace(number=number, head=self.head)

    def comments(self, number: int) -> list[Comment]:
        return [Comment(1, body, ours=True) for body in self.bodies]

    def write_comment(self, number: int, body: str, marker: str) -> None:
        assert marker in body
        self.bodies = [body]


def previewed(yard: MemoryYard, forge: Comments, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(module, "fetch_head", lambda git, pull: None)
    return preview(yard.checkout, forge, 7, {"staging", "production"}, NOW)  # type: ignore[arg-type]


def proposal(yard: MemoryYard, files: dict[str, bytes], drop: frozenset[str] = frozenset()) -> Comments:
    return Comments(yard.git.commit_on(yard.git.commit_of("HEAD"), files, "proposal", drop))


def test_a_pull_request_shows_what_merging_it_deploys(yard: MemoryYard, monkeypatch: pytest.MonkeyPatch) -> None:
    forge = proposal(yard, {FILE: b"model: churn\nversion: v1.1.0\n", "README.md": b"x"})
    assert previewed(yard, forge, monkeypatch) == "Posted the plan of 1 deployment(s) on pull request 7."
    [body] = forge.bodies
    assert (
        "## Merging changes 1 deployment" in body
        and "route all to v1.1.0" in body
        and body.startswith(f"{REPORT}\n\n{PLAN}\n")
    )
    assert yard.targets["production"].done == []


def test_a_removed_or_unreadable_deployment_is_shown_too(yard: MemoryYard, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"deployments/staging/churn.yaml": b"model: churn\nversion: [\n"}
    forge = proposal(yard, files, frozenset({FILE}))
    previewed(yard, forge, monkeypatch)
    assert "remove churn from production" in forge.bodies[0] and "failed: " in forge.bodies[0]


def test_a_pull_request_without_deployments_gets_no_plan_but_an_old_one_is_updated(
    yard: MemoryYard, monkeypatch: pytest.MonkeyPatch
) -> None:
    forge = proposal(yard, {"README.md": b"x"})
    assert previewed(yard, forge, monkeypatch) == "Pull request 7 changes no deployment." and not forge.bodies
    report = f"{REPORT}\n## ✅ churn may be merged\n"
    forge.bodies = [report]
    assert previewed(yard, forge, monkeypatch) == "Pull request 7 changes no deployment." and forge.bodies == [report]
    forge.bodies = [with_plan(report, f"{PLAN}\nold plan\n{PLAN_END}\n")]
    previewed(yard, forge, monkeypatch)
    [body] = forge.bodies
    assert body.startswith(report) and "## Merging changes nothing" in body and "old plan" not in body
