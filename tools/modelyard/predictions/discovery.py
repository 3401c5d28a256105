"""The reader of an environment's prediction log, found by entry point."""

from __future__ import annotations

from pathlib import Path

from modelyard.adapters import installed
from modelyard.errors import UsageError, near_match
from modelyard.manifests.configuration import Environment
from modelyard.predictions.interface import Reader


def open_reader(environment: Environment, root: Path) -> Reader:
    """The reader that an environment names; by default that of the ``local`` target's log."""
    named = environment.predictions.reader
    if named == "log":  # without the cost of scanning entry points
        from modelyard.predictions.log import LogReader

        return LogReader(environment, root)
    found = installed("predictions")
    if named not in found:
        raise UsageError(
            f"modelyard.yaml: environments: {environment.name}: predictions: reader: {named!r} is not installed.",
            near_match(named, ["log", *found]),
        )
    reader: Reader = found[named].load()(environment, root)
    return reader
