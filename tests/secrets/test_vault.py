"""A real server of Vault's interface (OpenBao): logins, policies, and signatures with a key that never leaves it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from modelyard.errors import ModelyardError, Refused, UsageError
from modelyard.secrets.interface import Secrets
from modelyard.secrets.transit import is_transit, transit_key
from modelyard.signing import Signer, sign, verify
from support.vault import ROOT_TOKEN, vault_server

POLICY = """
path "kv/data/models/production" { capabilities = ["read"] }
path "transit/keys/models" { capabilities = ["read"] }
path "transit/sign/models/*" { capabilities = ["update"] }
path "transit/keys/unsigned" { capabilities = ["read"] }
path "transit/keys/symmetric" { capabilities = ["read"] }
"""
CLAIMS = {"repository": "acme/models", "ref": "refs/heads/main"}
KV = "vault:kv/models/production#token"
CI_KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """A server with a secret, keys, and a role for the CI's main branch."""
    with vault_server(tmp_path_factory.mktemp("vault") / "bao") as (address, client):
        client.sys.enable_secrets_engine("kv", path="kv", options={"version": "2"})
        for path in ("models/production", "models/staging"):
            client.secrets.kv.v2.create_or_update_secret(path, {"token": f"of {path}"}, mount_point="kv")
        client.sys.enable_secrets_engine("transit")
        for name, kind in (("models", "ecdsa-p256"), ("unsigned", "ecdsa-p384"), ("symmetric", "aes256-gcm96")):
            client.secrets.transit.create_key(name, key_type=kind)
        client.sys.create_or_update_policy("deploy", POLICY)
        client.sys.enable_auth_method("jwt", path="ci")
        public = CI_KEY.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        client.auth.jwt.configure(jwt_validation_pubkeys=[public.decode()], path="ci")
        client.auth.jwt.create_role(
            "deploy", role_type="jwt", user_claim="sub", bound_claims=CLAIMS, bound_audiences=["vault"],
            allowed_redirect_uris=[], token_policies=["deploy"], path="ci",
        )  # fmt: skip
        yield address, client


def job(address: str, **claims: str) -> dict[str, str]:
    """The environment of a CI job, whose OpenID token has these claims."""
    now = int(time.time())
    said = CLAIMS | {"sub": "repo:acme/models", "aud": "vault", "iat": now, "exp": now + 600} | claims
    token = jwt.encode(said, CI_KEY, algorithm="ES256")
    return {"VAULT_ADDR": address, "VAULT_ROLE": "deploy", "VAULT_JWT": token, "VAULT_AUTH_PATH": "ci"}


def test_a_job_of_the_main_branch_reads_what_its_policy_allows(server: tuple[str, Any]) -> None:
    address, _ = server
    secrets = Secrets(job(address))
    assert secrets.read(KV) == "of models/production"
    with pytest.raises(ModelyardError, match=r"refused to return vault:kv/models/staging#token \(Forbidden\)"):
        secrets.read("vault:kv/models/staging#token")
    with pytest.raises(ModelyardError, match="no text under that key"):
        secrets.read("vault:kv/models/production#other")
    assert Secrets({"VAULT_ADDR": address, "VAULT_TOKEN": ROOT_TOKEN}).read(KV) == "of models/production"


@pytest.mark.parametrize(
    "claims", [{"ref": "refs/heads/theirs"}, {"repository": "mallory/models"}, {"aud": "another"}], ids=str
)
def test_a_job_of_another_branch_or_repository_is_refused(server: tuple[str, Any], claims: dict[str, str]) -> None:
    environ = job(server[0], **claims)
    with pytest.raises(ModelyardError, match="refused the login of the role deploy") as told:
        Secrets(environ).read(KV)
    assert environ["VAULT_JWT"] not in str(told.value) and told.value.__cause__ is None


def test_a_token_that_is_wrong_or_of_another_issuer_is_refused(server: tuple[str, Any]) -> None:
    address, _ = server
    with pytest.raises(ModelyardError, match="refused to return"):
        Secrets({"VAULT_ADDR": address, "VAULT_TOKEN": "s.nobody"}).read(KV)
    other = jwt.encode(
        CLAIMS | {"sub": "x", "aud": "vault", "exp": int(time.time()) + 600},
        ec.generate_private_key(ec.SECP256R1()), algorithm="ES256",
    )  # fmt: skip
    with pytest.raises(ModelyardError, match="refused the login"):
        Secrets(job(address) | {"VAULT_JWT": other}).read(KV)


def test_a_key_of_the_transit_engine_signs_and_never_leaves_it(server: tuple[str, Any], tmp_path: Path) -> None:
    address, client = server
    artifact, other, public = tmp_path / "model.txt", tmp_path / "other.txt", tmp_path / "release.pub"
    artifact.write_bytes(b"tree\n")
    other.write_bytes(b"another tree\n")
    first = transit_key("vault:transit/models", job(address))
    signature = sign(artifact, Signer(kept=first))
    public.write_bytes(first.public)
    assert verify(artifact, signature, [public], []) == "release.pub"
    with pytest.raises(Refused, match="differs from the signed one"):
        verify(other, signature, [public], [])
    client.secrets.transit.rotate_key("models")
    second = transit_key("vault:transit/models", job(address))
    assert second.public != first.public, "a rotated key is another one, to be added to keys"
    assert verify(artifact, sign(artifact, Signer(kept=first)), [public], []) == "release.pub"
    with pytest.raises(Refused):
        verify(artifact, sign(artifact, Signer(kept=second)), [public], [])


@pytest.mark.parametrize(
    ("reference", "match"),
    [
        ("vault:transit/symmetric", "type aes256-gcm96, which signs no versions"),
        ("vault:transit/nobody", "refused to return the public key"),
        ("vault:kv/models", "refused to return the public key"),
    ],
)
def test_what_is_no_key_for_signing_is_refused(server: tuple[str, Any], reference: str, match: str) -> None:
    with pytest.raises(ModelyardError, match=match):
        transit_key(reference, job(server[0]))


def test_a_role_that_may_not_sign_is_refused(server: tuple[str, Any], tmp_path: Path) -> None:
    (tmp_path / "model.txt").write_bytes(b"tree\n")
    with pytest.raises(ModelyardError, match=r"refused to sign with vault:transit/unsigned \(Forbidden\)"):
        sign(tmp_path / "model.txt", Signer(kept=transit_key("vault:transit/unsigned", job(server[0]))))


@pytest.mark.parametrize(
    "reference", ["vault:models", "vault:/models", "vault:transit/", "vault:kv/x#y", "vault:../a/b"]
)
def test_a_reference_that_names_no_key_is_wrong_use(reference: str) -> None:
    assert is_transit(reference) and not is_transit("-----BEGIN PRIVATE KEY-----")
    with pytest.raises(UsageError, match="no key of a transit engine"):
        transit_key(reference, {"VAULT_ADDR": "http://127.0.0.1:9", "VAULT_TOKEN": "x"})
