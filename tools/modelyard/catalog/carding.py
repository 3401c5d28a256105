"""Gathers what a model card is made of."""

from __future__ import annotations

from modelyard.catalog.comparing import manifest_of
from modelyard.catalog.tracing import trace_up
from modelyard.delivery.evidence_store import filed_documents
from modelyard.evidence.bundle import read_bundle
from modelyard.git import Git
from modelyard.manifests.repository import ModelRepository
from modelyard.proposal.champion import model_history, version_by_name
from modelyard.report.markdown.card import Card


def card_of(repository: ModelRepository, git: Git, model: str, version: str | None) -> Card:
    """The card of a version (the latest where none is named), in the words its manifest had then."""
    lineage = trace_up(git, model, version)
    known = version_by_name(model_history(git, model), lineage.version)
    manifest = manifest_of(git, model, known) or repository.model(model)
    bundle = read_bundle(model, lineage.artifact, filed_documents(git, model, lineage.artifact))
    return Card(manifest, lineage, bundle)
