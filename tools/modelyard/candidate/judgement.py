"""The evidence that lies here, judged and rendered into files beside it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from modelyard.candidate.backtest import replay_of_change
from modelyard.candidate.files import Candidate
from modelyard.candidate.workspace import Workspace
from modelyard.checkout.champion import model_history
from modelyard.checkout.evidence_store import file_evidence, filed_documents
from modelyard.checkout.rules import Rules, rules_here, rules_of_base
from modelyard.checkout.tags import number_at
from modelyard.errors import ModelyardError
from modelyard.evidence.bundle import Bundle, read_bundle
from modelyard.evidence.statement import write_statement
from modelyard.evidence.training import Changes, differences
from modelyard.gate.judge import judge
from modelyard.git import Git
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.manifests.names import Version
from modelyard.manifests.repository import ModelRepository, model_file
from modelyard.registry.history import read_registry
from modelyard.registry.numbering import Numbering
from modelyard.registry.tags import model_patterns
from modelyard.report.content import Report
from modelyard.report.html.proposal import render_html
from modelyard.report.markdown.comment import render_markdown


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


def write_verdict(repository: ModelRepository, git: Git, name: str, today: date, base: str | None) -> Report:
    """Judges the evidence and leaves the verdict beside it."""
    report = judged_report(repository, git, name, today, base=base)
    content = write_statement("verdict", name, report.bundle.artifact, report.verdict)
    Workspace(repository.root, name).write_evidence("verdict", content)
    return report


def write_reports(repository: ModelRepository, name: str, report: Report) -> dict[str, Path]:
    """Writes report.md and report.html; form → path."""
    workspace = Workspace(repository.root, name)
    return {
        "markdown": workspace.write("report.md", render_markdown(report).encode()),
        "html": workspace.write("report.html", render_html(report).encode()),
    }


def file_reports(repository: ModelRepository, git: Git, name: str, report: Report) -> None:
    """Files evidence and reports on the branch modelyard/evidence."""
    workspace, artifact = Workspace(repository.root, name), report.bundle.artifact
    message = f"{name}: evidence about {artifact[:12]}"
    file_evidence(git, name, artifact, workspace.documents(), workspace.reports(), message)


def changes_between(git: Git, bundle: Bundle, base: str | None, head: str) -> Changes:
    """The champion is the one the evaluation names; without a base there is no file list."""
    files = tuple(git.changed_files(base, head)) if base else ()
    training, evaluation = bundle.training, bundle.evaluation
    number = Version.parse(evaluation.champion) if evaluation and evaluation.champion else None
    if training is None or number is None:
        return Changes(files=files)
    history = read_registry(git.tags(*model_patterns(bundle.model))).history(bundle.model)
    champion = history.version(number)
    if champion is None or champion.record is None:
        return Changes(str(number), files=files)
    return Changes(
        str(number),
        differences(champion.record.data, {entry.path: entry.md5 for entry in training.inputs}),
        differences(champion.record.params, training.params),
        files,
    )


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
