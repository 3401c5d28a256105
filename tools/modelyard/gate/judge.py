"""The judge: applies every check of a policy, then the waivers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date

from modelyard.evidence.bundle import Bundle
from modelyard.evidence.verdict import CheckResult, Finding, Verdict, overall
from modelyard.gate.findings import find
from modelyard.manifests.approvals import Waiver
from modelyard.manifests.document import Document, FieldPath
from modelyard.manifests.policy import Check, Policy


def judge(
    policy: Policy,
    lines: Document,
    bundle: Bundle,
    waivers: Sequence[tuple[str, Waiver]],
    today: date,
    notes: Sequence[str] = (),
) -> Verdict:
    """The verdict on a candidate. ``lines`` is the policy's document, so that each result names its rule's line;
    ``notes`` are what a reader must know about the rules themselves.
    """
    results = tuple(
        apply(check, find(check, bundle), lines, ("checks", i), (bundle.model, bundle.artifact), waivers, today)
        for i, check in enumerate(policy.checks)
    )
    notes = [*notes, *(bundle.evaluation.notes if bundle.evaluation else ())]
    if bundle.evaluation and bundle.evaluation.identical_bytes:
        notes.append(
            f"The candidate is byte-identical to {bundle.evaluation.champion}: merging registers no new version."
        )
    subject = (bundle.model, bundle.artifact)
    notes += [_expired_note(file, waiver) for file, waiver in waivers if _matches(waiver, subject) and
              date.fromisoformat(waiver.expires) < today]  # fmt: skip
    digest = hashlib.sha256(lines.content).hexdigest() if lines.content else ""
    return Verdict(overall(results), policy.name, lines.file, results, bundle.digests, tuple(notes), digest)


def apply(
    check: Check,
    finding: Finding,
    lines: Document,
    where: FieldPath,
    subject: tuple[str, str],
    waivers: Sequence[tuple[str, Waiver]],
    today: date,
) -> CheckResult:
    """A rule's finding with its level and the waivers for ``subject``, which is (model, sha256 of the artifact)."""
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
        check.id,
        kind,
        check.level,
        outcome,
        finding.sentence,
        check.why,
        lines.file,
        lines.line(where),
        finding.subject,
        finding.champion,
        finding.candidate,
        finding.difference,
        finding.interval,
        waived_by,
    )


def _matches(waiver: Waiver, subject: tuple[str, str]) -> bool:
    return (waiver.model, waiver.artifact) == subject


def _expired_note(file: str, waiver: Waiver) -> str:
    return f"The waiver {file} for {waiver.check} expired on {waiver.expires} and no longer counts."
