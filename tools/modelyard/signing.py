"""The one door to OpenSSF model-signing: signs an artifact, and says who signed it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelyard.errors import ModelyardError, Refused, missing_extra
from modelyard.manifests.configuration import Identity

SIGNATURE = "model.sig"
KEY = "MODELYARD_SIGNING_KEY"
PASSWORD = "MODELYARD_SIGNING_KEY_PASSWORD"  # noqa: S105 - the variable's name


@dataclass(frozen=True)
class Signer:
    """What there is to sign with."""

    key: str = ""
    """A private elliptic-curve key in PEM, or the path of a file that holds one."""
    password: str = ""
    keyless: bool = False
    """Whether the CI hands out OpenID tokens, which Sigstore turns into a certificate of an hour."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Signer:
        """What the environment offers."""
        keyless = "ACTIONS_ID_TOKEN_REQUEST_TOKEN" in environment or "SIGSTORE_ID_TOKEN" in environment
        return cls(environment.get(KEY, ""), environment.get(PASSWORD, ""), keyless)

    @property
    def can_sign(self) -> bool:
        """Whether it can sign at all."""
        return bool(self.key) or self.keyless


def sign(artifact: Path, signer: Signer) -> bytes:
    """A Sigstore bundle over the artifact: with the key where there is one, else keyless. Refused without either."""
    if not signer.can_sign:
        raise Refused(
            f"modelyard.yaml asks for signed versions, and there is nothing to sign {artifact.name} with.",
            f"Set {KEY} to a private key (PEM, or its path), or let the CI job have an OpenID token (id-token: write).",
        )
    signing = _library().signing
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        written = Path(scratch) / SIGNATURE
        try:
            if signer.key:
                key = _key_file(signer.key, Path(scratch))
                config = signing.Config().use_elliptic_key_signer(private_key=key, password=signer.password or None)
            else:
                config = signing.Config().use_sigstore_signer(use_ambient_credentials=True)
            config.sign(artifact, written)
        except Exception as error:  # the library raises what its three backends raise
            raise ModelyardError(
                f"{artifact.name} could not be signed: {_said(error)}.",
                f"Check {KEY} (an elliptic-curve key in PEM), or the job's OpenID token.",
            ) from error
        return written.read_bytes()


def verify(artifact: Path, signature: bytes, keys: Sequence[Path], identities: Sequence[Identity]) -> str:
    """Who signed these bytes: the key's path or the identity. Refused when nobody of those who may."""
    verifying = _library().verifying
    said = "it names none of the signers that modelyard.yaml trusts"
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        written = Path(scratch) / SIGNATURE
        written.write_bytes(signature)
        for key in keys:
            try:
                verifying.Config().use_elliptic_key_verifier(public_key=key).verify(artifact, written)
                return key.name
            except Exception as error:
                said = _said(error)
        for identity in identities:
            try:
                verifying.Config().use_sigstore_verifier(
                    identity=identity.identity, oidc_issuer=identity.issuer
                ).verify(artifact, written)
                return identity.identity
            except Exception as error:
                said = _said(error)
    raise Refused(
        f"The signature does not vouch for {artifact.name}: {said}.",
        "Nothing was loaded. Register it again with a key that modelyard.yaml trusts, or find out who changed it.",
    )


def _key_file(key: str, scratch: Path) -> Path:
    if "-----BEGIN" not in key:
        return Path(key)
    path = scratch / "key.pem"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key)
    return path


def _library() -> Any:
    try:
        import model_signing
    except ImportError as error:
        raise missing_extra("sign", "model-signing") from error
    return model_signing


def _said(error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0] or type(error).__name__
    return "the bytes are not those that were signed" if "mismatch" in first else first[:200].rstrip(".")
