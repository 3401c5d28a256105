"""Which bytes go nowhere any more: those that a rollback took away, unless a reviewed file forgives that rollback."""

from __future__ import annotations

from collections.abc import Collection

from modelyard.registry.history import Assignment, ModelHistory, RegisteredVersion


def blocking(history: ModelHistory, artifact: str, forgiven: Collection[str] = ()) -> Assignment | None:
    """The newest rollback, in any environment, that took these bytes away and is not among the ``forgiven`` tags."""
    for rollback in reversed(history.rollbacks()):
        if rollback.record and rollback.record.blocked == artifact and rollback.tag not in forgiven:
            return rollback
    return None


def latest_allowed(history: ModelHistory, forgiven: Collection[str] = ()) -> RegisteredVersion | None:
    """The highest version that is registered and not blocked; what ``latest`` means."""
    if not history.rollbacks():
        return history.latest
    for known in reversed(history.versions):
        if known.record is None or blocking(history, known.record.artifact, forgiven) is None:
            return known
    return None
