"""The tables of a version as a Croissant 1.0 dataset: training and held-out rows, with the columns of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from modelyard.errors import Refused
from modelyard.report.markdown.card import Card

_CONTEXT: dict[str, Any] = {
    "@language": "en", "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/", "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo", "equivalentProperty": "cr:equivalentProperty",
    "data": {"@id": "cr:data", "@type": "@json"}, "examples": {"@id": "cr:examples", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
} | {
    name: f"cr:{name}"
    for name in (
        "citeAs", "column", "extract", "field", "fileProperty", "fileObject", "fileSet", "format", "includes",
        "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex",
        "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform",
    )
}  # fmt: skip
"""Croissant's own context, word for word: its readers compare it."""
_TYPES = {
    "integer": "sc:Integer", "float": "sc:Float", "string": "sc:Text", "boolean": "sc:Boolean", "date": "sc:Date",
    "timestamp": "sc:DateTime", "vector": "sc:Float",
}  # fmt: skip
_LABELS = {"binary": "sc:Integer", "multiclass": "sc:Text", "regression": "sc:Float", "ranking": "sc:Float"}


def dataset(card: Card, repository: str, tables: Mapping[str, str]) -> dict[str, Any]:
    """The document. ``tables``: path from the repository's root → md5, as the version's ``dvc.lock`` pins them.

    Refused where the lock pins none of them.
    """
    lineage, manifest = card.lineage, card.model
    if not tables:
        raise Refused(
            f"dvc.lock of {lineage.model} {lineage.version} pins neither training nor held-out rows.",
            "Name them under files in model.yaml, as outputs of a stage.",
        )
    at = datetime.fromtimestamp(lineage.registered_at, UTC).date().isoformat()
    found: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"{lineage.model}-data",
        "description": f"The rows that {lineage.model} {lineage.version} was trained and measured on."
        f" {manifest.description}",
        "version": str(lineage.version).removeprefix("v"),
        "datePublished": at,
        "url": repository or f"urn:modelyard:{lineage.model}",
        "distribution": [
            {
                "@type": "cr:FileObject", "@id": path, "name": path, "contentUrl": path, "md5": md5,
                "encodingFormat": "application/x-parquet" if path.endswith(".parquet") else "text/csv",
            }
            for path, md5 in tables.items()
        ],
        "recordSet": [_rows(card, path) for path in tables],
    }  # fmt: skip
    return found | ({"license": manifest.license} if manifest.license.strip() else {})


def _rows(card: Card, path: str) -> dict[str, Any]:
    contract = card.model.contract
    name = path.rpartition("/")[2].partition(".")[0]
    columns = [
        (contract.id, "sc:Text", False),
        (contract.label, _LABELS[card.model.task], False),
        *((one.name, _TYPES[one.type], one.type == "vector") for one in contract.inputs),
    ]
    return {
        "@type": "cr:RecordSet", "@id": name, "name": name, "key": {"@id": f"{name}/{contract.id}"},
        "field": [
            {
                "@type": "cr:Field", "@id": f"{name}/{column}", "name": column, "dataType": kind,
                **({"repeated": True} if repeated else {}),
                "source": {"fileObject": {"@id": path}, "extract": {"column": column}},
            }
            for column, kind, repeated in {one[0]: one for one in columns}.values()
        ],
    }  # fmt: skip
