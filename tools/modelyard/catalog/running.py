"""Which version ran where at a moment, by its receipts."""

from __future__ import annotations

from datetime import UTC, datetime

from modelyard.errors import UsageError
from modelyard.git import Git
from modelyard.registry.history import Registry, read_registry
from modelyard.registry.tags import EVERY_MODEL, model_patterns
from modelyard.registry.timeline import Period, periods, running


def registry_of(git: Git, model: str | None) -> Registry:
    """The registry of one model or of all; a UsageError where this clone has no tags and cannot know."""
    registry = read_registry(git.begin_tags(*(model_patterns(model) if model else EVERY_MODEL)))
    if not registry.models:
        git.require_work_tree()
        if git.is_shallow() and git.remote():
            raise UsageError(
                "This clone is shallow and has no tags, so it cannot tell what happened.",
                f"Run: git fetch --tags {git.remote()}",
            )
    return registry


def running_at(git: Git, model: str | None, environment: str | None, at: int | None) -> list[Period]:
    """The periods that cover a moment (None: those that last), models by name."""
    found: list[Period] = []
    for _, history in sorted(registry_of(git, model).models.items()):
        # "Now" asks no clock: tags of one second are dated ahead of it, so that their order stays.
        found += running(history, environment) if at is None else periods(history, environment, at)
    return found


def moment(text: str) -> int:
    """Seconds since 1970 of an ISO time; UTC unless it names its zone."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no time.", "Write it as 2026-05-03T14:00, in UTC or with its zone.") from None
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
