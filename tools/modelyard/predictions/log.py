"""The reader ``log``: the prediction log that ``modelyard serve`` writes."""

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
    """Reads the log of one ``local`` environment, each segment once, whether it is converted or not."""

    def __init__(self, environment: Environment, root: Path) -> None:
        self._name = environment.name
        self._logs = Layout.of(root, environment.name, environment.folder).logs

    def read(
        self, model: Model, begin: float, end: float, columns: tuple[str, ...] | None = None
    ) -> Iterator[pa.Table]:
        """The predictions, segment by segment; a UsageError when there is no log. Cut-off lines are left out."""
        if not self._logs.is_dir():
            raise UsageError(
                f"There is no prediction log of {self._name} in {self._logs}.",
                "Run this where modelyard serve runs, or name another reader in modelyard.yaml: predictions: {…}.",
            )
        for table in read_predictions(self._logs / model.name, begin, columns):
            yield within(table, begin, end)
