"""``vault:mount/name`` as a signing key: it stays in the transit engine of Vault or OpenBao, which signs with it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.errors import ModelyardError, UsageError
from modelyard.secrets.vault import VaultStore

_SCHEME = "vault:"
_HASHES = {"ecdsa-p256": "sha2-256", "ecdsa-p384": "sha2-384", "ecdsa-p521": "sha2-512"}


@dataclass(frozen=True)
class TransitKey:
    """An elliptic-curve key that never leaves its server."""

    reference: str
    public: bytes
    """The public key of the newest version, PEM."""
    _client: Any
    _version: int
    _hash: str

    def sign(self, data: bytes) -> bytes:
        """The ECDSA signature (DER) of the data's hash, whose size is that of the curve."""
        mount, name = _place(self.reference)
        body = {"input": base64.b64encode(data).decode(), "key_version": self._version, "marshaling_algorithm": "asn1"}
        try:
            said = self._client.adapter.post(f"/v1/{mount}/sign/{name}/{self._hash}", json=body)
            _, version, signature = said["data"]["signature"].split(":")
        except Exception as error:
            # Only the type of the error: a server's message may repeat what it was sent.
            raise ModelyardError(
                f"Vault refused to sign with {self.reference} ({type(error).__name__}).",
                "Check that the role's policy may update the path sign/ of that key.",
            ) from None
        if version != f"v{self._version}":
            raise ModelyardError(
                f"Vault signed with {version} of {self.reference}, not v{self._version}.", "Repeat it."
            )
        return base64.b64decode(signature)


def is_transit(key: str) -> bool:
    """Whether a signing key is the reference of a key in a transit engine."""
    return key.startswith(_SCHEME)


def transit_key(reference: str, environ: Mapping[str, str]) -> TransitKey:
    """The key of a reference, with the login of the secret store ``vault``.

    ModelyardError when it cannot be read, or is no elliptic-curve key that signs.
    """
    mount, name = _place(reference)
    client = VaultStore(environ).connected()
    try:
        said = client.adapter.get(f"/v1/{mount}/keys/{name}")["data"]
        kind, version = said["type"], int(said["latest_version"])
        public = said["keys"][str(version)]["public_key"] if kind in _HASHES else ""
    except Exception as error:
        raise ModelyardError(
            f"Vault refused to return the public key of {reference} ({type(error).__name__}).",
            "Check the mount and the name, and that the role's policy may read the path keys/ of that key.",
        ) from None
    if kind not in _HASHES:
        raise ModelyardError(
            f"{reference} is a key of the type {kind}, which signs no versions.", f"Make one of: {', '.join(_HASHES)}."
        )
    return TransitKey(reference, public.encode(), client, version, _HASHES[kind])


def _place(reference: str) -> tuple[str, str]:
    mount, _, name = reference.removeprefix(_SCHEME).rpartition("/")
    if not mount or not name or "#" in name or ".." in reference:
        raise UsageError(
            f"{reference} is no key of a transit engine.",
            "Write it as vault:MOUNT/NAME, such as vault:transit/models.",
        )
    return mount, name
