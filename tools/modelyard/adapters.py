"""Adapters by entry point: one group of names for each kind of foreign system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.errors import ModelyardError, near_match

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def installed(group: str) -> dict[str, EntryPoint]:
    """Name → entry point of every installed adapter of the group ``modelyard.<group>``."""
    from importlib.metadata import entry_points  # reads every installed package, so only where an adapter is wanted

    return {entry.name: entry for entry in entry_points(group=f"modelyard.{group}")}


def adapter(group: str, name: str, problem: str, if_none: str = "") -> Any:
    """The class of an adapter; ModelyardError that says ``problem`` when none of that name is installed.

    ``if_none`` is the remedy where the whole group is empty.
    """
    found = installed(group)
    if name not in found:
        raise ModelyardError(problem, near_match(name, found, *([if_none] if if_none else [])))
    return found[name].load()
