"""With what register signs: a key, or the OpenID token of a job whose identity modelyard.yaml trusts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from modelyard.errors import Refused
from modelyard.manifests.configuration import Identity, Signing
from modelyard.release import registration
from modelyard.signing import Signer

CANDIDATE: Any = SimpleNamespace(artifact=Path("model.txt"))
TRUSTED = Identity(identity="https://github.com/acme/models/.github/workflows/deploy.yml@refs/heads/main", issuer="x")


def view_of(signing: Signing) -> Any:
    return SimpleNamespace(
        checkout=SimpleNamespace(repository=SimpleNamespace(config=SimpleNamespace(signing=signing)))
    )


@pytest.fixture(autouse=True)
def job(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job without a key that may ask for an OpenID token, for the role of its cloud."""
    monkeypatch.delenv("MODELYARD_SIGNING_KEY", raising=False)
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token")


def test_a_token_for_the_cloud_signs_nothing_that_nobody_would_believe() -> None:
    with pytest.raises(Refused, match="there is no key or OpenID token to sign model"):
        registration._signature(view_of(Signing(keys=["keys/release.pub"])), CANDIDATE)


def test_a_trusted_identity_signs_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    signers: list[Signer] = []

    def sign(artifact: Path, signer: Signer) -> bytes:
        signers.append(signer)
        return b"signed"

    monkeypatch.setattr(registration, "sign", sign)
    assert registration._signature(view_of(Signing(identities=[TRUSTED])), CANDIDATE) == {"model.sig": b"signed"}
    assert signers == [Signer(keyless=True)]
