"""Takes a version back by hand: traffic first, in seconds; then the record, the receipt and the pull request."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import cast

from modelyard.checkout.champion import fetched, model_history, version_by_name
from modelyard.checkout.evidence_store import file_tags
from modelyard.checkout.trust import require_trusted
from modelyard.deployment.record import Recorded, fetch_rollouts, read_rollouts, timeline, write_receipt, write_rollout
from modelyard.dvc import Dvc
from modelyard.errors import ModelyardError, Refused, UsageError
from modelyard.forges.interface import Forge, PullForge, verdict_status
from modelyard.git import Git, RefRejected
from modelyard.manifests.configuration import Environment
from modelyard.manifests.repository import ModelRepository
from modelyard.registry.history import ModelHistory
from modelyard.registry.tags import StageRecord
from modelyard.report.markdown.bodies import rollback_story
from modelyard.review.pull_requests import (
    Proposed,
    deployment_change,
    open_proposed,
    push_commit,
    remote_head,
    unchanged,
)
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


def propose_going_back(
    repository: ModelRepository,
    git: Git,
    forge: Forge,
    environment: str,
    model: str,
    state: RolloutState,
    say: Callable[[str], None],
) -> int | None:
    """Opens (or refreshes) the revert; its number, None in plain git and when the forge cannot be reached.

    The traffic is back already: what fails here is told, and the next run tries again.
    """
    base = git.commit_of("HEAD")
    try:
        proposed = _proposed(git, base, environment, model, state)
    except Refused:  # main says so already
        return None
    try:
        return propose_change(repository, git, forge, base, proposed, say)
    except ModelyardError as error:
        say(f"The pull request that reverts {model} in {environment} could not be opened: {error.problem}")
        say("  The traffic is back; the next run tries again.")
        return None


def propose_change(
    repository: ModelRepository, git: Git, forge: Forge, base: str, proposed: Proposed, say: Callable[[str], None]
) -> int | None:
    """Opens or refreshes the pull request of a proposed change; in plain git, its branch (then None)."""
    if repository.config.forge != "git":
        pull_forge = cast(PullForge, forge)
        pull, new, head = open_proposed(git, pull_forge, repository.config.default_branch, base, proposed)
        # A push with the job's own token starts no workflow, so the verdict on this head is given here.
        pull_forge.set_status(head, verdict_status("success", proposed.touches, "", ""))
        say(f"{'opened' if new else 'refreshed'} pull request {pull.number}: {proposed.title}")
        return pull.number
    _keep_branch(git, base, proposed)
    say(f"{proposed.title}: on the branch {proposed.branch}, to be reviewed and merged")
    return None


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


def _keep_branch(git: Git, base: str, proposed: Proposed) -> None:
    remote = git.remote()
    ref = f"refs/heads/{proposed.branch}"
    before = remote_head(git, proposed.branch) if remote else git.branches().get(proposed.branch, "")
    if unchanged(git, before, base, proposed):
        return
    kept = {path: content for path, content in proposed.files.items() if content is not None}
    message = f"{proposed.title}\n\n{proposed.body}"
    head = git.commit_on(base, kept, message, frozenset(proposed.files.keys() - kept.keys()))
    if remote:
        push_commit(git, head, proposed.branch, before)
    else:
        git.run("update-ref", ref, head)


def _proposed(git: Git, base: str, environment: str, model: str, state: RolloutState) -> Proposed:
    story = rollback_story(state, timeline(git, environment, model))
    return deployment_change(git, base, model, environment, state.stable, "modelyard", story, "rollback")
