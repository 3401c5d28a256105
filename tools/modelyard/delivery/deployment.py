"""Makes what runs equal what main says, and leaves a stage tag as the receipt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

import msgspec

from modelyard.delivery.authority import require_approved
from modelyard.delivery.evidence_store import file_receipts, file_tags
from modelyard.delivery.guarding import require_unmoved
from modelyard.delivery.tagging import next_counter, signs_tags, write_tag
from modelyard.delivery.trust import require_trusted
from modelyard.dvc import Dvc
from modelyard.errors import ModelyardError, Refused
from modelyard.forges.interface import Change, Forge
from modelyard.git import Git, RefRejected
from modelyard.manifests.repository import ModelRepository, deployment_file
from modelyard.manifests.schema import Deployment
from modelyard.proposal.champion import fetched, model_history, version_by_name
from modelyard.registry.grammar import model_patterns, stage_tag, version_tag
from modelyard.registry.history import ModelHistory, RegisteredVersion
from modelyard.registry.record import StageRecord, write_record
from modelyard.rollout.plan import Desired, Live, plan
from modelyard.rollout.state import Delivery
from modelyard.targets.interface import Package, Target, open_target

_ATTEMPTS = 5


def plan_deliveries(
    repository: ModelRepository, git: Git, environments: set[str], models: set[str]
) -> list[tuple[Delivery, Deployment, Target]]:
    """One plan per deployment of the chosen environments and models (all models when the set is empty)."""
    planned = []
    targets = {name: open_target(repository.environment(name), repository.root) for name in sorted(environments)}
    observed = {name: target.observe() for name, target in targets.items()}
    for environment, deployment in repository.deployments():
        if environment not in environments or (models and deployment.model not in models):
            continue
        live = observed[environment].get(deployment.model, Live())
        history = model_history(git, deployment.model)
        if deployment.version == "latest" and history.latest is None:
            delivery = Delivery(environment, deployment.model, "latest", live.serving, (), skipped="no version yet")
        else:
            version = desired_version(history, deployment)
            artifact = version.record.artifact if version.record else ""
            actions = plan(Desired(str(version.version), artifact), live)
            delivery = Delivery(environment, deployment.model, str(version.version), live.serving, actions)
        planned.append((delivery, deployment, targets[environment]))
    return planned


def desired_version(history: ModelHistory, deployment: Deployment) -> RegisteredVersion:
    """The registered version a deployment names; Refused when it may not be served."""
    version = history.latest if deployment.version == "latest" else version_by_name(history, deployment.version)
    if version is None:
        raise Refused(f"{deployment.model} has no version yet.", f"Run: modelyard register {deployment.model}")
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


def _why(history: ModelHistory, version: RegisteredVersion) -> str:
    for withdrawal in reversed(history.withdrawals):
        if withdrawal.version in ("", str(version.version)):
            return (withdrawal.record.why if withdrawal.record else "") or f"see the tag {withdrawal.tag}"
    return "withdrawn"


def deliver_all(
    repository: ModelRepository,
    git: Git,
    dvc: Dvc,
    forge: Forge,
    planned: Sequence[tuple[Delivery, Deployment, Target]],
    say: Callable[[str], None],
) -> tuple[list[Delivery], list[Refused]]:
    """Carries out every plan; what is refused holds up nothing but itself."""
    done, refusals = [], []
    for delivery, deployment, target in planned:
        try:
            done.append(deliver(repository, git, dvc, forge, delivery, deployment, target, say))
        except Refused as refusal:
            refusals.append(refusal)
            done.append(msgspec.structs.replace(delivery, actions=(), skipped=f"refused: {refusal.problem}"))
    file_tags(git, *dict.fromkeys(delivery.model for delivery in done))
    return done, refusals


def deliver(
    repository: ModelRepository,
    git: Git,
    dvc: Dvc,
    forge: Forge,
    delivery: Delivery,
    deployment: Deployment,
    target: Target,
    say: Callable[[str], None],
) -> Delivery:
    """Carries out one plan and writes the receipt. Killed anywhere and run again, it ends in the same state."""
    if delivery.skipped:
        return delivery
    history = model_history(git, delivery.model)
    version = desired_version(history, deployment)
    assigned = history.assigned(delivery.environment)
    if not delivery.actions and assigned and assigned.version == delivery.desired:
        return delivery
    brought = forge.change_of(version.commit)
    # An environment that follows latest is moved by whoever's change became that version.
    follows = deployment.version == "latest"
    change = brought if follows else forge.last_change(deployment_file(delivery.environment, delivery.model))
    approvals = require_approved(git, forge, delivery.environment, delivery.model, dict.fromkeys((brought, change)))
    require_unmoved(git, delivery.model, version_tag(delivery.model, version.version))
    with ExitStack() as stack:
        package = None
        for action in delivery.actions:
            if package is None:
                found = stack.enter_context(fetched(git, dvc, delivery.model, version))
                require_trusted(git, repository.config.signing, found)
                package = Package(delivery.model, found.name, found.artifact, found.sha256, found.manifest)
            say(f"{delivery.environment}: {action.do} {delivery.model} {action.version}")
            target.apply(action, package)
    approvers = tuple(dict.fromkeys(name for approval in approvals for name in approval.by))
    tag = _receipt(repository, git, delivery, version, change, follows, approvers)
    if tag:
        # The version's own receipt too, should the run that registered it have been killed before it.
        own = [approval for approval in approvals if brought and approval.commit == brought.commit]
        artifact = version.record.artifact if version.record else ""
        number = version_tag(delivery.model, version.version)
        file_receipts(git, delivery.model, artifact, {tag: approvals} | ({number: own} if own else {}))
    return Delivery(delivery.environment, delivery.model, delivery.desired, delivery.desired, delivery.actions, tag)


def _receipt(
    repository: ModelRepository,
    git: Git,
    delivery: Delivery,
    version: RegisteredVersion,
    change: Change | None,
    follows: bool,
    approvers: tuple[str, ...],
) -> str | None:
    remote = git.remote()
    for _ in range(_ATTEMPTS):
        if remote:
            git.fetch_tags(remote, *model_patterns(delivery.model))
        history = model_history(git, delivery.model)
        assigned = history.assigned(delivery.environment)
        if assigned and assigned.version == delivery.desired:
            return None
        record = version.record
        stage = StageRecord(
            version=delivery.desired,
            artifact=record.artifact if record else "",
            why=("follows latest: " if follows else "") + (change.subject if change else ""),
            by=change.author if change else "",
            approved_by=approvers,
            pull=(change.pull or 0) if change else 0,
            commit=git.commit_of("HEAD"),
            replaced=assigned.version if assigned else "",
        )
        tag = stage_tag(delivery.model, delivery.environment, next_counter(git, history))
        headline = f"Assigning stage {delivery.environment} to artifact {delivery.model} version {delivery.desired}"
        try:
            write_tag(git, history, tag, version.commit, write_record(headline, stage), sign=signs_tags(repository))
            return tag
        except RefRejected:
            continue
    raise ModelyardError(
        f"Others tagged {delivery.model} {_ATTEMPTS} times in a row meanwhile.", "Run modelyard deploy again."
    )
