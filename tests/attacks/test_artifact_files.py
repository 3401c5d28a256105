"""What an attacker tries with files that a command or the server reads: to crash it, or to end its process."""

from __future__ import annotations

import io
import struct
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from modelyard.checkout.trust import sniff_file
from modelyard.errors import ModelyardError
from modelyard.files import sha256_of
from modelyard.flavors import discovery, trial
from modelyard.flavors.catboost import CatBoost
from modelyard.flavors.interface import Fault, Options
from modelyard.flavors.signature import Input, Signature
from modelyard.predictions.layout import Layout, State, artifact_in
from modelyard.rollout.plan import Live, Traffic
from modelyard.scoring.scorer import LoadedArtifact
from modelyard.serving.models import ModelTable

SIGNATURE = Signature("m", "v1.0.0", "binary", (Input("x", "float"),))


def zipped() -> bytearray:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("schema.json", b"{}")
    return bytearray(buffer.getvalue())


def spoiled(what: str) -> bytes:
    content = zipped()
    central = content.index(b"PK\x01\x02")
    if what == "cut":
        return bytes(content[: len(content) // 2])
    if what == "version":
        content[central + 6 : central + 8] = struct.pack("<H", 99)
    elif what == "offset":
        content[-6:-2] = struct.pack("<I", 2**32 - 1)
    elif what == "name":
        content[central + 8 : central + 10] = struct.pack("<H", 0x800)
        content[central + 46 : central + 48] = b"\xff\xfe"
    elif what == "length":
        content[central + 28 : central + 30] = struct.pack("<H", 65_535)
    return bytes(content)


@pytest.mark.parametrize("what", ["cut", "version", "offset", "name", "length"])
def test_to_crash_a_command_with_a_corrupt_archive(tmp_path: Path, what: str) -> None:
    file = tmp_path / "model.skops"
    file.write_bytes(spoiled(what))
    try:
        sniff_file(file)
    except ModelyardError as error:
        assert "model.skops cannot be read: " in error.problem and error.remedy


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended its process with signal SIGSEGV"),
        ("import os; os._exit(7)", "ended its process with status 7"),
        ("import time; time.sleep(600)", "did not end within 1 s"),
    ],
)
def test_to_end_the_process_that_reads_a_format_which_cannot_be_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, said: str
) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{body}'\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(trial, "_SECONDS", 1.0 if "sleep" in body else 60.0)
    file = tmp_path / "model.cbm"
    file.write_bytes(b"CBM1")
    with pytest.raises(Fault, match=said):
        trial.try_out(discovery.flavor_named("catboost"), file, SIGNATURE, Options())


DEADLY = """
import os, signal, sys
from modelyard.flavors import trial
from modelyard.flavors.catboost import CatBoost

class Scorer:
    def score(self, columns):
        if (columns["x"] > 5).any():
            os.kill(os.getpid(), signal.SIGSEGV)

CatBoost.load = lambda *given: Scorer()
sys.argv = sys.argv[2:]
trial.main()
"""
"""A trial of a file whose model ends the process where x is above 5."""


def deadly(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, program = folder / "deadly.py", folder / "python"
    script.write_text(DEADLY)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {script} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def test_to_pass_the_trial_by_a_branch_that_nulls_do_not_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deadly(tmp_path, monkeypatch)
    file = tmp_path / "model.cbm"
    file.write_bytes(b"CBM1")
    with pytest.raises(Fault, match="ended its process with signal SIGSEGV"):
        trial.try_out(discovery.flavor_named("catboost"), file, SIGNATURE, Options())


def test_to_have_the_server_load_a_model_that_ends_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the environment holds what nobody scanned."""
    layout = Layout(tmp_path / "production")
    folder = layout.version_folder("m", "v1.0.0")
    artifact = artifact_in(folder, "model.cbm")
    artifact.parent.mkdir(parents=True)
    artifact.write_bytes(b"CBM1")
    manifest = {
        "name": "m", "description": "A model.", "owners": ["@team"], "task": "binary", "policy": "standard",
        "files": {"artifact": "model.cbm"},
        "contract": {"id": "id", "label": "label", "inputs": [{"name": "x", "type": "float"}]},
    }  # fmt: skip
    (folder / "model.yaml").write_text(yaml.safe_dump(manifest))
    installed = {"v1.0.0": sha256_of(artifact)}
    layout.write_state(State({"m": Live(Traffic("v1.0.0"), installed)}))
    monkeypatch.setattr(CatBoost, "check", lambda *given: None)
    monkeypatch.setattr(LoadedArtifact, "load", lambda *given, **named: pytest.fail("it was loaded in the server"))
    deadly(tmp_path, monkeypatch)
    table = ModelTable(layout, "127.0.0.1", 1)
    table.refresh()
    assert table.models == {} and "ended its process with signal SIGSEGV" in table.faults["m"]


@pytest.mark.parametrize("what", ["cut", "version", "offset", "name", "length"])
def test_to_end_a_trial_without_a_reason_by_a_corrupt_archive(tmp_path: Path, what: str) -> None:
    file = tmp_path / "model.skops"
    file.write_bytes(spoiled(what))
    with pytest.raises(Fault, match=r"model\.skops is not a valid skops file: ") as caught:
        discovery.flavor_named("sklearn").load(file, SIGNATURE, Options())
    assert caught.value.remedy
    if what == "version":
        with pytest.raises(Fault, match=r"its zip archive cannot be read: zip file version 9\.9\."):
            trial.try_out(discovery.flavor_named("sklearn"), file, SIGNATURE, Options())


@pytest.mark.parametrize(
    ("flavor", "content"),
    [
        ("xgboost", b'{"learner":{"gradient_booster":{"model":{"trees":[{"left_children":[99999999]}]}}}}'),
        ("xgboost", b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner" + b"\xff" * 64),
        ("catboost", b"CBM1" + b"\xff" * 256),
        ("onnx", b"\x08\x07\x12" + b"\xff" * 64),
    ],
)
def test_to_end_the_process_with_a_crafted_model(tmp_path: Path, flavor: str, content: bytes) -> None:
    file = tmp_path / "model"
    file.write_bytes(content)
    with pytest.raises(Fault) as caught:
        trial.try_out(discovery.flavor_named(flavor), file, SIGNATURE, Options())
    assert caught.value.remedy
