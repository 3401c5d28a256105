"""Registration of the merged candidate: judged again, numbered, signed, tagged, with its evidence filed."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from datetime import date

from msgspec import structs

from modelyard.candidate.ci_locks import is_foreign_lock
from modelyard.candidate.files import Candidate
from modelyard.candidate.reproduction import repinned_stages
from modelyard.candidate.workspace import Workspace
from modelyard.checkout.checkout import ModelView
from modelyard.checkout.evidence_store import approvals_file, digests, evidence_files
from modelyard.checkout.tags import number_at, settle_tags, write_tag
from modelyard.errors import ModelyardError, Refused, UsageError
from modelyard.evidence.approval import ApprovalRecord
from modelyard.evidence.bundle import Bundle, read_bundle
from modelyard.evidence.statement import write_statement
from modelyard.evidence.training import environment_digest
from modelyard.evidence.verdict import Verdict
from modelyard.files import small_files
from modelyard.forges.ci import read_ci
from modelyard.forges.interface import Forge
from modelyard.gate.judge import judge
from modelyard.gate.reproduction import irreproducible, unreproduced
from modelyard.git import RefRejected
from modelyard.manifests.names import Version
from modelyard.manifests.pipeline import read_lock
from modelyard.registry.history import ModelHistory
from modelyard.registry.numbering import Numbering
from modelyard.registry.tags import VersionRecord, version_tag, write_record
from modelyard.review.mainline import Mainline
from modelyard.secrets.transit import is_transit, transit_key
from modelyard.signing import SIGNATURE, Signer, sign

_ATTEMPTS = 5


@dataclass(frozen=True)
class Registered:
    """The version that ``register`` created or found."""

    tag: str
    version: Version
    reasons: tuple[str, ...]
    new: bool
    """False when the same artifact was registered before."""
    doubt: str = ""
    """What speaks against a dvc.lock that no run of CI left, where the policy does not refuse it."""


def register(view: ModelView, forge: Forge, today: date, skip_unchanged: bool = False) -> Registered:
    """Registers the candidate of HEAD as a version.

    Refused when the gate does not pass it, and when the same artifact is registered at another commit. With
    ``skip_unchanged``, that version is returned instead.
    """
    git, evidence, name = view.checkout.git, view.checkout.evidence, view.name
    candidate = Candidate.of(view)
    artifact = candidate.sha256()
    commit = git.commit_of("HEAD")
    mainline = Mainline(view.checkout, forge)
    mainline.require_merged(commit, "HEAD")
    if git.uncommitted(f"models/{name}", "data"):
        raise UsageError(f"models/{name} or data differs from HEAD.", "Commit or restore the changes.")
    _require_stored_bytes(view, candidate, artifact)
    signature: dict[str, bytes] = {}
    for _ in range(_ATTEMPTS):
        settle_tags(view.checkout, name)  # also what a concurrent run is about to write
        history = view.checkout.reread(name, fetch=True)
        if history.archived or candidate.model.lifecycle == "archived":
            raise Refused(f"{name} is archived, so it gets no new version.", f"See why: modelyard history {name}")
        done = _registered_already(history, artifact, commit, skip_unchanged)
        if done:
            _complete_filing(view, candidate, artifact, done.tag)
            return done
        documents = evidence.documents(name, artifact) | Workspace(view).documents()
        bundle = read_bundle(name, artifact, documents)
        verdict, doubt = _judged(view, bundle, commit, today), _doubt(view, bundle, commit, today)
        numbering = number_at(view, candidate.model, commit, artifact)
        [approval] = mainline.record(commit)
        documents["verdict"] = write_statement("verdict", name, artifact, verdict)
        record = _record(candidate, approval, bundle, verdict, numbering, documents["verdict"])
        tag = version_tag(name, numbering.version)
        headline = f"Registering artifact {name} version {numbering.version}"
        signature = signature or _signature(view, candidate)
        files = evidence_files(name, artifact, documents, Workspace(view).reports() | signature)
        files |= approvals_file(name, artifact, tag, (approval,))
        # A reproduction, unlike the rest, may be made again later.
        record = structs.replace(record, filed=digests(name, files, documents.keys() - {"probe"}))
        try:
            write_tag(view, tag, commit, write_record(headline, record), files)
        except RefRejected:
            continue
        return Registered(tag, numbering.version, numbering.reasons, new=True, doubt=doubt)
    raise ModelyardError(f"{_ATTEMPTS} concurrent runs registered versions of {name}.", "Run modelyard register again.")


def _signature(view: ModelView, candidate: Candidate) -> dict[str, bytes]:
    """File name → signature of the candidate's artifact; empty unless modelyard.yaml requires signatures."""
    signing = view.checkout.repository.config.signing
    if signing is None:
        return {}
    signer = Signer.of(os.environ)
    if not signing.identities:  # a job may have an OpenID token for its cloud; nobody would believe what it signs
        signer = replace(signer, keyless=False)
    if is_transit(signer.key):
        signer = Signer(kept=transit_key(signer.key, os.environ))
    return {SIGNATURE: sign(candidate.artifact, signer)}


def _complete_filing(view: ModelView, candidate: Candidate, artifact: str, tag: str) -> None:
    """Files evidence and a signature that a version lacks."""
    evidence, name, workspace = view.checkout.evidence, view.name, Workspace(view)
    there = evidence.files(name, artifact)
    documents = {kind: content for kind, content in workspace.documents().items() if f"{kind}.json" not in there}
    reports = workspace.reports() if documents else {}
    if SIGNATURE not in there:
        reports |= _signature(view, candidate)
    if documents or reports:
        evidence.file_evidence(name, artifact, documents, reports, f"{tag}: evidence")


def _registered_already(history: ModelHistory, artifact: str, commit: str, anywhere: bool) -> Registered | None:
    for known in reversed(history.versions):
        if known.record is None or known.record.artifact != artifact:
            continue
        if anywhere or known.commit == commit:
            return Registered(version_tag(history.model, known.version), known.version, known.record.reasons, False)
        raise Refused(
            f"The artifact of {history.model} is byte-identical to that of {known.version}.",
            "Deploy that version, or change code, parameters or data.",
        )
    return None


def pinned_artifact(candidate: Candidate) -> str:
    """The md5 of the artifact that dvc.lock of this checkout pins; ModelyardError without one."""
    name, lock = candidate.model.name, candidate.folder / "dvc.lock"
    path = f"models/{name}/{candidate.model.files.artifact}"
    read = small_files(candidate.folder.parents[1])
    locked = read_lock(lock.read_bytes(), f"models/{name}/dvc.lock", read).output(path) if lock.is_file() else None
    if locked is None:
        raise ModelyardError(f"{lock} does not pin {path}.", f"Run: modelyard retrain {name} --commit")
    return locked.md5


def _require_stored_bytes(view: ModelView, candidate: Candidate, artifact: str) -> None:
    """ModelyardError unless the artifact is the one that dvc.lock of HEAD pins, and the DVC remote has its bytes."""
    name, pinned = candidate.model.name, pinned_artifact(candidate)
    md5 = hashlib.md5(candidate.artifact.read_bytes(), usedforsecurity=False).hexdigest()
    if md5 != pinned:
        raise ModelyardError(
            f"{candidate.artifact} (sha256 {artifact[:12]}) is not the artifact that dvc.lock pins.",
            f"Run: modelyard retrain {name}",
        )
    if view.checkout.dvc.has_remote() and not view.checkout.dvc.on_remote(md5):
        raise Refused(
            f"The artifact of {name} (md5 {md5[:12]}) is not on the DVC remote, so no other machine could deploy it.",
            f"Push it: dvc push models/{name}/dvc.yaml",
        )


def _judged(view: ModelView, bundle: Bundle, commit: str, today: date) -> Verdict:
    champion = view.champion
    if bundle.evaluation and bundle.evaluation.champion != (champion.version if champion else None):
        raise Refused(
            f"The candidate was compared with {bundle.evaluation.champion or 'no champion'}, but the champion is now"
            f" {champion.version if champion else 'none'}.",
            f"Compare it again: modelyard evaluate {bundle.model}, then drift, gate and register.",
        )
    rules = view.rules(today)
    verdict = judge(rules.policy, rules.lines, bundle, rules.waivers, today, rules.notes, rules.model)
    if verdict.outcome not in ("pass", "waived"):
        first = verdict.blocking[0]
        raise Refused(
            f"The verdict on {bundle.model} is {verdict.outcome}: {first.id}: {first.sentence}",
            f"See all checks with: modelyard gate {bundle.model}",
        )
    if why := irreproducible(rules.policy, bundle):
        raise Refused(why, f"Give {bundle.model} another policy in model.yaml, or train it here by a pipeline.")
    stages = repinned_stages(view, commit)
    if (rules.policy.reproduced == "required" or stages) and (why := unreproduced(rules.policy, bundle, commit)):
        if stages:
            why += (
                f" dvc.lock pins other outputs of {', '.join(stages)} than a registered version has, for the same"
                " command, inputs and parameters."
            )
        raise Refused(
            why,
            f"Run: modelyard reproduce {bundle.model}. If that changes nothing, train on main's own data and code:"
            f" modelyard retrain {bundle.model} --force --commit, in a pull request.",
        )
    return verdict


def _doubt(view: ModelView, bundle: Bundle, commit: str, today: date) -> str:
    """Why nothing supports a lock that no run of CI left; '' where a second run does, and outside CI without one."""
    if not (bundle.reproduction or read_ci(os.environ).run) or not is_foreign_lock(view):
        return ""
    why = unreproduced(view.rules(today).policy, bundle, commit)
    return f"No run of CI left this dvc.lock of {bundle.model}. {why}" if why else ""


def _record(
    candidate: Candidate,
    approval: ApprovalRecord,
    bundle: Bundle,
    verdict: Verdict,
    numbering: Numbering,
    document: bytes,
) -> VersionRecord:
    training, evaluation = bundle.training, bundle.evaluation
    return VersionRecord(
        artifact=bundle.artifact,
        lock=hashlib.sha256((candidate.folder / "dvc.lock").read_bytes()).hexdigest(),
        code=approval.commit,
        data={entry.path: entry.md5 for entry in training.inputs} if training else {},
        environment=environment_digest(training.packages) if training else "",
        params=training.params if training else {},
        metrics={m.name: round(m.candidate, 6) for m in evaluation.metrics if m.candidate is not None}
        if evaluation else {},
        against={
            m.name: (round(m.difference, 6), round(m.interval.low, 6), round(m.interval.high, 6))
            for m in evaluation.metrics
            if m.difference is not None and m.interval is not None
        }
        if evaluation and evaluation.champion else {},
        held_out=evaluation.held_out.sha256 if evaluation and evaluation.held_out else "",
        held_out_name=evaluation.held_out.name if evaluation and evaluation.held_out else "",
        verdict=verdict.outcome,
        evidence=bundle.digests | {"verdict": hashlib.sha256(document).hexdigest()},
        reasons=numbering.reasons,
        champion=(evaluation.champion or "") if evaluation else "",
        by=approval.author,
        approved_by=approval.by,
        pull=approval.pull,
        report=approval.report,
    )  # fmt: skip
