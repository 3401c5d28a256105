"""``env:NAME``: a variable of the job, which its CI fills from its own store."""

from __future__ import annotations

from collections.abc import Mapping

from modelyard.errors import ModelyardError


class EnvironmentStore:
    """The process's environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def read(self, place: str) -> str:
        """The variable of that name."""
        if place not in self._environ:
            raise ModelyardError(
                f"The environment variable {place} is not set.", f"Set it where this runs; env:{place} points at it."
            )
        return self._environ[place]
