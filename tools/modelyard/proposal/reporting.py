"""Renders what was measured here into files beside the evidence."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from modelyard.delivery.evidence_store import file_evidence
from modelyard.evidence.statement import write_statement
from modelyard.git import Git
from modelyard.manifests.repository import ModelRepository
from modelyard.proposal.judging import judged_report
from modelyard.report.content import Report
from modelyard.report.html.proposal import render_html
from modelyard.report.markdown.comment import render_markdown
from modelyard.workspace import Workspace


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
