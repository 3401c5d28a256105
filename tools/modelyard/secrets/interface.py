"""References to secrets, and their reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from modelyard.adapters import installed
from modelyard.errors import ModelyardError, Refused


class SecretStore(Protocol):
    """One kind of secret store. Errors name the reference, never the value."""

    def read(self, place: str) -> str:
        """The secret of a reference (given without its scheme); ModelyardError when there is none."""


class Secrets:
    """The secrets of references such as ``env:NAME``. Each is read once per command, when it is first needed."""

    def __init__(self, environ: Mapping[str, str], why_not: Callable[[str, str], str] | None = None) -> None:
        """``why_not`` says why a reference may not be sent to a URL ('' if it may); None allows every URL."""
        self._environ, self._why_not = environ, why_not
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

    def read_for(self, reference: str, url: str) -> str:
        """A secret that is sent to a server; Refused unless its host may get it."""
        why = self._why_not(reference, url) if self._why_not else ""
        if why:
            raise Refused(
                f"The secret {reference} was not sent to {url}: {why}.",
                f"If that host may have it, add to modelyard.yaml: secrets: {{allow: [{{ref: {reference}, host: …}}]}}",
            )
        return self.read(reference)

    def _store(self, scheme: str, reference: str) -> SecretStore:
        if scheme not in self._stores:
            found = installed("secrets")
            if scheme not in found:
                raise ModelyardError(
                    f"No installed secret store reads the reference {reference}.",
                    f"Use one of: {', '.join(sorted(found))}.",
                )
            self._stores[scheme] = found[scheme].load()(self._environ)
        return self._stores[scheme]
