"""The interface of a monitoring library that runs in an environment of its own, and its adapters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from modelyard.checkout.checkout import ModelView
from modelyard.errors import ModelyardError, near_match
from modelyard.ground_truth.labels import GroundTruth
from modelyard.metrics.window import Monitoring
from modelyard.predictions.interface import Reader, Window

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


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
    found = _installed()
    if name not in found:
        raise ModelyardError(f"No adapter for the tool {name!r} is installed.", near_match(name, found))
    adapter: Exchange = found[name].load()()
    return adapter


def exchange_names() -> tuple[str, ...]:
    """The names of all adapters."""
    return tuple(sorted(_installed()))


def _installed() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group="modelyard.exchanges")}
