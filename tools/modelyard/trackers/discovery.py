"""The adapter for a tracker of modelyard.yaml, found by entry point."""

from __future__ import annotations

from pathlib import Path

from modelyard.adapters import adapter
from modelyard.manifests.configuration import TrackerSettings
from modelyard.secrets.interface import Secrets
from modelyard.trackers.interface import Tracker


def open_tracker(settings: TrackerSettings, root: Path, secrets: Secrets) -> Tracker:
    """The adapter; ModelyardError when it is not installed, lacks a setting, or may not get its token."""
    problem = f"modelyard.yaml names the tracker {settings.type!r}, which is not installed."
    tracker: Tracker = adapter("trackers", settings.type, problem)(settings, root, secrets)
    return tracker
