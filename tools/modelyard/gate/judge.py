"""The judge: it applies every check of a policy, then the waivers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from modelyard.evidence.bundle import Bundle
from modelyard.evidence.verdict import CheckResult, Finding, Verdict, overall
from modelyard.gate.findings import find
from modelyard.gate.reproduction import irreproducible
from modelyard.manifests.approvals import Waiver
from modelyard.manifests.check import Check
from modelyard.manifests.document import Document, FieldPath
from modelyard.manifests.model import Model, declared
from modelyard.manifests.policy import AnyCheck, EvidenceCheck, Policy
from modelyard.manifests.rules import applies
from modelyard.metrics.evaluation import Evaluation


def judge(
    policy: Policy,
    lines: Document,
    bundle: Bundle,
    waivers: Sequence[tuple[str, Waiver]],
    today: date,
    notes: Sequence[str] = (),
    known: Model | None = None,
) -> Verdict:
    """The verdict on a candidate, on the day ``today``.

    ``lines`` is the policy's document; each result names the line of its check. ``notes`` are sentences about the rules
    themselves. ``known`` is model.yaml where the rules come from: a candidate that no longer declares its groups is
    judged by the rules for groups all the same.
    """
    subject = (bundle.model, bundle.artifact)
    results = tuple(
        apply(check, _finding(check, policy, bundle), lines, ("checks", i), subject, waivers, today)
        for i, check in enumerate(policy.checks)
        if _is_for(check, bundle.evaluation, known)
    )
    notes = [*notes, *(bundle.evaluation.notes if bundle.evaluation else ())]
    if bundle.evaluation and bundle.evaluation.identical_bytes:
        notes.append(
            f"The candidate is byte-identical to {bundle.evaluation.champion}; a merge registers no new version."
        )
    notes += [_expired_note(file, waiver) for file, waiver in waivers if _matches(waiver, subject) and
              date.fromisoformat(waiver.expires) < today]  # fmt: skip
    digest = hashlib.sha256(lines.content).hexdigest() if lines.content else ""
    return Verdict(
        outcome=overall(results),
        policy=policy.name,
        policy_file=lines.file,
        checks=results,
        evidence=bundle.digests,
        notes=tuple(notes),
        policy_sha256=digest,
    )


def _finding(check: AnyCheck, policy: Policy, bundle: Bundle) -> Finding:
    """The finding of a check. A training that nobody can repeat is no evidence for a policy that wants a second run."""
    refused = irreproducible(policy, bundle) if isinstance(check, EvidenceCheck) else ""
    found = find(check, bundle)
    if not refused or found.outcome != "pass":
        return found
    return replace(found, outcome="fail", sentence=refused, reason="the model was trained elsewhere")


def apply(
    check: Check,
    finding: Finding,
    lines: Document,
    where: FieldPath,
    subject: tuple[str, str],
    waivers: Sequence[tuple[str, Waiver]],
    today: date,
) -> CheckResult:
    """The result of a check: its finding, its level and its waivers. ``subject`` is (model, sha256 of the artifact)."""
    outcome, waived_by = finding.outcome, ""
    if outcome in ("fail", "inconclusive") and check.level == "soft":
        waived_by = next(
            (
                file
                for file, waiver in waivers
                if _matches(waiver, subject)
                and waiver.check == check.id
                and waiver.requested_by != waiver.approved_by
                and date.fromisoformat(waiver.expires) >= today
            ),
            "",
        )
        outcome = "waived" if waived_by else outcome
    kind = str(check.__struct_config__.tag)
    return CheckResult(
        id=check.id,
        kind=kind,
        level=check.level,
        outcome=outcome,
        sentence=finding.sentence,
        why=check.why,
        file=lines.file,
        line=lines.line(where),
        subject=finding.subject,
        champion=finding.champion,
        candidate=finding.candidate,
        difference=finding.difference,
        interval=finding.interval,
        waiver=waived_by,
        limit=finding.limit,
        reason=finding.reason,
        settled_by=finding.settled_by,
        applicable=finding.applicable,
    )


def _is_for(check: Check, evaluation: Evaluation | None, known: Model | None) -> bool:
    task = evaluation.task if evaluation else known.task if known else ""
    said = {*(evaluation.declared if evaluation else ()), *(declared(known) if known else ())}
    return applies(check, task, said) if task else True


def _matches(waiver: Waiver, subject: tuple[str, str]) -> bool:
    return (waiver.model, waiver.artifact) == subject


def _expired_note(file: str, waiver: Waiver) -> str:
    return f"The waiver {file} for {waiver.check} is not applied: its last day was {waiver.expires}."
