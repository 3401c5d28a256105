"""What extras install, and what commands say where a package is missing."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from modelyard.flavors.discovery import BUILT_IN, every_flavor, flavor_named
from modelyard.flavors.interface import Fault, Options
from modelyard.flavors.signature import Input, Signature
from modelyard.installation.extras import extra_of_driver, extra_with, packages_of_extras

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIRED = [
    "click>=8",
    "numpy>=2; extra == 'serve'",
    "numpy>=2; extra == 'measure'",
    "xgboost-cpu>=3; (sys_platform != 'darwin') and extra == 'xgboost'",
    "xgboost>=3; (sys_platform == 'darwin') and extra == 'xgboost'",
]


def test_the_extra_of_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: REQUIRED)
    assert extra_with("numpy.linalg") == "measure"
    assert extra_with("click") is None and extra_with("unheard_of") is None


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("Install s3fs to access S3", ("s3", "s3fs")),
        ("Please install gcsfs to access Google Storage", ("gs", "gcsfs")),
        ("cannot import name 'x' from 'y'", None),
    ],
)
def test_the_driver_that_a_library_asks_for(said: str, found: tuple[str, str] | None) -> None:
    assert extra_of_driver(said) == found


@pytest.mark.parametrize(("platform", "package"), [("linux", "xgboost-cpu"), ("darwin", "xgboost")])
def test_what_another_platform_installs_is_not_missing_here(
    monkeypatch: pytest.MonkeyPatch, platform: str, package: str
) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: REQUIRED)
    monkeypatch.setattr(sys, "platform", platform)
    assert packages_of_extras()["xgboost"] == [package]


def test_every_flavor_is_an_entry_point_and_has_an_extra_with_its_library() -> None:
    ours = {flavor.name: flavor for flavor in every_flavor() if flavor.name in BUILT_IN}
    entries = {entry.name: entry.load() for entry in metadata.entry_points(group="modelyard.flavors")}
    assert {name: type(flavor) for name, flavor in ours.items()} == {name: entries[name] for name in ours}
    installed = PROJECT["optional-dependencies"]
    for flavor in ours.values():
        if flavor.packages:
            names = {requirement.split(">")[0] for requirement in installed[flavor.extra]}
            assert names & set(flavor.packages), flavor.name


def test_all_is_every_extra() -> None:
    extras = PROJECT["optional-dependencies"]
    named = {name for line in extras["all"] for name in line.partition("[")[2].rstrip("]").split(",")}
    assert named == extras.keys() - {"all", "demo"}


BLOCKED = """\
import sys
for name in sys.argv.pop(1).split(","):
    sys.modules[name] = None
from modelyard.cli import main
main()
"""


@pytest.mark.parametrize(
    ("missing", "arguments", "remedy"),
    [
        ("numpy", ["validate"], "pip install 'modelyard[plan]'"),
        ("numpy", ["evaluate", "wine"], "pip install 'modelyard[plan]'"),
    ],
)
def test_a_missing_package_is_one_sentence_with_the_command(
    missing: str, arguments: list[str], remedy: str, tmp_path: Path
) -> None:
    (tmp_path / "modelyard.yaml").write_text("toolkit: 0.1.0\nenvironments: [{name: staging}]\n")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, missing, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    said = done.stderr.strip().splitlines()
    assert done.returncode != 0 and len(said) == 2, done.stderr
    assert missing in said[0] and "not installed" in said[0] and remedy in said[1]


def archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("schema.json", "{}")


HEADS: dict[str, tuple[str, bytes]] = {
    "lightgbm": ("lightgbm", b"tree\n\nend of trees\n\nend of parameters\n"),
    "xgboost": ("xgboost", b'{"learner": {}}'),
    "catboost": ("catboost", b"CBM1"),
    "sklearn": ("skops", b""),
    "onnx": ("onnxruntime", b"\x08\x08\x12\x00"),
    "python": ("uv", b"any"),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_flavor_without_its_library_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    module, head = HEADS[name]
    artifact = tmp_path / "artifact"
    artifact.write_bytes(head)
    if name == "sklearn":
        archive(artifact)
    (tmp_path / "scorer.py").write_text("")
    (tmp_path / "needs.txt").write_text("")
    monkeypatch.setenv("MODELYARD_ENVIRONMENTS", str(tmp_path / "environments"))
    monkeypatch.setitem(sys.modules, module, None)
    signature = Signature("loan", "", "binary", (Input("amount", "float"),))
    with pytest.raises(Fault) as found:
        flavor_named(name).load(artifact, signature, Options(tmp_path, files=("scorer.py",), requirements="needs.txt"))
    assert module in found.value.problem and f"pip install 'modelyard[{name}]'" in found.value.remedy
