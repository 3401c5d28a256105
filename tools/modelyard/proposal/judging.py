"""The evidence that lies here, judged by the policy of the checkout or of the base branch."""

from __future__ import annotations

from datetime import date

from modelyard.delivery.evidence_store import filed_documents
from modelyard.delivery.numbering import number_at
from modelyard.errors import ModelyardError
from modelyard.evidence.bundle import Bundle, read_bundle
from modelyard.gate.judge import judge
from modelyard.git import Git
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.manifests.repository import ModelRepository, model_file
from modelyard.proposal.candidate import Candidate
from modelyard.proposal.champion import model_history
from modelyard.proposal.changes import changes_between
from modelyard.proposal.replaying import replay_of_change
from modelyard.proposal.rules import Rules, rules_here, rules_of_base
from modelyard.registry.numbering import Numbering
from modelyard.report.content import Report
from modelyard.workspace import Workspace


def judged_report(
    repository: ModelRepository, git: Git, name: str, today: date, policy: str | None = None, base: str | None = None
) -> Report:
    """The report on a candidate. Evidence in the checkout comes before evidence filed in git.

    With ``base``, the rules are those of that revision, and the report says what the change does to them.
    """
    candidate = Candidate.of(repository, name)
    artifact = candidate.sha256()
    documents = filed_documents(git, name, artifact) | Workspace(repository.root, name).documents()
    bundle = read_bundle(name, artifact, documents)
    head = git.commit_of("HEAD")
    rules = (
        rules_of_base(git, git.commit_of(base), head, name, today)
        if base
        else rules_here(repository, git, name, today, policy)
    )
    return report_on(git, bundle, rules, head, base, tuple(candidate.model.owners), today)


def report_on(
    git: Git, bundle: Bundle, rules: Rules, head: str, base: str | None, owners: tuple[str, ...], today: date
) -> Report:
    """The report on evidence, wherever it came from: always judged here and now, never by a verdict it brings."""
    verdict = judge(rules.policy, rules.lines, bundle, rules.waivers, today, rules.notes)
    changes = changes_between(git, bundle, base, head)
    replay = replay_of_change(git, bundle.model, rules.policy.name, base, head) if base else None
    return Report(verdict, bundle, head, owners, changes, replay, _numbering(git, bundle, head))


def _numbering(git: Git, bundle: Bundle, head: str) -> Numbering | None:
    if bundle.evaluation is not None and bundle.evaluation.identical_bytes:
        return None
    content = git.file_at(head, model_file(bundle.model))
    try:
        if content is None:
            return None
        model = parse(Model, content, model_file(bundle.model))
        return number_at(git, model, model_history(git, bundle.model), head)
    except ModelyardError:
        return None  # a clone without tags cannot know; a wish that cannot be met is refused by register
