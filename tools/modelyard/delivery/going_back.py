"""Takes a version back by hand: traffic first, in seconds; then the record, the receipt and the pull request."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

from modelyard.delivery.evidence_store import file_tags
from modelyard.delivery.receipts import write_receipt
from modelyard.delivery.rollout_record import Recorded, fetch_rollouts, read_rollouts, write_rollout
from modelyard.delivery.trust import require_trusted
from modelyard.dvc import Dvc
from modelyard.errors import ModelyardError, Refused, UsageError
from modelyard.forges.interface import Forge
from modelyard.git import Git, RefRejected
from modelyard.manifests.configuration import Environment
from modelyard.manifests.repository import ModelRepository
from modelyard.proposal.champion import fetched, model_history, version_by_name
from modelyard.registry.history import ModelHistory
from modelyard.registry.tags import StageRecord
from modelyard.review.going_back import propose_going_back
from modelyard.rollout.plan import Delivery, Live, described, plan
from modelyard.rollout.progress import RolloutState
from modelyard.targets.interface import Package, Target

_ATTEMPTS = 5


def go_back(
    repository: ModelRepository,
    git: Git,
    dvc: Dvc,
    forge: Callable[[], Forge],
    target: Target,
    environment: Environment,
    model: str,
    to: str | None,
    why: str,
    by: str,
    say: Callable[[str], None],
) -> Delivery:
    """All traffic to an older version (by default what served before); the bytes it leaves are blocked.

    ``forge`` is opened only after the traffic is back. Refused where there is nothing to go back to.
    """
    live = target.observe().get(model, Live())
    recorded = read_rollouts(git).get((environment.name, model), Recorded())
    history = model_history(git, model)
    unfinished = _interrupted(recorded, live, history)
    bad = unfinished or _bad(live)
    if to:
        good = str(version_by_name(history, to).version)
    else:
        good = (live.serving or "") if unfinished else _before(history, environment.name, recorded, live, bad)
    if bad is None or bad == good:
        raise Refused(
            f"{good} answers for {model} in {environment.name} already, and no other version gets traffic.",
            "There is nothing to take back.",
        )
    now = int(time.time())
    artifact = _artifacts(history, bad, live).get(bad, "")
    state = RolloutState(
        "rolled back", good, bad, artifact, started=now, step_since=now, salt=f"{artifact[:12]}-{now}", previous=good,
        reason=why,
    )  # fmt: skip
    actions = plan(state.traffic, _artifacts(history, good, live), live, frozenset({good, bad}))
    with ExitStack() as stack:
        for action in actions:
            package = None
            if action.do == "install":
                found = stack.enter_context(fetched(git, dvc, model, version_by_name(history, action.version)))
                require_trusted(git, repository.config.signing, found)
                package = Package(model, found.name, found.artifact, found.sha256, found.manifest)
            say(f"{environment.name}: {model}: {action}")
            target.apply(model, action, package)
    tag = _write_down(repository, git, environment.name, model, state, by)
    pull = None
    deployment = repository.deployment(environment.name, model)
    if deployment is not None and deployment.version not in ("latest", good):
        pull = propose_going_back(repository, git, forge(), environment.name, model, state, say)
    return Delivery(
        environment.name, model, deployment.version if deployment else "nothing", good, described(actions), tag,
        rollout=f"{bad} was rolled back: {why}", rolled_back=True, pull=pull,
    )  # fmt: skip


def _write_down(
    repository: ModelRepository, git: Git, environment: str, model: str, state: RolloutState, by: str
) -> str | None:
    sentence = f"all traffic back to {state.stable} by {by}: {state.reason}"
    for _ in range(_ATTEMPTS):
        try:
            fetch_rollouts(git)
            recorded = read_rollouts(git).get((environment, model), Recorded())
            write_rollout(git, environment, model, recorded, state, sentence)
            break
        except RefRejected:
            continue
        except ModelyardError as error:
            raise ModelyardError(
                f"The traffic is back on {state.stable}, but that could not be written down: {error.problem}",
                "Run the same command again when the remote answers, or the next deploy goes forward once more.",
            ) from error
    history = model_history(git, model)
    stage = StageRecord(
        version=state.stable, artifact=_artifacts(history, state.stable, Live()).get(state.stable, ""),
        why=f"rolled back {state.candidate}: {state.reason}", by=by, commit=git.commit_of("HEAD"),
        replaced=state.candidate, blocked=state.artifact, rollout=state.salt,
    )  # fmt: skip
    tag = write_receipt(repository, git, model, environment, stage)
    file_tags(git, model)
    return tag


def _interrupted(recorded: Recorded, live: Live, history: ModelHistory) -> str | None:
    """What lost its traffic, or was about to get it, in a run that was killed before it wrote that down."""
    state = recorded.state
    if state is None or live.serving is None or (live.traffic and live.traffic.candidate):
        return None
    if state.phase == "rolled back":
        receipts = {rollback.record.rollout for rollback in history.rollbacks() if rollback.record}
        unwritten = bool(state.salt) and state.salt not in receipts
        return state.candidate if unwritten and state.stable == live.serving else None
    lost = state.candidate if state.phase == "progressing" else state.stable
    return lost if lost != live.serving else None


def _bad(live: Live) -> str | None:
    """What is to lose its traffic: the candidate of a rollout, else what answers."""
    if live.traffic is None:
        return None
    return live.traffic.candidate or live.traffic.stable


def _before(history: ModelHistory, environment: str, recorded: Recorded, live: Live, bad: str | None) -> str:
    """What served before: the stable version of a rollout, else the newest other version that served here."""
    if live.traffic and live.traffic.candidate:
        return live.traffic.stable
    blocked = {rollback.record.blocked for rollback in history.rollbacks() if rollback.record}
    usable = {
        str(known.version) for known in history.versions if not (known.record and known.record.artifact in blocked)
    }
    state = recorded.state
    if state and state.previous in usable - {bad}:
        return state.previous
    for assignment in reversed(history.assignments):
        if assignment.environment == environment and assignment.version in usable - {bad}:
            return assignment.version
    raise UsageError(
        f"No other version of {history.model} ever served in {environment}.", "Say which to go back to: --to v1.0.0"
    )


def _artifacts(history: ModelHistory, version: str, live: Live) -> dict[str, str]:
    known = version_by_name(history, version)
    return dict(live.installed) | ({version: known.record.artifact} if known.record else {})
