"""Formats that run code and unknown formats reach no target, whatever their file names are."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from modelyard.checkout.artifacts import FetchedVersion
from modelyard.checkout.checkout import Checkout
from modelyard.checkout.trust import require_trusted
from modelyard.errors import Refused
from modelyard.files import sha256_of
from modelyard.signing import SIGNATURE, Signer, sign
from support.memory import ARTIFACT
from support.versions import add_version, opened
from support.yard import small_repository

PICKLE = b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07builtin\x94."


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return buffer.getvalue()


def fetched(folder: Path, content: bytes, verdict: str) -> tuple[Checkout, FetchedVersion]:
    """A version whose artifact ``model.txt`` holds ``content``."""
    small_repository(folder)
    artifact = folder.parent / "model.txt"
    artifact.write_bytes(content)
    add_version(folder, "churn", "v1.0.0", artifact=sha256_of(artifact), verdict=verdict, file=False)
    door = opened(folder)
    view = door.model("churn")
    return door, FetchedVersion(view.manifest, view.version("v1.0.0"), artifact, sha256_of(artifact), b"")


def signing(folder: Path, door: Checkout, found: FetchedVersion) -> Checkout:
    """Signs the artifact with a new key and files the signature; returns a clone that requires signatures."""
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / "keys").mkdir()
    (folder / "keys/a.pub").write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    door.evidence.file_evidence("churn", found.sha256, {}, {SIGNATURE: sign(found.artifact, Signer(pem))}, "signed")
    with (folder / "modelyard.yaml").open("a") as file:
        file.write("signing: {keys: [keys/a.pub]}\n")
    return opened(folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PICKLE, "a pickle, which can run code when it is loaded"),
        (zipped("archive/data.pkl"), "a pickle, which can run code when it is loaded"),
        (zipped("weights.bin"), "of an unknown format"),
        (b"\x78\x9c\x80\x04 a compressed something", "of an unknown format"),
        (b"", "of an unknown format"),
    ],
)
def test_formats_that_may_run_code_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    door, found = fetched(tmp_path / "yard", content, "pass")
    with pytest.raises(Refused, match=said):
        require_trusted(door, found)


@pytest.mark.parametrize("content", [ARTIFACT, zipped("schema.json")])
def test_formats_that_only_hold_numbers_pass(tmp_path: Path, content: bytes) -> None:
    door, found = fetched(tmp_path / "yard", content, "pass")
    require_trusted(door, found)


@pytest.mark.parametrize(
    ("verdict", "signs", "passes"),
    [("pass", True, False), ("waived", False, False), ("pass", False, False), ("waived", True, True)],
)
def test_a_pickle_needs_a_waiver_and_a_signature(tmp_path: Path, verdict: str, signs: bool, passes: bool) -> None:
    door, found = fetched(tmp_path / "yard", PICKLE, verdict)
    if signs:
        door = signing(tmp_path / "yard", door, found)
    if passes:
        require_trusted(door, found)
    else:
        with pytest.raises(Refused, match="a pickle"):
            require_trusted(door, found)
