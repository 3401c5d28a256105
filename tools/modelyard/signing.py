"""Signing and verification of artifacts with OpenSSF model-signing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from modelyard.errors import ModelyardError, Refused, missing_extra
from modelyard.manifests.configuration import Identity

SIGNATURE = "model.sig"
KEY = "MODELYARD_SIGNING_KEY"
PASSWORD = "MODELYARD_SIGNING_KEY_PASSWORD"  # noqa: S105 - the variable's name


class KeptKey(Protocol):
    """An elliptic-curve key that a server keeps, and signs with."""

    @property
    def public(self) -> bytes:
        """The public key, PEM."""

    def sign(self, data: bytes) -> bytes:
        """The ECDSA signature (DER) of the data's hash."""


@dataclass(frozen=True)
class Signer:
    """The credentials for signing."""

    key: str = ""
    """A private elliptic-curve key in PEM, or the path of a PEM file."""
    password: str = ""
    keyless: bool = False
    """Whether the CI job can get an OpenID token, for keyless signing with Sigstore."""
    kept: KeptKey | None = None
    """A key that a server keeps, in place of ``key``."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Signer:
        """The signer that environment variables describe."""
        keyless = "ACTIONS_ID_TOKEN_REQUEST_TOKEN" in environment or "SIGSTORE_ID_TOKEN" in environment
        return cls(environment.get(KEY, ""), environment.get(PASSWORD, ""), keyless)

    @property
    def can_sign(self) -> bool:
        """Whether there is a key or an OpenID token."""
        return bool(self.key) or self.keyless or self.kept is not None


def sign(artifact: Path, signer: Signer) -> bytes:
    """A Sigstore bundle for an artifact, signed with the key if there is one, else keyless.

    Refused without either; ModelyardError when signing fails.
    """
    if not signer.can_sign:
        raise Refused(
            f"modelyard.yaml requires signed versions, and there is no key or OpenID token to sign {artifact.name}.",
            f"Set {KEY} to a private key (PEM, or its path), or give the CI job an OpenID token (id-token: write).",
        )
    signing = _library().signing
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        written = Path(scratch) / SIGNATURE
        try:
            if signer.kept:
                config = signing.Config()
                config._signer = _kept_signer(signer.kept)
            elif signer.key:
                key = _key_file(signer.key, Path(scratch))
                config = signing.Config().use_elliptic_key_signer(private_key=key, password=signer.password or None)
            else:
                config = signing.Config().use_sigstore_signer(use_ambient_credentials=True)
            config.sign(artifact, written)
        except ModelyardError:
            raise
        except Exception as error:  # the library passes on the exceptions of three backends
            raise ModelyardError(
                f"{artifact.name} could not be signed: {_first_line(error)}.",
                f"Check {KEY} (an elliptic-curve key in PEM), or the job's OpenID token.",
            ) from error
        return written.read_bytes()


def verify(artifact: Path, signature: bytes, keys: Sequence[Path], identities: Sequence[Identity]) -> str:
    """The file name of the key, or the identity, that signed an artifact. Refused when no trusted signer did.

    ModelyardError where that could not be judged, as without a key's file or without the network.
    """
    verifying = _library().verifying
    from sigstore.errors import TUFError

    reason, judged = "modelyard.yaml trusts no key and no identity", True
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        written = Path(scratch) / SIGNATURE
        written.write_bytes(signature)
        config = verifying.Config
        signers = [(key.name, partial(config().use_elliptic_key_verifier, public_key=key)) for key in keys]
        signers += [
            (one.identity, partial(config().use_sigstore_verifier, identity=one.identity, oidc_issuer=one.issuer))
            for one in identities
        ]
        for name, verifier in signers:
            try:
                verifier().verify(artifact, written)
                return name
            except (OSError, TUFError) as error:
                reason, judged = _first_line(error), False
            except Exception as error:
                reason = _first_line(error)
    if not judged:
        raise ModelyardError(
            f"The signature of {artifact.name} could not be checked: {reason}.",
            "Nothing was loaded. Check the keys that modelyard.yaml names and the network, and run it again.",
        )
    raise Refused(
        f"The signature of {artifact.name} is not valid: {reason}.",
        "Nothing was loaded. Register it again with a trusted key, or find out who changed the artifact.",
    )


def _kept_signer(kept: KeptKey) -> Any:
    """The library's own signer of elliptic-curve keys, whose key signs on its server.

    The library loads keys from files only, so its private attribute is set; the tests sign with the real library.
    """
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from model_signing._signing import sign_ec_key

    class Key:
        def public_key(self) -> Any:
            return load_pem_public_key(kept.public)

        def sign(self, data: bytes, algorithm: object) -> bytes:
            return kept.sign(data)

    signer: Any = sign_ec_key.Signer.__new__(sign_ec_key.Signer)
    signer._private_key = Key()
    return signer


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


def _first_line(error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0] or type(error).__name__
    return "the artifact differs from the signed one" if "mismatch" in first else first[:200].rstrip(".")
