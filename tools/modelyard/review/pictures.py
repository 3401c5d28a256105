"""The comment's picture, kept on this repository's own evidence branch: nothing is sent to a third party."""

from __future__ import annotations

from modelyard.delivery.evidence_branch import BRANCH, append
from modelyard.errors import ModelyardError
from modelyard.forges.interface import PullForge
from modelyard.git import Git
from modelyard.report.content import Report
from modelyard.report.html.pictures import render_picture


def keep_picture(git: Git, forge: PullForge, report: Report) -> str:
    """Files the picture of a report where it is not there yet; its address, '' when there is nothing to draw."""
    drawn = render_picture(report)
    if not drawn:
        return ""
    path = f"{report.bundle.model}/{report.bundle.artifact}/pictures/intervals.svg"
    if git.file_at(f"refs/remotes/{git.remote() or 'origin'}/{BRANCH}", path) != drawn:
        try:
            append(git, {path: drawn}, f"{report.bundle.model}: the picture of a report")
        except ModelyardError:
            return ""  # a picture is no reason to be without a report
    return forge.raw_url(BRANCH, path)
