"""A version's training as an OpenLineage run event: its data are the inputs, the version is the output."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from modelyard import __version__
from modelyard.report.markdown.card import Card

_PRODUCER = f"urn:modelyard:{__version__}"
_SPEC = "https://openlineage.io/spec"
_EVENT = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = {
    "documentation": "1-1-0/DocumentationJobFacet", "jobType": "2-0-4/JobTypeJobFacet",
    "ownership": "1-0-1/OwnershipJobFacet", "sourceCodeLocation": "1-1-0/SourceCodeLocationJobFacet",
    "version": "1-0-1/DatasetVersionDatasetFacet",
}  # fmt: skip
"""Facet → its version and name below the specification's folder."""


def run_event(card: Card, repository: str) -> dict[str, Any]:
    """The event that the run is complete; the same version gives the same run. ``repository`` is its URL, or ''."""
    lineage, manifest = card.lineage, card.model
    namespace = repository or "modelyard"
    at = datetime.fromtimestamp(lineage.registered_at, UTC).isoformat().replace("+00:00", "Z")
    job = {
        "documentation": {"description": manifest.description},
        "jobType": {"processingType": "BATCH", "integration": "MODELYARD", "jobType": "TRAINING"},
        "ownership": {"owners": [{"name": owner} for owner in manifest.owners]},
    }
    if repository:
        path = f"models/{lineage.model}/dvc.yaml"
        job["sourceCodeLocation"] = {
            "type": "git", "url": repository, "repoUrl": repository, "path": path, "version": lineage.code,
        }  # fmt: skip
    return {
        "eventType": "COMPLETE",
        "eventTime": at,
        "producer": _PRODUCER,
        "schemaURL": _EVENT,
        "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{namespace}/{lineage.model}@{lineage.version}"))},
        "job": {"namespace": namespace, "name": f"train {lineage.model}", "facets": _facets(job)},
        "inputs": [_dataset(namespace, one.path, one.md5) for one in lineage.data],
        "outputs": [_dataset(namespace, f"models/{lineage.model}", str(lineage.version))],
    }


def _dataset(namespace: str, name: str, version: str) -> dict[str, Any]:
    return {"namespace": namespace, "name": name, "facets": _facets({"version": {"datasetVersion": version}})}


def _facets(facets: dict[str, Any]) -> dict[str, Any]:
    own = {name: {"_producer": _PRODUCER, "_schemaURL": f"{_SPEC}/facets/{_schema(name)}"} for name in facets}
    return {name: own[name] | facet for name, facet in facets.items()}


def _schema(name: str) -> str:
    number, _, facet = _FACETS[name].partition("/")
    return f"{number}/{facet}.json#/$defs/{facet}"
