from __future__ import annotations

import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from support.server import request, serving
from support.yard import tool

MODEL = "flight-delay"


def test_a_packaged_version_serves_and_has_an_sbom(champion_template: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    listed = tool(champion_template, "package", f"{MODEL}@v1.0.0", "--out", str(image)).stdout.split()
    assert {
        "Containerfile",
        "sbom.cdx.json",
        "requirements/serving.txt",
        "requirements/toolkit.txt",
        "modelyard.yaml",
    } <= set(listed)
    content = (image / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(content) is None
    bill = json.loads(content)
    sha256 = bill["metadata"]["component"]["hashes"][0]["content"]
    assert bill["metadata"]["component"]["type"] == "machine-learning-model"
    assert any(part.get("purl", "").startswith("pkg:pypi/lightgbm@") for part in bill["components"])
    assert any(part["name"] == "data/flights" and part["type"] == "data" for part in bill["components"])
    assert sha256 in (image / "Containerfile").read_text() and "USER 10001" in (image / "Containerfile").read_text()
    again = tmp_path / "again"
    tool(champion_template, "package", MODEL, "--out", str(again))
    assert (again / "sbom.cdx.json").read_text() == content, "the same version, the same bytes"
    assert "is not empty" in tool(champion_template, "package", MODEL, "--out", str(again), expect=2).stderr
    config = image / "modelyard.yaml"
    assert "MODELYARD_TOKEN is not set" in tool(image, "serve", "--env", "container", expect=4).stderr
    config.write_text(config.read_text().replace("host: 0.0.0.0", "host: 127.0.0.1"))  # what the container runs, here
    with serving(image, "container", MODELYARD_TOKEN="t") as server:
        assert server.call("GET", "/v2/health/ready") == (200, {"ready": True}), "more is told with a token"
        assert server.call("POST", f"/v2/models/{MODEL}/infer", request())[0] == 401


@pytest.mark.parametrize("name", ["nobody", f"{MODEL}@v9.9.9"])
def test_an_unknown_model_or_version_is_wrong_usage(champion_template: Path, tmp_path: Path, name: str) -> None:
    assert tool(champion_template, "package", name, "--out", str(tmp_path / "x"), expect=2).stderr
