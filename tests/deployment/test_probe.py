"""Versions that gain traffic are asked for their registered answers; another answer takes traffic back."""

from __future__ import annotations

from pathlib import Path

import pytest
from modelyard.errors import ModelyardError
from modelyard.evidence.statement import write_statement
from modelyard.flavors.probe import Probe
from modelyard.rollout.plan import Traffic
from modelyard.scoring.probe import Probed
from modelyard.targets.interface import Health
from support.memory import MemoryYard, digest_of, memory_yard

SAME, OTHER = Probed(100, 100, 0.0), Probed(100, 97, 0.25)


def registered(folder: Path, patch: pytest.MonkeyPatch, *versions: str) -> MemoryYard:
    yard = memory_yard(folder, patch)
    for version in versions:
        yard.add_version(version)
        probe = write_statement("probe", "churn", digest_of(version), Probe({"x": (1.0,)}, (0.5,), 1e-9))
        yard.checkout.evidence.file_evidence("churn", digest_of(version), {"probe": probe}, {}, "evidence")
    yard.deploy_manifest(versions[0])
    return yard


def test_a_version_that_answers_as_registered_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    yard = registered(tmp_path, monkeypatch, "v1.0.0")
    yard.targets["production"].answers["v1.0.0"] = SAME
    delivered = yard.deploy()
    assert delivered.probes == ("v1.0.0: probe 100/100",) and delivered.fault == ""
    assert yard.deploy().probes == (), "nothing gained traffic"


def test_other_answers_take_traffic_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    yard = registered(tmp_path, monkeypatch, "v1.0.0", "v1.1.0")
    target = yard.targets["production"]
    target.answers |= {"v1.0.0": SAME, "v1.1.0": OTHER}
    yard.deploy()
    yard.deploy_manifest("v1.1.0")
    with pytest.raises(
        ModelyardError, match=r"churn v1.1.0 on its target does not give the registered scores for 3 of 100 probe rows"
    ):
        yard.deploy()
    assert target.models["churn"].traffic == Traffic("v1.0.0")
    assigned = yard.view().history.assigned("production")
    assert assigned and assigned.version == "v1.0.0", "no receipt says that v1.1.0 serves"


def test_a_first_version_with_other_answers_gets_no_traffic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    yard = registered(tmp_path, monkeypatch, "v1.0.0")
    yard.targets["production"].answers["v1.0.0"] = OTHER
    with pytest.raises(ModelyardError):
        yard.deploy()
    assert yard.targets["production"].models["churn"].traffic is None


def test_a_target_that_cannot_be_asked_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    yard = registered(tmp_path, monkeypatch, "v1.0.0")
    assert yard.deploy().probes == ("v1.0.0: probe not asked, the target cannot be asked",)
    yard.add_version("v2.0.0")
    yard.deploy_manifest("v2.0.0")
    assert yard.deploy().probes == ("v2.0.0: probe not asked, the version was registered without probe rows",)


@pytest.mark.parametrize(
    ("state", "fault"), [("down", "no server runs"), ("failed", "no server runs"), ("healthy", "")]
)
def test_a_version_that_does_not_answer_is_not_called_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, fault: str
) -> None:
    yard = registered(tmp_path, monkeypatch, "v1.0.0")
    yard.targets["production"].state = Health(state, "no server runs")  # type: ignore[arg-type]
    assert yard.deploy().fault == fault
    assert yard.deploy().fault == fault, "also when nothing is left to do"
