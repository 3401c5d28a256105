"""``env:NAME``: an environment variable, which CI sets from its own secret store."""

from __future__ import annotations

from collections.abc import Mapping

from modelyard.errors import ModelyardError


class EnvironmentStore:
    """The environment of this process."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def read(self, place: str) -> str:
        """The variable of that name."""
        if place not in self._environ:
            raise ModelyardError(
                f"The environment variable {place} is not set.",
                f"Set it for this command; the reference env:{place} needs it.",
            )
        return self._environ[place]
