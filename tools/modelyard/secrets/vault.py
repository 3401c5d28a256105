"""``vault:mount/path#key``: HashiCorp Vault's key-value store, version 2, through hvac.

It logs in with ``VAULT_TOKEN``, or with CI's token: ``VAULT_JWT`` and ``VAULT_ROLE``, at ``VAULT_AUTH_PATH`` (jwt).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard.errors import ModelyardError, UsageError, missing_extra

_TIMEOUT = 20


class VaultStore:
    """One Vault server, named by ``VAULT_ADDR``."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._client: Any = None

    def read(self, place: str) -> str:
        """The value of a key in the newest version of a secret."""
        path, _, key = place.partition("#")
        mount, _, name = path.partition("/")
        if not name or not key:
            raise UsageError(f"vault:{place} is not a valid reference.", "Write it as vault:mount/path#key.")
        client = self.connected()
        try:
            said = client.secrets.kv.v2.read_secret_version(path=name, mount_point=mount, raise_on_deleted_version=True)
        except Exception as error:
            # Only the type of the error: a server's message may repeat what it was sent.
            raise ModelyardError(
                f"Vault refused to return vault:{place} ({type(error).__name__}).",
                "Check the path, and that the role's policy may read it.",
            ) from None
        value = said["data"]["data"].get(key)
        if not isinstance(value, str):
            raise ModelyardError(f"The secret of vault:{place} has no text under that key.", "Check the key's name.")
        return value

    def connected(self) -> Any:
        """hvac's client, logged in."""
        if self._client is not None:
            return self._client
        try:
            import hvac
        except ImportError as error:
            raise missing_extra("vault", "hvac") from error
        address = self._environ.get("VAULT_ADDR")
        if not address:
            raise UsageError("VAULT_ADDR is not set.", "Set it to the URL of the Vault server.")
        client = hvac.Client(
            url=address, token=self._environ.get("VAULT_TOKEN"), namespace=self._environ.get("VAULT_NAMESPACE"),
            timeout=_TIMEOUT,
        )  # fmt: skip
        if not client.token:
            self._log_in(client)
        self._client = client
        return client

    def _log_in(self, client: Any) -> None:
        role, token = self._environ.get("VAULT_ROLE"), self._environ.get("VAULT_JWT")
        if not role or not token:
            raise UsageError(
                "Neither VAULT_TOKEN nor VAULT_JWT with VAULT_ROLE is set.",
                "Give the job an OpenID token (GitHub: permissions: id-token: write) as VAULT_JWT.",
            )
        try:
            client.auth.jwt.jwt_login(role=role, jwt=token, path=self._environ.get("VAULT_AUTH_PATH", "jwt"))
        except Exception as error:
            raise ModelyardError(
                f"Vault refused the login of the role {role} ({type(error).__name__}).",
                "Check that the role's bound claims match this repository and branch.",
            ) from None
