"""Past versions with their evidence, and the verdicts that a changed policy gives on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from modelyard.checkout.checkout import Checkout, ModelView
from modelyard.checkout.rules import policy_file, waivers_at
from modelyard.errors import UsageError
from modelyard.evidence.bundle import read_bundle
from modelyard.gate.backtest import Backtest, Promoted, backtest
from modelyard.gate.rule_changes import policy_changes
from modelyard.manifests.conversion import convert, parse
from modelyard.manifests.document import Document, ManifestErrors, parse_document, read_document
from modelyard.manifests.policy import Policy
from modelyard.manifests.repository import ModelRepository

LIMIT = 20


def backtest_policy(
    checkout: Checkout, models: Sequence[str], lines: Document, limit: int, base: str = "HEAD"
) -> Backtest:
    """The backtest of the policy in ``lines`` on the models' last versions. ``base`` has the policy in force."""
    policy = convert(Policy, lines)
    content = checkout.git.file_at(base, policy_file(policy.name))
    changes = policy_changes(parse(Policy, content, policy_file(policy.name)), policy) if content is not None else ()
    promoted = _promoted(checkout, models, limit)
    if not promoted:
        raise UsageError(
            "No registered version has filed evidence that can be judged again.", "Fetch it: git fetch origin --tags"
        )
    return backtest(policy, lines, promoted, changes)


def backtest_of_change(view: ModelView, name: str, base: str, head: str) -> Backtest | None:
    """The backtest of a proposal that changes the policy of a model; None without such a change or without versions."""
    file = policy_file(name)
    git = view.checkout.git
    before, after = git.file_at(base, file), git.file_at(head, file)
    if after is None or before is None or before == after:
        return None
    try:
        return backtest_policy(view.checkout, [view.name], parse_document(after, file), LIMIT, base)
    except (ManifestErrors, UsageError):
        return None  # the report names an unreadable policy; without past versions there is no backtest


def policy_lines(repository: ModelRepository, policy: str) -> Document:
    """The lines of a policy, by its name or by the path of its file."""
    if policy.endswith((".yaml", ".yml")):
        path = Path(policy)
        return read_document(path.resolve().parent, path.name)
    return repository.policy(policy)[1]


def _promoted(checkout: Checkout, models: Sequence[str], limit: int) -> list[Promoted]:
    known = [
        (name, version, version.record)
        for name in models
        for version in checkout.history(name).all_versions
        if version.record is not None
    ]
    known.sort(key=lambda one: -one[1].at)
    known = known[:limit]
    documents = checkout.evidence.all_documents([(model, record.artifact) for model, _, record in known])
    found = []
    for model, version, record in known:
        filed = documents[model, record.artifact]
        if "evaluation" in filed or "training" in filed:
            day = datetime.fromtimestamp(version.at, UTC).date()
            bundle = read_bundle(model, record.artifact, filed)
            found.append(
                Promoted(
                    version=version.version,
                    at=version.at,
                    day=day,
                    verdict=record.verdict,
                    bundle=bundle,
                    waivers=waivers_at(checkout.git, version.commit),
                )
            )
    return found
