"""The evidence in this checkout, judged, and the reports rendered beside it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from modelyard.candidate.backtest import backtest_of_change
from modelyard.candidate.files import Candidate
from modelyard.candidate.workspace import Workspace
from modelyard.checkout.checkout import ModelView
from modelyard.checkout.rules import Rules, approvals_at, rules_of_base
from modelyard.checkout.tags import number_at
from modelyard.errors import ModelyardError
from modelyard.evidence.bundle import Bundle, read_bundle
from modelyard.evidence.statement import write_statement
from modelyard.evidence.training import Changes, differences
from modelyard.gate.approvals import approvers
from modelyard.gate.judge import judge
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.manifests.repository import model_file
from modelyard.registry.numbering import Numbering
from modelyard.report.content import Report
from modelyard.report.html.proposal import render_html
from modelyard.report.markdown.comment import render_markdown


def judged_report(view: ModelView, today: date, policy: str | None = None, base: str | None = None) -> Report:
    """The report on a candidate. Evidence in the checkout is used before evidence on the evidence branch.

    With ``base``, the rules are those of that revision, and the report lists how the proposal changes them.
    """
    checkout, candidate = view.checkout, Candidate.of(view)
    artifact = candidate.sha256()
    documents = checkout.evidence.documents(view.name, artifact) | Workspace(view).documents()
    head = checkout.git.commit_of("HEAD")
    if base:
        rules = rules_of_base(checkout.git, checkout.git.commit_of(base), head, view.name, today)
    else:
        rules = view.rules(today, policy)
    bundle = read_bundle(view.name, artifact, documents)
    return report_on(view, bundle, rules, head, base, tuple(candidate.model.owners), today)


def report_on(
    view: ModelView, bundle: Bundle, rules: Rules, head: str, base: str | None, owners: tuple[str, ...], today: date
) -> Report:
    """The report on evidence from any source. It is always judged here; a verdict that comes with it is not used."""
    change = backtest_of_change(view, rules.policy.name, base, head) if base else None
    needed = approvers(approvals_at(view.checkout.git, base), [rules.lines.file]) if base and change else ()
    return Report(
        verdict=judge(rules.policy, rules.lines, bundle, rules.waivers, today, rules.notes, rules.model),
        bundle=bundle,
        commit=head,
        owners=owners,
        changes=changes_between(view, bundle, base, head),
        approvers=needed,
        backtest=change,
        numbering=_numbering(view, bundle, head),
    )


def write_verdict(view: ModelView, today: date, base: str | None) -> Report:
    """The verdict on the evidence, also written beside it."""
    report = judged_report(view, today, base=base)
    content = write_statement("verdict", view.name, report.bundle.artifact, report.verdict)
    Workspace(view).write_evidence("verdict", content)
    return report


def write_reports(view: ModelView, report: Report) -> dict[str, Path]:
    """Format → path of report.md and report.html, which are written."""
    workspace = Workspace(view)
    return {
        "markdown": workspace.write("report.md", render_markdown(report).encode()),
        "html": workspace.write("report.html", render_html(report).encode()),
    }


def file_reports(view: ModelView, report: Report) -> None:
    """Files evidence and reports on the branch modelyard/evidence. What a registered version was judged by stays."""
    workspace, artifact = Workspace(view), report.bundle.artifact
    message = f"{view.name}: evidence about {artifact[:12]}"
    registered = any(known.record and known.record.artifact == artifact for known in view.history.all_versions)
    documents = {} if registered else workspace.documents()
    view.checkout.evidence.file_evidence(view.name, artifact, documents, workspace.reports(), message)


def changes_between(view: ModelView, bundle: Bundle, base: str | None, head: str) -> Changes:
    """The context of a report, with the champion that the evaluation names. Without a base it has no list of files."""
    files = tuple(view.checkout.git.changed_files(base, head)) if base else ()
    training, evaluation = bundle.training, bundle.evaluation
    number = evaluation.champion if evaluation else None
    if training is None or not number:
        return Changes(files=files)
    champion = view.history.version(number)
    if champion is None or champion.record is None:
        return Changes(number, files=files)
    return Changes(
        number,
        differences(champion.record.data, {entry.path: entry.md5 for entry in training.inputs}),
        differences(champion.record.params, training.params),
        files,
    )


def _numbering(view: ModelView, bundle: Bundle, head: str) -> Numbering | None:
    if bundle.evaluation is not None and bundle.evaluation.identical_bytes:
        return None
    content = view.checkout.git.file_at(head, model_file(view.name))
    try:
        if content is None:
            return None
        return number_at(view, parse(Model, content, model_file(view.name)), head, bundle.artifact)
    except ModelyardError:
        return None  # a clone without tags cannot tell; register refuses a requested number that is not possible
