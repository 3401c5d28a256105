"""Gathers past versions with their evidence, to see what a changed policy would have said."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from modelyard.checkout.evidence_store import all_filed_documents
from modelyard.checkout.rules import policy_file, waivers_at
from modelyard.errors import UsageError
from modelyard.evidence.bundle import read_bundle
from modelyard.gate.backtest import Promoted, Replay, replay
from modelyard.gate.rule_changes import policy_changes
from modelyard.git import Git
from modelyard.manifests.conversion import convert, parse
from modelyard.manifests.document import Document, ManifestErrors, parse_document, read_document
from modelyard.manifests.policy import Policy
from modelyard.manifests.repository import ModelRepository
from modelyard.registry.history import read_registry
from modelyard.registry.tags import model_patterns

LIMIT = 20


def replay_policy(git: Git, models: list[str], lines: Document, limit: int, base: str = "HEAD") -> Replay:
    """The changed policy in ``lines`` against the models' last versions. ``base``: where the policy in force stands."""
    policy = convert(Policy, lines)
    content = git.file_at(base, policy_file(policy.name))
    changes = policy_changes(parse(Policy, content, policy_file(policy.name)), policy) if content is not None else ()
    promoted = _promoted(git, models, limit)
    if not promoted:
        raise UsageError("No registered version has evidence to judge again.", "Fetch it: git fetch origin --tags")
    return replay(policy, lines, promoted, changes)


def replay_of_change(git: Git, model: str, name: str, base: str, head: str) -> Replay | None:
    """The same for a proposal that changes the policy of a model; None where it does not, or nothing can be told."""
    file = policy_file(name)
    before, after = git.file_at(base, file), git.file_at(head, file)
    if after is None or before is None or before == after:
        return None
    try:
        return replay_policy(git, [model], parse_document(after, file), LIMIT, base)
    except (ManifestErrors, UsageError):
        return None  # an unreadable policy is said elsewhere; without past versions there is nothing to say


def policy_lines(repository: ModelRepository, policy: str) -> Document:
    """A policy by its name, or any file that holds one."""
    if policy.endswith((".yaml", ".yml")):
        path = Path(policy)
        return read_document(path.resolve().parent, path.name)
    return repository.policy(policy)[1]


def _promoted(git: Git, models: list[str], limit: int) -> list[Promoted]:
    patterns = [pattern for model in models for pattern in model_patterns(model)]
    registry = read_registry(git.tags(*patterns))
    known = [
        (history.model, version, version.record)
        for history in registry.models.values()
        for version in history.ever
        if version.record is not None
    ]
    known.sort(key=lambda one: -one[1].at)
    known = known[:limit]
    documents = all_filed_documents(git, [(model, record.artifact) for model, _, record in known])
    found = []
    for model, version, record in known:
        filed = documents[model, record.artifact]
        if "evaluation" in filed or "training" in filed:
            day = datetime.fromtimestamp(version.at, UTC).date()
            bundle = read_bundle(model, record.artifact, filed)
            found.append(
                Promoted(str(version.version), version.at, day, record.verdict, bundle, waivers_at(git, version.commit))
            )
    return found
