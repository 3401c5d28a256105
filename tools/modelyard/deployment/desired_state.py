"""The version that a deployment names, and whether it may be served."""

from __future__ import annotations

from datetime import date

from modelyard.checkout.checkout import ModelView, version_of
from modelyard.errors import Refused
from modelyard.evidence.statement import read_statement
from modelyard.evidence.verdict import Verdict
from modelyard.gate.waivers import last_day
from modelyard.manifests.deployment import Deployment
from modelyard.registry.history import ModelHistory, RegisteredVersion
from modelyard.rollout.promotion import latest_allowed


def desired_version(history: ModelHistory, deployment: Deployment) -> RegisteredVersion:
    """The version that a deployment names; ``latest`` skips blocked artifacts. Refused when it may not be served."""
    version = (
        latest_allowed(history, deployment.readmit)
        if deployment.version == "latest"
        else version_of(history, deployment.version)
    )
    if version is None:
        raise Refused(
            f"{deployment.model} has no version that may be served.",
            f"Register one with: modelyard register {deployment.model}",
        )
    if history.archived or version in history.withdrawn:
        raise Refused(
            f"{deployment.model} {version.version} is out of use: {_withdrawal_reason(history, version)}.",
            f"Deploy another version. See who withdrew it with: modelyard history {deployment.model}",
        )
    if version.record is None:
        raise Refused(
            f"{deployment.model} {version.version} was tagged by hand, so it has no evidence and no verdict.",
            "Register a version with modelyard register and deploy that one.",
        )
    if version.record.imported:
        raise Refused(
            f"{deployment.model} {version.version} was imported from another registry, so it was never judged here.",
            f"Propose its file: modelyard add {deployment.model} --artifact FILE --holdout TABLE",
        )
    if version.record.verdict not in ("pass", "waived"):
        raise Refused(
            f"{deployment.model} {version.version} has the verdict {version.record.verdict!r}.",
            "Deploy a version whose verdict is pass or waived.",
        )
    return version


def require_waivers(view: ModelView, version: RegisteredVersion, today: date) -> None:
    """Refused when a version passed by waivers and one of them is expired or removed."""
    record, model = version.record, view.name
    if record is None or record.verdict != "waived":
        return
    content = view.checkout.evidence.documents(model, record.artifact).get("verdict")
    if content is None:
        raise Refused(
            f"{model} {version.version} passed by a waiver, but its verdict is not in this clone.",
            "Fetch the branch modelyard/evidence, then deploy again.",
        )
    verdict = read_statement(content, "verdict", Verdict).predicate
    there = dict(view.checkout.repository.waivers())
    for check in verdict.checks:
        if check.outcome != "waived":
            continue
        waiver = there.get(check.waiver)
        if waiver is None or waiver.artifact != record.artifact or last_day(check.waiver, waiver) < today:
            state = f"ended on {waiver.expires}" if waiver and waiver.artifact == record.artifact else "was removed"
            raise Refused(
                f"{model} {version.version} passed {check.id} by {check.waiver or 'a waiver'}, which {state}.",
                "Fix the model, or have a new waiver reviewed.",
            )


def _withdrawal_reason(history: ModelHistory, version: RegisteredVersion) -> str:
    for withdrawal in reversed(history.withdrawals):
        if withdrawal.version in ("", version.version):
            return (withdrawal.record.why if withdrawal.record else "") or f"see the tag {withdrawal.tag}"
    return "withdrawn"
