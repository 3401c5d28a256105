"""The evidence that lies here, judged by the policy of the checkout."""

from __future__ import annotations

from datetime import date

from modelyard.delivery.evidence_store import filed_documents
from modelyard.evidence.bundle import read_bundle
from modelyard.gate.judge import judge
from modelyard.git import Git
from modelyard.manifests.repository import ModelRepository
from modelyard.proposal.candidate import Candidate
from modelyard.report.content import Report
from modelyard.workspace import Workspace


def judged_report(repository: ModelRepository, git: Git, name: str, today: date, policy: str | None = None) -> Report:
    """The report on a candidate. Evidence in the checkout comes before evidence filed in git."""
    candidate = Candidate.of(repository, name)
    artifact = candidate.sha256()
    documents = filed_documents(git, name, artifact) | Workspace(repository.root, name).documents()
    bundle = read_bundle(name, artifact, documents)
    rules, lines = repository.policy(policy or candidate.model.policy)
    verdict = judge(rules, lines, bundle, repository.waivers(), today)
    return Report(verdict, bundle, git.commit_of("HEAD"), tuple(candidate.model.owners))
