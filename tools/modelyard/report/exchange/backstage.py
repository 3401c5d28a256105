"""A model as a Component of Backstage's catalog: the content of a ``catalog-info.yaml``."""

from __future__ import annotations

import re
from typing import Any

from modelyard.report.markdown.card import Card

_NAME = re.compile(r"[^A-Za-z0-9]+")
_LIFECYCLE = {"experimental": "experimental", "deprecated": "deprecated", "archived": "deprecated"}
"""Of model.yaml → of the catalog; an active model is in production where an environment serves it."""


def component(card: Card, repository: str) -> dict[str, Any]:
    """The entity. JSON is YAML too. Its owner is the first of ``model.yaml``, a team as a group, a person as a user."""
    lineage, manifest = card.lineage, card.model
    live = [period for period in lineage.served if period.until is None]
    annotations = {"modelyard/version": str(lineage.version), "modelyard/artifact": lineage.artifact}
    if repository.startswith("https://"):
        annotations["backstage.io/source-location"] = f"url:{repository.removesuffix('.git')}/"
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {
            "name": _named(lineage.model),
            "title": lineage.model,
            "description": manifest.description,
            "annotations": annotations,
            "tags": sorted({"ml-model", _tag(manifest.task), *(_tag(f"in-{one.environment}") for one in live)}),
        },
        "spec": {
            "type": "ml-model",
            "lifecycle": _LIFECYCLE.get(manifest.lifecycle, "production" if live else "experimental"),
            "owner": _owner(manifest.owners[0]),
            "dependsOn": sorted({f"resource:default/{_named(one.path)}" for one in lineage.data}),
        },
    }


def _named(text: str) -> str:
    """A name as the catalog takes it: letters and digits with single hyphens between, at most 63 characters."""
    return _NAME.sub("-", text)[:63].strip("-") or "model"


def _tag(text: str) -> str:
    return _named(text).lower()


def _owner(handle: str) -> str:
    """``@acme/team`` → a group, ``@ada`` or an address → a user."""
    plain = handle.removeprefix("@")
    kind, name = ("group", plain.rpartition("/")[2]) if "/" in plain else ("user", plain.partition("@")[0])
    return f"{kind}:default/{_named(name)}"
