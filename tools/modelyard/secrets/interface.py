"""References to secrets, and their reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from modelyard.errors import ModelyardError


class SecretStore(Protocol):
    """One kind of secret store. Errors name the reference, never the value."""

    def read(self, place: str) -> str:
        """The secret of a reference (given without its scheme); ModelyardError when there is none."""


class Secrets:
    """The secrets of references such as ``env:NAME``. Each is read once per command, when it is first needed."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._stores: dict[str, SecretStore] = {}
        self._read: dict[str, str] = {}

    def read(self, reference: str) -> str:
        """The secret of a reference; ModelyardError when there is none."""
        if reference not in self._read:
            scheme, _, place = reference.partition(":")
            value = self._store(scheme, reference).read(place)
            if not value:
                raise ModelyardError(f"The secret {reference} is empty.", "Store a value in it.")
            self._read[reference] = value
        return self._read[reference]

    def _store(self, scheme: str, reference: str) -> SecretStore:
        if scheme not in self._stores:
            from importlib.metadata import entry_points

            found = {entry.name: entry for entry in entry_points(group="modelyard.secrets")}
            if scheme not in found:
                raise ModelyardError(
                    f"No installed secret store reads the reference {reference}.",
                    f"Use one of: {', '.join(sorted(found))}.",
                )
            self._stores[scheme] = found[scheme].load()(self._environ)
        return self._stores[scheme]
