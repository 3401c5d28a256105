"""The reader ``whylogs``: one profile for each day and version, of a system that kept no rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.errors import ModelyardError
from modelyard.manifests.configuration import Environment
from modelyard.manifests.model import Model
from modelyard.predictions.files import UNREADABLE, files_of, opened
from modelyard.predictions.interface import Window

if TYPE_CHECKING:
    import pyarrow as pa

DAY_SECONDS = 86400
_EPOCH = date(1970, 1, 1).toordinal()
_PATH = re.compile(r"(?:^|/)(?P<version>[^/]+)/(?P<day>\d{4}-\d{2}-\d{2})\.bin$")


@dataclass(frozen=True)
class DayProfile:
    """The profile of one day (UTC) of one version, not read yet."""

    version: str
    day: int
    """Days since 1970."""
    system: Any
    path: str

    def copied(self, into: Path) -> Path:
        """The same file in a local folder; ModelyardError when it cannot be read."""
        place = into / f"{self.day}-{len(list(into.iterdir()))}.bin"
        try:
            with opened(self.system, self.path) as file:
                place.write_bytes(file.read())
        except UNREADABLE as error:
            raise ModelyardError(f"{self.path} cannot be read: {error}.", "Repair or remove the file.") from error
        return place


class ProfilesReader:
    """Finds ``<version>/<day>.bin`` below ``predictions.uri``, as ``monitor --whylogs`` writes them."""

    def __init__(self, environment: Environment, root: Path) -> None:
        self._environment, self._root = environment, root

    def read(
        self, model: Model, begin: float, end: float, columns: tuple[str, ...] | None = None
    ) -> Iterator[pa.Table]:
        """ModelyardError: there are no rows."""
        raise ModelyardError(
            f"{self._environment.name} keeps profiles of days, and no predictions of {model.name}.",
            "Only monitor and drift read profiles; for this, name a reader of rows under predictions.",
        )

    def days(self, model: str, window: Window) -> list[DayProfile]:
        """The profiles of the days that the window holds whole, oldest first."""
        found = []
        for system, path in files_of(self._environment, self._root, model, (".bin",)):
            if match := _PATH.search(path):
                try:
                    day = date.fromisoformat(match["day"]).toordinal() - _EPOCH
                except ValueError:
                    continue
                if window.begin <= day * DAY_SECONDS and (day + 1) * DAY_SECONDS <= window.end:
                    found.append(DayProfile(match["version"], day, system, path))
        return sorted(found, key=lambda one: (one.day, one.path))
