"""The adapter for a tracker of modelyard.yaml, found by entry point."""

from __future__ import annotations

from pathlib import Path

from modelyard.errors import ModelyardError, near_match
from modelyard.manifests.configuration import TrackerSettings
from modelyard.secrets.interface import Secrets
from modelyard.trackers.interface import Tracker


def open_tracker(settings: TrackerSettings, root: Path, secrets: Secrets) -> Tracker:
    """The adapter; ModelyardError when it is not installed, lacks a setting, or may not get its token."""
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group="modelyard.trackers")}
    if settings.type not in found:
        raise ModelyardError(
            f"modelyard.yaml names the tracker {settings.type!r}, which is not installed.",
            near_match(settings.type, found),
        )
    tracker: Tracker = found[settings.type].load()(settings, root, secrets)
    return tracker
