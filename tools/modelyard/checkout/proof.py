"""What the tags of this clone prove, read fast and without fetching, for ``status``, ``who-runs`` and ``history``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from modelyard.checkout.evidence_store import EvidenceStore, copy_of
from modelyard.errors import UsageError
from modelyard.git import Git, TagRef, hash_of, object_id
from modelyard.registry.history import ModelHistory, Registry, read_registry
from modelyard.registry.tags import has_record

UNFILED = "not filed: the tag was made by hand, and what it says proves nothing"
MOVED = "moved: the tag differs from its filed copy"
_FEW = 20


def proven_registry(git: Git, tags: Iterable[TagRef]) -> Registry:
    """The registry that tags describe, where only those count that equal their filed copies; the others are strays.

    Imported stages of GTO are no receipts. UsageError where tags say that there was evidence, and this clone has none.
    """
    seen, evidence = list(tags), EvidenceStore(git)
    require_evidence(evidence, seen)
    adopted = evidence.adopted(seen) if any(not has_record(tag.message) for tag in seen) else {}
    return read_registry(seen, filed_copies(evidence, seen), adopted)


def require_evidence(evidence: EvidenceStore, tags: Iterable[TagRef]) -> None:
    """UsageError where the whole evidence branch is missing, and tags say that there was one."""
    if evidence.newest() is None and any(has_record(tag.message) for tag in tags if tag.annotated):
        raise UsageError(
            "This clone has tags of modelyard and no branch modelyard/evidence, so nothing proves them.",
            "Fetch it: git fetch origin modelyard/evidence. If the remote lost it, run modelyard audit check in a"
            " clone that has it.",
        )


def filed_copies(evidence: EvidenceStore, tags: Sequence[TagRef]) -> dict[str, str]:
    """Tag name → id that the filed copy has as a tag object, of those tags that have a copy in this clone.

    A copy is read only where the tag's own content is not the listed blob: reading all would take longer than git
    needs for the tags.
    """
    if not tags:
        return {}
    models = {_model(tag) for tag in tags}
    # Git compares every path with every folder: of many models, the whole branch is listed sooner.
    listed = evidence.listed(*(f"{model}/tags/" for model in models if len(models) <= _FEW))
    found: dict[str, str] = {}
    other: dict[str, str] = {}
    for tag in tags:
        blob = listed.get(copy_of(_model(tag), tag.name))
        if blob is None:
            continue
        if tag.is_blob(blob):
            found[tag.name] = tag.object
        else:
            other[tag.name] = blob
    contents = evidence.git.blobs(other.values())
    return found | {name: object_id("tag", contents[blob], hash_of(blob)) for name, blob in other.items()}


def doubts(history: ModelHistory) -> Mapping[str, str]:
    """Tag → why it proves nothing, of a model's tags that do not equal their filed copies."""
    return dict.fromkeys(history.strays, UNFILED) | dict.fromkeys(history.moved, MOVED)


def _model(tag: TagRef) -> str:
    return tag.name.partition("#")[0].partition("@")[0]
