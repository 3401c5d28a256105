"""Pictures of reports on the evidence branch: who may see the repository sees them, and no third party is asked."""

from __future__ import annotations

import hashlib

from modelyard.checkout.evidence_branch import BRANCH
from modelyard.checkout.evidence_store import EvidenceStore
from modelyard.errors import ModelyardError
from modelyard.forges.interface import PullForge
from modelyard.report.content import Report
from modelyard.report.html.pictures import plot_picture, render_picture
from modelyard.report.markdown.custom import plot_name

METRICS = "metrics"
"""The name of the picture of all metrics."""
_ENDINGS = {"jpeg": "jpg"}


def file_pictures(evidence: EvidenceStore, forge: PullForge, report: Report) -> dict[str, str]:
    """Files the pictures of a report, each once; name → URL. Empty without pictures, or where they cannot be filed.

    The team's own ones are named by the digest of their content, and have the ending of the format that they are in.
    """
    folder = f"{report.bundle.model}/{report.bundle.artifact}/pictures"
    paths: dict[str, str] = {}
    contents: dict[str, bytes] = {}

    def keep(name: str, path: str, content: bytes) -> None:
        if content:
            paths[name], contents[path] = path, content

    keep(METRICS, f"{folder}/intervals.svg", render_picture(report))
    custom = report.bundle.custom
    for at, plot in enumerate(custom.plots if custom else ()):
        drawn = plot_picture(plot)
        keep(plot_name(at), f"{folder}/{hashlib.sha256(drawn).hexdigest()[:32]}.svg", drawn)
    for name, picture in (custom.shown if custom else {}).items():
        ending = _ENDINGS.get(picture.format, picture.format)
        keep(name, f"{folder}/{picture.digest[:32]}.{ending}", picture.content)
    there = evidence.filed(*contents) if contents else {}
    new = {path: content for path, content in contents.items() if there.get(path) != content}
    if new:
        try:
            evidence.append(new, f"{report.bundle.model}: pictures of a report")
        except ModelyardError:
            return {}  # the report is shown without them
    return {name: forge.raw_url(BRANCH, path) for name, path in paths.items()}
