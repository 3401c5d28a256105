"""Trainings as OpenLineage run events: their data are the inputs, a version is the output."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct

from modelyard import __version__
from modelyard.report.markdown.card import Card

_PRODUCER = f"urn:modelyard:{__version__}"
_SPEC = "https://openlineage.io/spec"
_EVENT = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = {
    "documentation": "1-1-0/DocumentationJobFacet", "jobType": "2-0-4/JobTypeJobFacet",
    "ownership": "1-0-1/OwnershipJobFacet", "sourceCodeLocation": "1-1-0/SourceCodeLocationJobFacet",
    "version": "1-0-1/DatasetVersionDatasetFacet", "tags": "1-0-0/TagsDatasetFacet", "run tags": "1-0-0/TagsRunFacet",
}  # fmt: skip
"""Facet → its version and name below the specification's folder. A run and a data set both have ``tags``."""


class Event(Struct, frozen=True, kw_only=True):
    """What one run event says."""

    run: str
    """Its identity in this repository; the same one gives the same run."""
    job: str
    at: int
    """Seconds since 1970."""
    state: Literal["COMPLETE", "FAIL"] = "COMPLETE"
    inputs: Mapping[str, str]
    """Path of a data set → its md5."""
    output: tuple[str, str] = ("", "")
    """Name and version of what the run made; '' for nothing."""
    job_facets: Mapping[str, Any]
    run_tags: Mapping[str, str] = MappingProxyType({})
    output_tags: Mapping[str, str] = MappingProxyType({})


def run_event(card: Card, repository: str) -> dict[str, Any]:
    """The event that the run is complete; the same version gives the same run. ``repository`` is its URL, or ''."""
    lineage, manifest = card.lineage, card.model
    known = {
        "documentation": {"description": manifest.description},
        "ownership": {"owners": [{"name": owner} for owner in manifest.owners]},
    }
    return event_document(
        Event(
            run=f"{lineage.model}@{lineage.version}",
            job=f"train {lineage.model}",
            at=lineage.registered_at,
            inputs={one.path: one.md5 for one in lineage.data},
            output=(f"models/{lineage.model}", str(lineage.version)),
            job_facets=known | training_facets(lineage.model, lineage.code, repository),
        ),
        repository,
    )


def training_facets(model: str, commit: str, repository: str) -> dict[str, Any]:
    """What is said of every job that trains a model: its kind, and where its code is, if that is known."""
    kind = {"processingType": "BATCH", "integration": "MODELYARD", "jobType": "TRAINING"}
    if not repository:
        return {"jobType": kind}
    code = {
        "type": "git", "url": repository, "repoUrl": repository, "path": f"models/{model}/dvc.yaml", "version": commit,
    }  # fmt: skip
    return {"jobType": kind, "sourceCodeLocation": code}


def event_document(event: Event, repository: str) -> dict[str, Any]:
    """The JSON of an event; ``repository``, its URL, is the namespace of every name in it."""
    namespace = repository or "modelyard"
    name, version = event.output
    run = {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{namespace}/{event.run}"))}
    return {
        "eventType": event.state,
        "eventTime": datetime.fromtimestamp(event.at, UTC).isoformat().replace("+00:00", "Z"),
        "producer": _PRODUCER,
        "schemaURL": _EVENT,
        "run": run | ({"facets": _facets({"run tags": _tags(event.run_tags)})} if event.run_tags else {}),
        "job": {"namespace": namespace, "name": event.job, "facets": _facets(event.job_facets)},
        "inputs": [_dataset(namespace, path, md5, {}) for path, md5 in event.inputs.items()],
        "outputs": [_dataset(namespace, name, version, event.output_tags)] if name else [],
    }


def _dataset(namespace: str, name: str, version: str, tags: Mapping[str, str]) -> dict[str, Any]:
    facets = {"version": {"datasetVersion": version}} | ({"tags": _tags(tags)} if tags else {})
    return {"namespace": namespace, "name": name, "facets": _facets(facets)}


def _tags(tags: Mapping[str, str]) -> dict[str, Any]:
    return {"tags": [{"key": key, "value": value, "source": "MODELYARD"} for key, value in tags.items()]}


def _facets(facets: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: {"_producer": _PRODUCER, "_schemaURL": f"{_SPEC}/facets/{_schema(name)}"} for name in facets}
    return {name.removeprefix("run "): own[name] | facet for name, facet in facets.items()}


def _schema(name: str) -> str:
    number, _, facet = _FACETS[name].partition("/")
    return f"{number}/{facet}.json#/$defs/{facet}"
