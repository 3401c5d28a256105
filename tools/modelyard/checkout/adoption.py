"""The registry without the filed copies, as ``status``, ``who-runs`` and ``history`` read it: imported tags of GTO."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modelyard.git import Git, TagRef
from modelyard.registry.history import Registry, read_registry
from modelyard.registry.tags import has_record


def registry_of_tags(git: Git, tags: Iterable[TagRef]) -> Registry:
    """The registry that tags describe, where imported stages of GTO are no receipts.

    The tags are parsed as they arrive. The evidence branch is read only where a tag has no record.
    """
    seen: list[TagRef] = []

    def arriving() -> Iterator[TagRef]:
        for tag in tags:
            seen.append(tag)
            yield tag

    registry = read_registry(arriving())
    if all(has_record(tag.message) for tag in seen):
        return registry
    from modelyard.checkout.evidence_store import EvidenceStore

    adopted = EvidenceStore(git).adopted(seen)
    return read_registry(seen, None, adopted) if adopted else registry
