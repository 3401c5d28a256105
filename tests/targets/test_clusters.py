"""KServe and Seldon Core: what is written, against CRD schemas and an API server of the tests; no cluster runs here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from modelyard.errors import ModelyardError, UsageError
from modelyard.files import sha256_of
from modelyard.rollout.plan import Action, Traffic
from modelyard.targets.interface import Package, Target
from msgspec.structs import replace
from support.cluster import FakeCluster, cluster
from support.models import train
from support.packages import Made, carry, take_off, target_of

CRDS = Path(__file__).parent / "crds"
TOKEN = "cluster-canary-77aa"


@pytest.fixture
def api() -> Iterator[tuple[str, FakeCluster]]:
    with cluster(TOKEN) as running:
        yield running


def kserve(url: str, tmp_path: Path, **settings: Any) -> Target:
    known: dict[str, Any] = {"server": url, "storage": f"file://{tmp_path}/store", "token": "env:KUBE", "ready_seconds": 5,
             "crd": str(CRDS / "inferenceservices.yaml")}  # fmt: skip
    return target_of("kserve", tmp_path, secrets={"KUBE": TOKEN}, **(known | settings))


def seldon(url: str, tmp_path: Path, **settings: Any) -> Target:
    known: dict[str, Any] = {"server": url, "storage": f"file://{tmp_path}/store", "token": "env:KUBE", "ready_seconds": 5,
             "model_crd": str(CRDS / "models.yaml"), "experiment_crd": str(CRDS / "experiments.yaml")}  # fmt: skip
    return target_of("seldon", tmp_path, secrets={"KUBE": TOKEN}, **(known | settings))


def test_a_canary_on_kserve_step_by_step(api: tuple[str, FakeCluster], made: dict[str, Made], tmp_path: Path) -> None:
    url, state = api
    target = kserve(url, tmp_path, resources={"cpu": "500m", "memory": "1Gi", "gpu": 1})
    carry(target, made, Traffic("v1.0.0"))
    predictor = state.kept["inferenceservices", "churn"]["spec"]["predictor"]
    assert predictor["minReplicas"] == 0, "nobody asks, nothing runs"
    assert predictor["model"]["resources"]["limits"] == {"cpu": "500m", "memory": "1Gi", "nvidia.com/gpu": "1"}
    assert "canaryTrafficPercent" not in predictor
    assert (tmp_path / "store/churn/v1.0.0/artifact/model.txt").read_bytes() == made[
        "v1.0.0"
    ].package.artifact.read_bytes()
    for weight in (5.0, 50.0):
        carry(target, made, Traffic("v1.0.0", "v1.1.0", weight, salt="r"))
        predictor = state.kept["inferenceservices", "churn"]["spec"]["predictor"]
        assert predictor["canaryTrafficPercent"] == weight and predictor["model"]["storageUri"].endswith("churn/v1.1.0")
    assert target.health("churn", "v1.1.0").state == "healthy"
    carry(target, made, Traffic("v1.0.0"), frozenset({"v1.1.0"}))
    assert "canaryTrafficPercent" not in state.kept["inferenceservices", "churn"]["spec"]["predictor"]
    carry(target, made, Traffic("v1.1.0"))
    assert not (tmp_path / "store/churn/v1.0.0").exists()
    take_off(target)
    assert state.kept == {} and TOKEN not in "".join(state.log)


def test_a_replica_asks_for_what_the_version_names_unless_the_environment_does(
    api: tuple[str, FakeCluster], made: dict[str, Made], tmp_path: Path
) -> None:
    url, state = api
    plain = made["v1.0.0"].package
    hungry = replace(made["v1.1.0"].package, manifest=plain.manifest + b"resources: {cpu: 2.5, memory: 4Gi, gpu: 1}\n")

    def asked() -> dict[str, str]:
        found: dict[str, str] = state.kept["inferenceservices", "churn"]["spec"]["predictor"]["model"]["resources"][
            "limits"
        ]
        return found

    first = kserve(url, tmp_path)
    for package in (plain, hungry):
        first.apply("churn", Action("install", package.version), package)
        first.apply("churn", Action("route", package.version, Traffic(package.version)), None)
        own = {"cpu": "2.5", "memory": "4Gi", "nvidia.com/gpu": "1"}
        assert asked() == (own if package is hungry else {"cpu": "1", "memory": "2Gi"})
    again = kserve(url, tmp_path, resources={"memory": "8Gi", "gpu": 0})  # another run, which copies nothing
    again.apply("churn", Action("route", "v1.1.0", Traffic("v1.1.0", salt="x")), None)
    assert asked() == {"cpu": "2.5", "memory": "8Gi"}
    again.apply("churn", Action("route", "v1.0.0", Traffic("v1.0.0", salt="y")), None)
    assert asked() == {"cpu": "1", "memory": "8Gi"}, "a version back is asked for as it was"
    notes = state.kept["inferenceservices", "churn"]["metadata"]["annotations"]
    [note] = [key for key in notes if "/resources-v1.1.0" in key]
    notes[note] = "many"
    with pytest.raises(ModelyardError, match="is not what modelyard wrote"):
        again.apply("churn", Action("route", "v1.1.0", Traffic("v1.1.0", salt="z")), None)


def test_traffic_that_somebody_else_moved_is_observed(
    api: tuple[str, FakeCluster], made: dict[str, Made], tmp_path: Path
) -> None:
    url, state = api
    target = kserve(url, tmp_path)
    carry(target, made, Traffic("v1.0.0"))
    carry(target, made, Traffic("v1.0.0", "v1.1.0", 25.0))
    state.kept["inferenceservices", "churn"]["spec"]["predictor"]["canaryTrafficPercent"] = 0
    traffic = target.observe()["churn"].traffic
    assert traffic and traffic.weight == 0


def test_after_a_conflict_the_resource_is_read_again_and_not_overwritten(
    api: tuple[str, FakeCluster], made: dict[str, Made], tmp_path: Path
) -> None:
    url, state = api
    target = kserve(url, tmp_path)
    carry(target, made, Traffic("v1.0.0"))
    state.foreign_writes = 2
    state.kept["inferenceservices", "churn"]["metadata"]["annotations"]["team"] = "risk"
    carry(target, made, Traffic("v1.1.0"))
    assert state.kept["inferenceservices", "churn"]["metadata"]["annotations"]["team"] == "risk", "others' notes stay"
    state.foreign_writes = 99
    with pytest.raises(ModelyardError, match="changed by another writer at every attempt"):
        target.apply("churn", Action("route", "v1.1.0", Traffic("v1.1.0", salt="x")), None)


def test_a_revision_that_is_never_ready_is_reported_with_its_condition(
    api: tuple[str, FakeCluster], made: dict[str, Made], tmp_path: Path
) -> None:
    url, state = api
    state.fails = "RevisionFailed"
    target = kserve(url, tmp_path, ready_seconds=1)
    target.apply("churn", Action("install", "v1.0.0"), made["v1.0.0"].package)
    with pytest.raises(ModelyardError, match="did not become ready within 1 s: Ready: RevisionFailed"):
        target.apply("churn", Action("route", "v1.0.0", Traffic("v1.0.0")), None)
    assert target.health("churn", "v1.0.0").state == "unknown"


def test_kserve_shares_traffic_only_with_the_last_version(
    api: tuple[str, FakeCluster], made: dict[str, Made], tmp_path: Path
) -> None:
    target = kserve(api[0], tmp_path)
    carry(target, made, Traffic("v1.0.0"))
    with pytest.raises(ModelyardError, match=r"with the last version, v1\.0\.0, and not with v0\.9\.0"):
        target.apply("churn", Action("route", "v1.1.0", Traffic("v0.9.0", "v1.1.0", 5.0)), None)


def test_a_resource_that_the_crd_forbids_is_not_sent(
    api: tuple[str, FakeCluster], made: dict[str, Made], tmp_path: Path
) -> None:
    crd = tmp_path / "crd.yaml"
    crd.write_text((CRDS / "inferenceservices.yaml").read_text().replace("scaleMetric:", "scaledMetric:"))
    target = kserve(api[0], tmp_path, crd=str(crd))
    with pytest.raises(ModelyardError, match=r"forbids spec\.predictor.*scaleMetric"):
        target.apply("churn", Action("route", "v1.0.0", Traffic("v1.0.0")), None)
    crd.write_text("nothing: 1\n")
    with pytest.raises(UsageError, match="is not a valid CRD of"):
        target.apply("churn", Action("route", "v1.0.0", Traffic("v1.0.0")), None)
    assert api[1].kept == {}


def test_a_wrong_token_and_an_unreachable_cluster(api: tuple[str, FakeCluster], tmp_path: Path) -> None:
    wrong = target_of(
        "kserve", tmp_path, secrets={"KUBE": "other"}, server=api[0], storage="file:///x", token="env:KUBE"
    )
    with pytest.raises(ModelyardError, match="Kubernetes answered 401") as told:
        wrong.observe()
    assert "other" not in str(told.value)
    away = target_of("kserve", tmp_path, server="http://127.0.0.1:9", storage="file:///x")
    with pytest.raises(ModelyardError, match="does not answer"):
        away.observe()


def test_seldon_shares_and_mirrors(api: tuple[str, FakeCluster], made: dict[str, Made], tmp_path: Path) -> None:
    url, state = api
    target = seldon(url, tmp_path)
    carry(target, made, Traffic("v1.0.0"))
    assert state.kept["models", "churn-v1-0-0"]["spec"]["storageUri"].endswith("/store/churn/v1.0.0")
    carry(target, made, Traffic("v1.0.0", "v1.1.0", 0.0, mirror=True))
    assert state.kept["experiments", "churn"]["spec"] == {
        "default": "churn-v1-0-0", "candidates": [{"name": "churn-v1-0-0", "weight": 100}],
        "mirror": {"name": "churn-v1-1-0", "percent": 100},
    }  # fmt: skip
    carry(target, made, Traffic("v1.0.0", "v1.1.0", 20.0))
    assert state.kept["experiments", "churn"]["spec"]["candidates"] == [
        {"name": "churn-v1-0-0", "weight": 80}, {"name": "churn-v1-1-0", "weight": 20}]  # fmt: skip
    assert target.health("churn", "v1.1.0").state == "healthy"
    state.kept["experiments", "churn"]["spec"]["candidates"][1]["weight"] = 50
    edited = target.observe()["churn"].traffic
    assert edited is not None and edited.candidate == "", "an edit by hand is not taken for ours"
    carry(target, made, Traffic("v1.1.0"))
    take_off(target)
    assert state.kept == {}


FLAVORS = ("lightgbm", "xgboost", "catboost", "sklearn", "onnx", "python")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Package]:
    """A version of each flavor."""
    folder = tmp_path_factory.mktemp("kept")
    found = {}
    for flavor in FLAVORS:
        model = train(folder, flavor, "regression")
        manifest = (model.folder / "model.yaml").read_bytes()
        artifact = model.folder / yaml.safe_load(manifest)["files"]["artifact"]
        files = {"src/scorer.py": (model.folder / "src/scorer.py").read_bytes()} if flavor == "python" else {}
        found[flavor] = Package(model.name, "v1.0.0", artifact, sha256_of(artifact), manifest, files=files)
    return found


@pytest.mark.parametrize("flavor", FLAVORS)
def test_the_crd_of_kserve_allows_what_is_written_for_every_flavor(
    api: tuple[str, FakeCluster], kept: dict[str, Package], tmp_path: Path, flavor: str
) -> None:
    url, state = api
    package = kept[flavor]
    target = kserve(url, tmp_path, image="registry.example/{model}:{version}")
    for action in (Action("install", "v1.0.0"), Action("route", "v1.0.0", Traffic("v1.0.0"))):
        target.apply(package.model, action, package)
    predictor = state.kept["inferenceservices", package.model]["spec"]["predictor"]
    if flavor in ("lightgbm", "xgboost"):
        assert predictor["model"]["modelFormat"] == {"name": flavor}
        settings = json.loads((tmp_path / f"store/{package.model}/v1.0.0/model-settings.json").read_text())
        assert settings["implementation"].endswith("_mlserver.Runtime"), "our runtime, which checks the probe"
    else:
        [container] = predictor["containers"]
        assert container["image"] == f"registry.example/{package.model}:v1.0.0" and "model" not in predictor


def test_a_flavor_without_a_server_in_kserve_asks_for_an_image(
    api: tuple[str, FakeCluster], kept: dict[str, Package], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="has no server for the flavor of sklearn-regression") as told:
        kserve(api[0], tmp_path).apply("sklearn-regression", Action("install", "v1.0.0"), kept["sklearn"])
    assert "modelyard package" in told.value.remedy and api[1].kept == {}


@pytest.mark.parametrize("flavor", ["lightgbm", "xgboost", "onnx"])
def test_the_crd_of_seldon_allows_what_is_written_for_every_flavor_it_serves(
    api: tuple[str, FakeCluster], kept: dict[str, Package], tmp_path: Path, flavor: str
) -> None:
    url, state = api
    package = kept[flavor]
    seldon(url, tmp_path).apply(package.model, Action("install", "v1.0.0"), package)
    spec = state.kept["models", f"{package.model}-v1-0-0"]["spec"]
    assert spec["requirements"][0] == "mlserver" and spec["storageUri"].endswith(f"/store/{package.model}/v1.0.0")


def test_a_model_is_known_by_its_own_name_and_two_cannot_share_one(
    api: tuple[str, FakeCluster], made: dict[str, Made], tmp_path: Path
) -> None:
    target = kserve(api[0], tmp_path)
    target.apply("flight_delay", Action("install", "v1.0.0"), made["v1.0.0"].package)
    target.apply("flight_delay", Action("route", "", Traffic("v1.0.0")), None)
    seen = target.observe()
    assert seen.keys() == {"flight_delay"} and seen["flight_delay"].installed.keys() == {"v1.0.0"}
    with pytest.raises(ModelyardError, match="belongs to the model flight_delay"):
        target.apply("flight-delay", Action("route", "", Traffic("v1.0.0")), None)
