"""Facts that were refused or forged: filed on the evidence branch, with one issue on the forge."""

from __future__ import annotations

import hashlib
import json
from typing import cast

from modelyard.checkout.checkout import Checkout, ModelView
from modelyard.errors import Blocked, ModelyardError, Refused
from modelyard.forges.interface import DEPLOY, Forge, PullForge, Status, shortened
from modelyard.report.markdown.safe import text


def report_refusal(
    view: ModelView, forge: Forge, environment: str, commit: str, refusal: Refused, missing: str
) -> None:
    """Files that a deployment was refused because of an unapproved commit, and sets the status of the commit."""
    path = f"refused/{environment}/{view.name}/{commit}.json"
    evidence = view.checkout.evidence
    info = view.checkout.git.commit_info(commit)
    content = {"commit": commit, "subject": info.subject, "author": info.author, "missing": missing}
    if path not in evidence.listed(path):
        evidence.append({path: _json(content)}, f"{view.name} in {environment}: deployment refused, not approved")
    set_status = getattr(forge, "set_status", None)  # plain git keeps no statuses
    if set_status is not None:
        set_status(commit, Status(DEPLOY, "failure", shortened(f"refused: {missing}")))
    _open_issue(view.checkout, forge, f"unapproved-{commit}", refusal.problem, refusal.remedy)


def report_incident(checkout: Checkout, forge: Forge, name: str, problem: str, remedy: str) -> None:
    """Files an incident under a name, once, and opens one issue on the forge."""
    path = f"incidents/{name}.json"
    if path not in checkout.evidence.listed(path):
        checkout.evidence.append({path: _json({"problem": problem, "remedy": remedy})}, f"Incident: {problem}")
    _open_issue(checkout, forge, name, problem, remedy)


def report_blocked(checkout: Checkout, forge: Forge, fault: Blocked) -> None:
    """Files a blocked fact as an incident, once, and opens one issue on the forge."""
    name = f"blocked-{hashlib.sha256(fault.problem.encode()).hexdigest()[:16]}"
    report_incident(checkout, forge, name, fault.problem, fault.remedy)


def _open_issue(checkout: Checkout, forge: Forge, name: str, problem: str, remedy: str) -> None:
    if checkout.repository.config.forge == "git":
        return
    marker = f"<!-- modelyard:incident {name} -->"
    body = f"{marker}\n{text(problem)}\n\n{text(remedy)}\n"
    try:
        cast(PullForge, forge).write_issue(shortened(f"modelyard: {problem}"), body, marker)
    except ModelyardError:
        return  # the refusal is filed and said; an issue needs a permission that the job may lack


def _json(content: dict[str, str]) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True).encode() + b"\n"
