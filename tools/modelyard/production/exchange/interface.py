"""The interface of a monitoring library that runs in an environment of its own, and its adapters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from modelyard.adapters import adapter, installed
from modelyard.checkout.checkout import ModelView
from modelyard.ground_truth.labels import GroundTruth
from modelyard.metrics.window import Monitoring
from modelyard.predictions.interface import Reader, Window


@dataclass(frozen=True)
class WindowToExport:
    """One monitored window, and what reads its rows again."""

    view: ModelView
    monitoring: Monitoring
    window: Window
    reader: Reader
    ground_truth: GroundTruth | None


class Exchange(Protocol):
    """One monitoring library."""

    requirements: tuple[str, ...]
    """What uv installs into its environment."""

    def export(self, exported: WindowToExport, folder: Path, say: Callable[[str], None]) -> Any:
        """Writes the library's files of a window into a folder; what is kept of them as evidence, or None.

        The same window is written again without a second entry anywhere. ModelyardError when the library cannot.
        """


def exchange_named(name: str) -> Exchange:
    """The adapter with the entry point ``name``; ModelyardError when none is installed."""
    exchange: Exchange = adapter("exchanges", name, f"No adapter for the tool {name!r} is installed.")()
    return exchange


def exchange_names() -> tuple[str, ...]:
    """The names of all adapters."""
    return tuple(sorted(installed("exchanges")))
