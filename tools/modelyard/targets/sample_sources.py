"""Samples of a rollout from a metrics system, for targets that keep none themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from modelyard.adapters import adapter
from modelyard.manifests.configuration import Environment
from modelyard.secrets.interface import Secrets

if TYPE_CHECKING:
    from modelyard.rollout.analysis import Samples

_VERSION = re.compile(r"v(\d+)[.-](\d+)[.-](\d+)(?!\d)")


class SampleSource(Protocol):
    """One metrics system. ModelyardError where it cannot be asked."""

    def samples(self, model: str, since: float) -> Mapping[str, Samples]:
        """Version → its samples since a moment (seconds since 1970)."""


def open_source(environment: Environment, secrets: Secrets) -> SampleSource:
    """The adapter of an environment's ``samples``, by the entry point that it names."""
    assert environment.samples is not None  # noqa: S101 - the caller looked
    kind = environment.samples.type
    problem = f"The environment {environment.name} names samples of the type {kind!r}, which is not installed."
    source: SampleSource = adapter("samples", kind, problem)(environment, secrets)
    return source


def version_in(text: str) -> str:
    """The version that a label's value names, such as v1.2.0 of ``churn-v1-2-0``; '' for none."""
    found = _VERSION.search(text)
    return f"v{found[1]}.{found[2]}.{found[3]}" if found else ""
