"""The status of every deployment: desired and observed state, health and receipt."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from modelyard.checkout.evidence_store import EvidenceStore
from modelyard.checkout.proof import doubts, proven_registry
from modelyard.errors import ModelyardError, UsageError
from modelyard.git import Git, PendingTags
from modelyard.manifests.approvals import APPROVALS
from modelyard.manifests.deployment import Deployment
from modelyard.manifests.repository import ModelRepository
from modelyard.registry.history import ModelHistory
from modelyard.registry.tags import StageRecord, parse_tag, version_tag
from modelyard.rollout.plan import Live, StatusLine
from modelyard.rollout.promotion import blocking_rollback, latest_allowed
from modelyard.secrets.interface import Secrets
from modelyard.secrets.permission import NOT_LIVE, open_secrets
from modelyard.targets.discovery import open_target
from modelyard.targets.interface import Health, Target

UNPROTECTED = (
    "Nothing is protected: policies/approvals.yaml never stood on the default branch, so whoever pushes there deploys."
)
UNPUSHED = (
    "This clone has evidence or receipts that the remote lacked at the last fetch. The next command that writes pushes"
    " them, such as modelyard audit check."
)


def observe(
    repository: ModelRepository,
    git: Git,
    pending: PendingTags,
    model: str | None = None,
    environment: str | None = None,
    *,
    live: bool = False,
) -> list[StatusLine]:
    """The status of all deployments (of one model, of one environment), sorted by model, then environment.

    A target that is asked with a secret is observed only with ``live``.

    ``pending`` are the tags. They are read last, while git is still writing them. UsageError in a shallow clone without
    tags.
    """
    deployments = [
        (where, deployment)
        for where, deployment in repository.deployments()
        if model in (None, deployment.model) and environment in (None, where)
    ]
    targets: dict[str, _ObservedTarget] = {}
    secrets = open_secrets(git, live=live)
    for where, _ in deployments:
        if where not in targets:
            targets[where] = _observe_target(repository, where, secrets)
    registry = proven_registry(git, pending)
    if not registry.models:
        git.require_work_tree()
    if not registry.models and git.is_shallow() and git.remote():
        raise UsageError(
            "This clone is shallow and has no tags, so deployments are unknown.",
            "Run: git fetch --tags origin",
        )
    lines = []
    for where, deployment in deployments:
        history = registry.history(deployment.model)
        line = _line(where, deployment, history, targets[where])
        lines.append(replace(line, doubts=_doubts(history, where, line)))
    lines = _taken_back(git, lines)
    order = {declared.name: i for i, declared in enumerate(repository.config.environments)}
    return sorted(lines, key=lambda line: (line.model, order[line.environment]))


def protection(git: Git) -> str:
    """Why nothing is protected, as a sentence; '' where approval rules stand or stood."""
    stood = git.file_at("HEAD", APPROVALS) is not None or git.history(APPROVALS, first_parent=True)
    return "" if stood else UNPROTECTED


def unpushed(git: Git) -> str:
    """That this clone has evidence which the remote lacks, as a sentence; '' otherwise. Nothing is fetched."""
    return UNPUSHED if EvidenceStore(git).unpushed() else ""


def _taken_back(git: Git, lines: list[StatusLine]) -> list[StatusLine]:
    """The lines; those whose candidate lost its traffic at the deadline of its rollout say so, with the reason."""
    if not any(line.sync == "out of sync" for line in lines):
        return lines
    from modelyard.deployment.record import read_rollouts

    journals = read_rollouts(git)
    found = []
    for line in lines:
        recorded = journals.get((line.environment, line.model))
        state = recorded.state if recorded else None
        if (
            line.sync == "out of sync"
            and state is not None
            and state.phase == "expired"
            and (state.candidate, state.stable) == (line.desired, line.live)
        ):
            said = f"desired {line.desired}, live {line.live}: {state.reason}. {line.desired} is not blocked"
            line = replace(line, sync="expired", rollout=said)
        found.append(line)
    return found


def _doubts(history: ModelHistory, environment: str, line: StatusLine) -> tuple[str, ...]:
    """The tags that a line does not believe: receipts of its environment, and versions that may be taken for its own.

    These are the version that is desired, and every one above the newest that counts.
    """
    found: dict[str, list[str]] = {}
    newest = history.latest.version.order if history.latest else None
    for tag, why in doubts(history).items():
        parsed = parse_tag(tag)
        if parsed is None:
            continue
        of_line = parsed.environment == environment
        if not of_line and parsed.version:
            named = tag == version_tag(history.model, parsed.version) and parsed.version in (line.desired, line.live)
            of_line = named or newest is None or parsed.version.order > newest
        if of_line:
            found.setdefault(why, []).append(tag)
    return tuple(f"{_named(tags)}: {why}" for why, tags in found.items())


def _named(tags: list[str]) -> str:
    return ", ".join(tags[:3]) + (f" and {len(tags) - 3} more" if len(tags) > 3 else "")


class _ObservedTarget(Struct, frozen=True):
    """The observed state of one target, or why it could not be observed."""

    target: Target | None
    live: dict[str, Live]
    fault: str = ""

    def health(self, model: str, version: str) -> Health:
        """The health of a version; down when the target does not answer."""
        if self.target is None:
            return Health("down", self.fault)
        try:
            return self.target.health(model, version)
        except ModelyardError as error:
            return Health("down", error.problem)


def _observe_target(repository: ModelRepository, environment: str, secrets: Secrets) -> _ObservedTarget:
    try:
        target = open_target(repository.environment(environment), repository.root, secrets)
        return _ObservedTarget(target, target.observe())
    except ModelyardError as error:  # the other environments are shown anyway
        return _ObservedTarget(None, {}, error.problem)


def _line(environment: str, deployment: Deployment, history: ModelHistory, observed: _ObservedTarget) -> StatusLine:
    found = observed.live.get(deployment.model, Live())
    live = found.serving
    desired = _desired(deployment, history)
    assigned = history.assigned(environment)
    unasked = NOT_LIVE in observed.fault
    if unasked and assigned:
        live = assigned.version
    receipt = assigned if assigned and assigned.version == live else None
    record = receipt.record if receipt else None
    sync, rollout = (
        ("filed" if unasked else "unknown", "")
        if observed.fault
        else _sync(desired, found, record, history, deployment)
    )
    health = observed.health(deployment.model, live or "") if live or observed.fault else None
    if unasked:
        health = Health("unknown", f"not observed: {NOT_LIVE}. The last receipt is shown.")
    return StatusLine(
        deployment.model,
        environment,
        desired,
        live,
        sync,
        health.state if health else "–",
        health.reason if health else "",
        receipt.at if receipt else 0,
        record.why if record else "",
        (record.by if record else "") or (receipt.by if receipt else ""),
        record.approved_by if record else (),
        rollout,
    )


def _desired(deployment: Deployment, history: ModelHistory) -> str:
    if deployment.version != "latest":
        return deployment.version
    latest = latest_allowed(history, deployment.readmit)
    return latest.version if latest else "latest"


def _sync(
    desired: str, found: Live, record: StageRecord | None, history: ModelHistory, deployment: Deployment
) -> tuple[str, str]:
    """The sync verdict, and a sentence on the rollout ('' without one)."""
    traffic = found.traffic
    if traffic is None:
        return "not deployed", ""
    if traffic.candidate:
        share = "a copy of all requests" if traffic.mirror and not traffic.weight else f"{traffic.weight:g} %"
        return "rolling out", f"{traffic.candidate} gets {share}, {traffic.stable} answers the rest"
    if found.serving == desired:
        return ("out of sync" if found.installed.get(desired) == "" else "in sync"), ""
    rolled_back = record is not None and record.replaced == desired and record.blocked
    if record and rolled_back and blocking_rollback(history, record.blocked, deployment.readmit):
        return "rolled back", f"desired {desired}, live {found.serving}: {record.why}"
    return "out of sync", ""
