"""The reader ``sagemaker``: an endpoint's data capture, JSON lines below ``<endpoint>/<variant>/<date and hour>/``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.errors import ModelyardError
from modelyard.manifests.configuration import Environment
from modelyard.manifests.model import Model
from modelyard.predictions.files import UNREADABLE, files_of, json_lines, opened
from modelyard.predictions.ids import once
from modelyard.predictions.interface import within
from modelyard.predictions.payload import PayloadRows, decoded

if TYPE_CHECKING:
    import pyarrow as pa


_HOUR = 3600.0


class SageMakerReader:
    """Reads data capture, which holds no latencies and no failed requests."""

    def __init__(self, environment: Environment, root: Path) -> None:
        self._environment, self._root = environment, root

    def read(
        self, model: Model, begin: float, end: float, columns: tuple[str, ...] | None = None
    ) -> Iterator[pa.Table]:
        """The predictions, file by file, of hours in the window. Variant v1-2-0 is v1.2.0, as the target names it."""
        return once(within(table, begin, end) for table in self._tables(model, begin, end))

    def _tables(self, model: Model, begin: float, end: float) -> Iterator[pa.Table]:
        for system, path in files_of(self._environment, self._root, model.name, (".jsonl",)):
            hour = _hour(path)
            if hour is not None and not begin - 2 * _HOUR < hour < end + _HOUR:
                continue
            rows = PayloadRows(model)
            try:
                with opened(system, path) as file:
                    for line in json_lines(file):
                        _add(rows, line, path)
            except (*UNREADABLE, ValueError, KeyError, TypeError, AttributeError) as error:
                raise ModelyardError(
                    f"{path} is not data capture of SageMaker: {type(error).__name__}.", "Check predictions.uri."
                ) from error
            yield rows.table()


def _add(rows: PayloadRows, line: dict[str, Any], path: str) -> None:
    captured, said = line["captureData"], line["eventMetadata"]
    name = captured.get("endpointOutput", {}).get("variantName") or said.get("variantName") or _variant(path)
    sent, answered = (_content(captured.get(part)) for part in ("endpointInput", "endpointOutput"))
    when = datetime.fromisoformat(said["inferenceTime"].replace("Z", "+00:00"))
    rows.add(said["eventId"], when, _version(name), "champion", sent, answered)


def _content(part: dict[str, str] | None) -> object:
    return decoded(part["data"], part.get("encoding", "")) if part else None


def _variant(path: str) -> str:
    """The variant in ``…/<variant>/2026/05/03/14/file.jsonl``; '' in a shorter path."""
    parts = path.split("/")
    return parts[-6] if len(parts) > 5 else ""


def _hour(path: str) -> float | None:
    """The hour in a file's path, as seconds since 1970 at its beginning; None when the path has none."""
    try:
        year, month, day, hour = (int(part) for part in path.split("/")[-5:-1])
        return datetime(year, month, day, hour, tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _version(variant: str) -> str:
    major, *rest = variant.split("-")
    return ".".join([major, *rest[:2]]) + ("-" + "-".join(rest[2:]) if rest[2:] else "")
