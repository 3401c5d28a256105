"""The plots of a pipeline's ``dvc.yaml`` at two revisions, read by DVC itself, as ``dvc plots diff`` reads them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from modelyard.dvc.stages import failed

WORKSPACE = "workspace"
"""DVC's name of the files as they are in the checkout."""


@dataclass(frozen=True)
class PlotData:
    """One plot: rows or a picture for each revision that has it."""

    title: str
    x: str
    y: str
    confusion: bool = False
    """Whether its template counts pairs of classes (x: actual, y: predicted)."""
    lines: dict[str, dict[str, list[tuple[Any, Any]]]] = field(default_factory=dict)
    """Revision → line → points (x, y), as the file has them."""
    pictures: dict[str, bytes] = field(default_factory=dict)
    """Revision → content of the picture file."""
    faults: tuple[str, ...] = ()
    """Files of the checkout that could not be read, with DVC's reason."""


def plots_of(repo: Any, folder: str, revision: str | None) -> list[PlotData]:
    """The plots of ``<folder>/dvc.yaml`` in the checkout and, for the same plots, at a revision.

    Only the data of this folder's plots are read. ModelyardError when DVC cannot read the definitions.
    """
    from dvc.exceptions import DvcException
    from dvc.render.match import match_defs_renderers
    from dvc.repo.plots import onerror_collect

    found: dict[str, Any] = {}
    try:
        revisions = [WORKSPACE, *([revision] if revision else [])]
        for one in repo.plots.collect(revs=revisions, onerror=onerror_collect):
            found |= {name: _read(collected, folder) for name, collected in one.items()}
        if "data" not in found.get(WORKSPACE, {}).get("definitions", {}):
            return []
        renderers = match_defs_renderers(found)
    except (DvcException, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        # A plot's definition is free YAML: DVC raises errors of its own and of Python for a wrong one.
        raise failed("plots", error, "See the plots in dvc.yaml.") from error
    return [_data(one, folder) for one in renderers if WORKSPACE in _revisions(one)]


def _read(collected: dict[str, Any], folder: str) -> dict[str, Any]:
    """The definitions of one folder and the data of their files; other models' data are not read."""
    for part in ("definitions", "sources"):
        if error := collected.get(part, {}).get("error"):
            raise error
    definitions = collected.get("definitions", {}).get("data", {})
    kept: dict[str, Any] = {}
    for file, entry in definitions.items():
        named = entry.get("data", {})
        if file == f"{folder}/dvc.yaml":
            kept[file] = entry
        elif not file:  # plots of stages have their path as their name
            kept[file] = {"data": {name: how for name, how in named.items() if name.startswith(f"{folder}/")}}
    sources = {}
    for path, source in collected.get("sources", {}).get("data", {}).items():
        if path.startswith(f"{folder}/") or any(path in str(entry) for entry in kept.values()):
            read = source["data_source"]
            sources[path] = {key: value for key, value in source.items() if key != "data_source"} | read(cache=True)
    return {"definitions": {"data": kept} if kept else {}, "sources": {"data": sources}}


def _revisions(found: Any) -> set[str]:
    return (
        {point.get("rev", "") for point in found.renderer.datapoints}
        | set(found.source_errors)
        | set(found.definition_errors)
    )


def _data(found: Any, folder: str) -> PlotData:
    renderer, below = found.renderer, f"{folder}/"
    settings = renderer.properties
    x, y = str(settings.get("x", "")), str(settings.get("y", ""))
    lines: dict[str, dict[str, list[tuple[Any, Any]]]] = {}
    pictures: dict[str, bytes] = {}
    for point in renderer.datapoints:
        revision = str(point.get("rev", ""))
        if "src" in point:
            pictures[revision] = base64.b64decode(str(point["src"]).partition(",")[2])
        else:
            name = str(point.get("field") or y)
            lines.setdefault(revision, {}).setdefault(name, []).append((point.get(x), point.get(y)))
    errors = dict(found.source_errors.get(WORKSPACE, {}))
    if error := found.definition_errors.get(WORKSPACE):
        errors["dvc.yaml"] = error
    return PlotData(
        title=str(settings.get("title") or renderer.name).removeprefix(below),
        x=str(settings.get("x_label") or x),
        y=str(settings.get("y_label") or y),
        confusion=str(settings.get("template", "")).startswith("confusion"),
        lines=lines,
        pictures=pictures,
        faults=tuple(f"{str(path).removeprefix(below)}: {_reason(error)}" for path, error in errors.items()),
    )


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
