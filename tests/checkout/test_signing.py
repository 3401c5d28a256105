"""Signed versions with real artifacts: what deploy refuses, before anything is loaded."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from model_signing import verifying
from modelyard import signing
from modelyard.errors import ModelyardError, Refused
from modelyard.manifests.configuration import Identity
from sigstore.errors import TUFError
from support.sharing import copied, shared_folder
from support.vault import ROOT_TOKEN, vault_server
from support.versions import opened
from support.yard import commit_all, git, measure, tool

MODEL = "flight-delay"
APPROVED = "\n\nApproved-by: Grace Reviewer <grace@example.org>"


def private_key(path: Path) -> str:
    """A new private key as PEM; the public key is written to ``path``."""
    key = ec.generate_private_key(ec.SECP256R1())
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture(scope="session")
def signed_template(champion_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that requires signatures, with a candidate that passes the gate; the private key is beside it."""

    def build(folder: Path) -> None:
        repository = copied(champion_template.parent, folder) / "repository"
        (folder / "release.pem").write_text(private_key(repository / "keys/release.pub"))
        config = repository / "modelyard.yaml"
        config.write_text(config.read_text() + "signing:\n  keys: [keys/release.pub]\n")
        params = repository / f"models/{MODEL}/params.yaml"
        params.write_text(params.read_text().replace("trees: 40", "trees: 50"))
        commit_all(repository, "Sign versions, and more trees")
        measure(repository)

    return shared_folder(tmp_path_factory, "signed", build)


@pytest.fixture
def signed(signed_template: Path, tmp_path: Path) -> tuple[Path, str]:
    """A copy of that repository, to be changed, and its private key."""
    folder = copied(signed_template, tmp_path / "signed")
    return folder / "repository", (folder / "release.pem").read_text()


def test_versions_are_signed_and_deploy_checks_the_bytes(signed: tuple[Path, str]) -> None:
    folder, pem = signed
    done = tool(folder, "register", MODEL, expect=1)
    assert "no key or OpenID token" in done.stderr and "MODELYARD_SIGNING_KEY" in done.stderr
    assert f"{MODEL}@v1.1.0" not in git(folder, "tag")
    done = tool(folder, "register", MODEL, MODELYARD_SIGNING_KEY=pem)
    assert done.stdout == f"{MODEL}@v1.1.0\n" and "PRIVATE" not in done.stderr
    tool(folder, "deploy", "--env", "staging")
    everything = b"".join(opened(folder).evidence.filed().values())
    assert b"PRIVATE KEY" not in everything
    # v1.0.0 was registered before signatures were required. It cannot be deployed again without one.
    (folder / f"deployments/staging/{MODEL}.yaml").write_text(f"model: {MODEL}\nversion: v1.0.0\n")
    commit_all(folder, f"Back{APPROVED}")
    (folder / ".modelyard/local/staging").exists()
    shutil.rmtree(folder / ".modelyard/local/staging")
    assert "has no signature" in tool(folder, "deploy", "--env", "staging", expect=1).stderr


@pytest.mark.parametrize("attack", ["other key", "other bytes", "no json"])
def test_an_invalid_signature_is_refused(signed: tuple[Path, str], attack: str, tmp_path: Path) -> None:
    folder, pem = signed
    other = private_key(tmp_path / "keys/other.pub")
    tool(folder, "register", MODEL, MODELYARD_SIGNING_KEY=other if attack == "other key" else pem)
    door = opened(folder)
    path = next(path for path in door.evidence.filed() if path.endswith("/model.sig"))
    if attack == "no json":
        door.evidence.append({path: b"{}"}, "damage")
    elif attack == "other bytes":
        from modelyard.signing import Signer, sign

        forged = tmp_path / "model.txt"
        forged.write_text("tree\nforged\n")
        door.evidence.append({path: sign(forged, Signer(pem))}, "a signature of ours, over other bytes")
    done = tool(folder, "deploy", "--env", "staging", expect=1)
    assert "The signature of model.txt is not valid" in done.stderr and "Nothing was loaded" in done.stderr
    assert "v1.0.0" in tool(folder, "status", "--env", "staging").stdout
    [incident] = opened(folder).evidence.filed("incidents/").values()
    assert f"The artifact of {MODEL}@v1.1.0 cannot be trusted: The signature of model.txt" in incident.decode()


def test_a_signature_that_could_not_be_judged_is_no_incident(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as without the key's file, or without the network: nothing shows that anybody changed anything."""
    artifact, identity = tmp_path / "model.txt", Identity(identity="ci@example.org", issuer="https://issuer.example")
    artifact.write_text("tree\n")
    signature = signing.sign(artifact, signing.Signer(private_key(tmp_path / "release.pub")))
    with pytest.raises(ModelyardError, match="could not be checked") as failed:
        signing.verify(artifact, signature, [tmp_path / "gone.pub"], [])
    assert not isinstance(failed.value, Refused)

    def offline(*_: object, **__: object) -> None:
        raise TUFError("Failed to refresh TUF metadata")

    monkeypatch.setattr(verifying.Config, "use_sigstore_verifier", offline)
    with pytest.raises(ModelyardError, match="could not be checked: Failed to refresh TUF") as failed:
        signing.verify(artifact, signature, [], [identity])
    assert not isinstance(failed.value, Refused)
    assert signing.verify(artifact, signature, [tmp_path / "release.pub"], [identity]) == "release.pub"


def test_tags_are_signed_and_unsigned_ones_are_refused(signed: tuple[Path, str], tmp_path: Path) -> None:
    folder, pem = signed
    key = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = key.with_suffix(".pub").read_text()
    (folder / "keys/allowed_signers").write_text(f"ada@example.org {public}")
    config = folder / "modelyard.yaml"
    config.write_text(config.read_text() + "  allowed_signers: keys/allowed_signers\n")
    commit_all(folder, "Sign tags too")
    git(folder, "config", "gpg.format", "ssh")
    git(folder, "config", "user.signingkey", str(key))
    tool(folder, "register", MODEL, MODELYARD_SIGNING_KEY=pem)
    assert "SSH SIGNATURE" in git(folder, "cat-file", "tag", f"{MODEL}@v1.1.0")
    tool(folder, "deploy", "--env", "staging")
    assert "SSH SIGNATURE" in git(folder, "cat-file", "tag", f"{MODEL}#staging#3")
    assert tool(folder, "history", MODEL).stdout.count("v1.1.0") >= 2, "a signature does not hide the record"
    (folder / "keys/allowed_signers").write_text(f"eve@example.org {public.replace('AAAA', 'AAAB', 1)}")
    commit_all(folder, "Another signer")
    shutil.rmtree(folder / ".modelyard/local/staging")
    assert "has no valid signature of a signer" in tool(folder, "deploy", "--env", "staging", expect=1).stderr


def test_register_signs_with_a_key_that_vault_keeps_and_deploy_takes_it(
    signed: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = signed
    with vault_server(tmp_path / "bao") as (address, client):
        client.sys.enable_secrets_engine("transit")
        client.secrets.transit.create_key("models", key_type="ecdsa-p256")
        public = client.secrets.transit.read_key("models")["data"]["keys"]["1"]["public_key"]
        (folder / "keys/release.pub").write_text(public)
        commit_all(folder, f"The key of the server{APPROVED}")
        monkeypatch.setenv("MODELYARD_SIGNING_KEY", "vault:transit/models")
        monkeypatch.setenv("VAULT_ADDR", address)
        wrong = tool(folder, "register", MODEL, expect=4, VAULT_TOKEN="nobody")
        assert "refused to return the public key of vault:transit/models" in wrong.stderr
        done = tool(folder, "register", MODEL, VAULT_TOKEN=ROOT_TOKEN)
    assert done.stdout == f"{MODEL}@v1.1.0\n" and ROOT_TOKEN not in done.stderr
    tool(folder, "deploy", "--env", "staging")
