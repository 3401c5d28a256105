"""SLSA provenance 1.0 of a version, as an in-toto statement about its artifact."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from modelyard import __version__
from modelyard.errors import Refused
from modelyard.evidence.statement import STATEMENT_TYPE
from modelyard.report.markdown.card import Card

PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:modelyard:build:dvc-pipeline:1"
"""``externalParameters``: repository, commit, pipeline, params. The stages of that file ran through DVC."""
BUILDER = "urn:modelyard:register"


def provenance(card: Card, repository: str) -> dict[str, Any]:
    """The statement of a version; ``repository`` is the URL of its repository, '' where it has no remote.

    Refused for a version that was trained elsewhere: nobody here saw its build.
    """
    lineage = card.lineage
    if lineage.elsewhere:
        raise Refused(
            f"{lineage.model} {lineage.version} was trained elsewhere, so nothing is known of its build.",
            "Ask who trained it for its provenance.",
        )
    at = datetime.fromtimestamp(lineage.registered_at, UTC).isoformat().replace("+00:00", "Z")
    source = {
        "uri": f"git+{repository}@{lineage.code}" if repository else f"git:{lineage.code}",
        "digest": {"gitCommit": lineage.code},
    }
    data = [
        {"name": one.path, "digest": {"md5": one.md5.removesuffix(".dir")}, "annotations": {"dvc": one.md5}}
        for one in lineage.data
    ]
    packages = [{"uri": f"pkg:pypi/{name.lower()}@{number}"} for name, number in sorted(lineage.packages.items())]
    evidence = [
        {"name": f"{kind} evidence", "digest": {"sha256": digest}} for kind, digest in sorted(lineage.evidence.items())
    ]
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": f"{lineage.model}@{lineage.version}", "digest": {"sha256": lineage.artifact}}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "repository": repository,
                    "commit": lineage.code,
                    "pipeline": f"models/{lineage.model}/dvc.yaml",
                    "params": lineage.params,
                },
                "resolvedDependencies": [source, *data, *packages],
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": {"modelyard": __version__}},
                "metadata": {"invocationId": f"{lineage.model}@{lineage.version}", "finishedOn": at},
                "byproducts": evidence,
            },
        },
    }
