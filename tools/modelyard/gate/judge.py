"""The judge: applies every check of a policy, then the waivers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date

from modelyard.evidence.bundle import Bundle
from modelyard.gate.findings import find
from modelyard.gate.verdict import CheckResult, Verdict, overall
from modelyard.manifests.document import Document
from modelyard.manifests.policy import AnyCheck, Policy
from modelyard.manifests.schema import Waiver


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
        _result(check, lines.file, lines.line(("checks", i)), bundle, waivers, today)
        for i, check in enumerate(policy.checks)
    )
    notes = [*notes, *(bundle.evaluation.notes if bundle.evaluation else ())]
    if bundle.evaluation and bundle.evaluation.identical_bytes:
        notes.append(
            f"The candidate is byte-identical to {bundle.evaluation.champion}: merging registers no new version."
        )
    notes += [_expired_note(file, waiver) for file, waiver in waivers if _matches(waiver, bundle) and
              date.fromisoformat(waiver.expires) < today]  # fmt: skip
    digest = hashlib.sha256(lines.content).hexdigest() if lines.content else ""
    return Verdict(overall(results), policy.name, lines.file, results, bundle.digests, tuple(notes), digest)


def _result(
    check: AnyCheck, file: str, line: int, bundle: Bundle, waivers: Sequence[tuple[str, Waiver]], today: date
) -> CheckResult:
    finding = find(check, bundle)
    outcome, waived_by = finding.outcome, ""
    if outcome in ("fail", "inconclusive") and check.level == "soft":
        waived_by = next(
            (
                where
                for where, waiver in waivers
                if _matches(waiver, bundle)
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
        file,
        line,
        finding.subject,
        finding.champion,
        finding.candidate,
        finding.difference,
        finding.interval,
        waived_by,
    )


def _matches(waiver: Waiver, bundle: Bundle) -> bool:
    return waiver.model == bundle.model and waiver.artifact == bundle.artifact


def _expired_note(file: str, waiver: Waiver) -> str:
    return f"The waiver {file} for {waiver.check} expired on {waiver.expires} and no longer counts."
