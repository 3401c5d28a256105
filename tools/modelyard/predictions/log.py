"""``log``: what ``modelyard serve`` wrote before each answer left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.errors import UsageError
from modelyard.manifests.configuration import Environment
from modelyard.manifests.model import Model
from modelyard.predictions.interface import within
from modelyard.predictions.layout import Layout
from modelyard.predictions.segments import read_predictions

if TYPE_CHECKING:
    import pyarrow as pa


class LogReader:
    """The log of one ``local`` environment. Each segment is read once, converted or not."""

    def __init__(self, environment: Environment, root: Path) -> None:
        self._name = environment.name
        self._logs = Layout.of(root, environment.name, environment.folder).logs

    def read(
        self, model: Model, begin: float, end: float, columns: tuple[str, ...] | None = None
    ) -> Iterator[pa.Table]:
        """Segment by segment; a line that was cut off is no answer anybody got."""
        if not self._logs.is_dir():
            raise UsageError(
                f"There is no prediction log of {self._name} ({self._logs}).",
                "Run this where modelyard serve runs, or say in modelyard.yaml where they are kept: predictions: {…}.",
            )
        for table in read_predictions(self._logs / model.name, begin, columns):
            yield within(table, begin, end)
