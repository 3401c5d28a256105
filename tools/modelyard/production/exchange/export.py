"""A judged window handed to monitoring libraries, and what comes back as evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from modelyard.checkout.checkout import ModelView
from modelyard.errors import ModelyardError
from modelyard.evidence.statement import MAXIMUM_BYTES, write_statement
from modelyard.ground_truth.labels import GroundTruth
from modelyard.manifests.configuration import Environment
from modelyard.predictions.discovery import open_reader
from modelyard.predictions.interface import Window
from modelyard.production.exchange.interface import WindowToExport, exchange_named
from modelyard.production.monitoring.watch import Watched


def export_window(
    view: ModelView,
    environment: Environment,
    window: Window,
    ground_truth: GroundTruth | None,
    watched: Watched,
    folders: Mapping[str, Path],
    say: Callable[[str], None],
) -> dict[str, bytes]:
    """Hands a window to the tools of ``folders`` (tool → its folder); returns tool → its evidence.

    The verdict stands already. A tool that fails is said and has no evidence; the same window can be exported again.
    """
    found = {}
    reader = open_reader(environment, view.checkout.root)
    exported = WindowToExport(view, watched.monitoring, window, reader, ground_truth)
    for name, folder in folders.items():
        try:
            kept = exchange_named(name).export(exported, folder, say)
            content = write_statement("exchange", view.name, watched.artifact, kept) if kept else b""
            if len(content) > MAXIMUM_BYTES:
                raise ModelyardError(
                    f"What {name} measured has {len(content):,} bytes and cannot be filed.", f"See {folder}."
                )
        except ModelyardError as error:
            say(f"{error.problem} {error.remedy} The verdict stands without {name}.")
            continue
        say(f"{name}: {folder}")
        if content:
            found[name] = content
    return found
