"""The registered version a deployment names, and whether it may be served at all."""

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
    """The version a deployment means; latest passes over what was rolled back. Refused when it may not be served."""
    version = (
        latest_allowed(history, deployment.readmit)
        if deployment.version == "latest"
        else version_of(history, deployment.version)
    )
    if version is None:
        raise Refused(
            f"{deployment.model} has no version that may be served.",
            f"Run: modelyard register {deployment.model}",
        )
    if history.archived or version in history.withdrawn:
        raise Refused(
            f"{deployment.model} {version.version} is out of use: {_why(history, version)}.",
            "Deploy another version; modelyard history tells who withdrew it.",
        )
    if version.record is None:
        raise Refused(
            f"{deployment.model} {version.version} was tagged by hand: no evidence, no verdict.",
            "Register it with modelyard register, then deploy that version.",
        )
    if version.record.verdict not in ("pass", "waived"):
        raise Refused(
            f"{deployment.model} {version.version} carries the verdict {version.record.verdict!r}.",
            "Only what the gate let pass is deployed.",
        )
    return version


def require_waivers(view: ModelView, version: RegisteredVersion, today: date) -> None:
    """Refused when a version passed only by waivers, and one of those is over or gone."""
    record, model = version.record, view.name
    if record is None or record.verdict != "waived":
        return
    content = view.checkout.evidence.documents(model, record.artifact).get("verdict")
    if content is None:
        raise Refused(
            f"{model} {version.version} passed by a waiver, and its verdict is not filed here.",
            "Fetch the branch modelyard/evidence, then deploy again.",
        )
    verdict = read_statement(content, "verdict", Verdict).predicate
    there = dict(view.checkout.repository.waivers())
    for check in verdict.checks:
        if check.outcome != "waived":
            continue
        waiver = there.get(check.waiver)
        if waiver is None or waiver.artifact != record.artifact or last_day(check.waiver, waiver) < today:
            said = f"ended on {waiver.expires}" if waiver and waiver.artifact == record.artifact else "is gone"
            raise Refused(
                f"{model} {version.version} passed the check {check.id} by {check.waiver or 'a waiver'}, which {said}.",
                "Mend the model, or have a new waiver reviewed.",
            )


def _why(history: ModelHistory, version: RegisteredVersion) -> str:
    for withdrawal in reversed(history.withdrawals):
        if withdrawal.version in ("", version.version):
            return (withdrawal.record.why if withdrawal.record else "") or f"see the tag {withdrawal.tag}"
    return "withdrawn"
