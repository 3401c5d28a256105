"""Manual rollback: traffic moves first; then come the journal entry, the receipt and the pull request."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import cast

from modelyard.checkout.artifacts import fetch_version
from modelyard.checkout.checkout import Checkout, ModelView, version_of
from modelyard.checkout.tags import settle_tags
from modelyard.checkout.trust import require_trusted
from modelyard.deployment.door import Door
from modelyard.deployment.record import Recorded, fetch_rollouts, read_rollouts, timeline, write_receipt, write_rollout
from modelyard.errors import ModelyardError, Refused, UsageError
from modelyard.forges.interface import Forge, PullForge, verdict_status
from modelyard.git import Git, RefRejected
from modelyard.manifests.configuration import Environment
from modelyard.registry.history import Assignment, ModelHistory
from modelyard.registry.tags import StageRecord
from modelyard.report.markdown.bodies import rollback_story
from modelyard.review.pull_requests import (
    Proposed,
    VersionChange,
    deployment_change,
    open_proposed,
    push_commit,
    remote_head,
    unchanged,
)
from modelyard.rollout.plan import Delivery, Live, described, plan
from modelyard.rollout.progress import RolloutState
from modelyard.rollout.promotion import blocking_rollback
from modelyard.targets.interface import Target

_ATTEMPTS = 5


@dataclass(frozen=True)
class RollbackRequest:
    """A requested rollback. ``to`` None means the version that served before."""

    to: str | None
    why: str
    by: str


def roll_back(
    view: ModelView,
    environment: Environment,
    target: Target,
    forge: Callable[[], Forge],
    request: RollbackRequest,
    say: Callable[[str], None],
) -> Delivery:
    """Moves all traffic to an older version, and blocks the artifact that it leaves.

    ``forge`` is opened after traffic has moved, and before only for a version that never served here. A repeat finishes
    what a killed run began, and otherwise changes nothing: to go further back, the request names a version. Refused
    when no other version has traffic, and for a version whose artifact was rolled back; UsageError when no version
    served before and none is requested.
    """
    model, git = view.name, view.checkout.git
    with suppress(ModelyardError):  # traffic goes back also while the remote does not answer
        settle_tags(view.checkout, model)
    history = view.history
    live = target.observe().get(model, Live())
    recorded = read_rollouts(git).get((environment.name, model), Recorded())
    unfinished = _interrupted(recorded, live, history, environment.name)
    bad = unfinished or _failed_version(live)
    wanted = view.version(request.to).version if request.to else None
    done = None if unfinished else _done_already(history, environment.name, live)
    if done is not None and wanted in (None, done.version):
        return _repeated(view, environment, forge, recorded, done, say)
    if wanted is not None:
        good: str = wanted
        _require_unblocked(history, good, environment)
    else:
        good = (live.serving or "") if unfinished else _previous_version(history, environment.name, recorded, live, bad)
    if bad is None or bad == good:
        raise Refused(
            f"{model} in {environment.name} already serves {good} alone.",
            "There is nothing to roll back.",
        )
    now = int(time.time())
    artifact = _artifacts(history, bad, live).get(bad, "")
    state = RolloutState(
        "rolled back", good, bad, artifact, started=now, step_since=now, salt=f"{artifact[:12]}-{now}", previous=good,
        reason=request.why,
    )  # fmt: skip
    actions = plan(state.traffic, _artifacts(history, good, live), live, frozenset({good, bad}))
    served = any(a.environment == environment.name and a.version == good for a in history.assignments)
    Door(view.checkout, None if served else forge()).admit_back(view, environment.name, view.version(good))
    with ExitStack() as stack:
        for action in actions:
            package = None
            if action.do == "install":
                found = stack.enter_context(fetch_version(view, view.version(action.version)))
                require_trusted(view.checkout, found)
                package = found.package
            say(f"{environment.name}: {model}: {action}")
            target.apply(model, action, package)
    tag = _record(view, environment.name, state, request.by)
    pull = None
    deployment = view.checkout.repository.deployment(environment.name, model)
    if deployment is not None and deployment.version not in ("latest", good):
        pull = _require_proposed(view, forge(), environment.name, state, say)
    return Delivery(
        environment=environment.name, model=model, desired=deployment.version if deployment else "nothing", live=good,
        actions=described(actions), tag=tag, rollout=f"{bad} was rolled back: {request.why}", rolled_back=True,
        pull=pull,
    )  # fmt: skip


def propose_rollback(
    view: ModelView, forge: Forge, environment: str, state: RolloutState, say: Callable[[str], None]
) -> int | None:
    """Opens or refreshes the pull request that records a rollback; its number, None in plain git.

    Traffic has moved already. So an error is reported through ``say``, None is returned, and the next run tries again.
    """
    try:
        return _require_proposed(view, forge, environment, state, say)
    except ModelyardError as error:
        say(f"{error.problem} The next run tries again.")
        return None


def _require_proposed(
    view: ModelView, forge: Forge, environment: str, state: RolloutState, say: Callable[[str], None]
) -> int | None:
    """The same, for a person: ModelyardError where it could not be opened."""
    base = view.checkout.git.commit_of("HEAD")
    try:
        proposed = _proposed(view, base, environment, state)
    except Refused:  # main names that version already
        return None
    try:
        return propose_change(view.checkout, forge, base, proposed, say)
    except ModelyardError as error:
        raise ModelyardError(
            f"Traffic of {view.name} in {environment} is back on {state.stable} and that is recorded, but its pull"
            f" request could not be opened: {error.problem}",
            f"{error.remedy} Then repeat the command: it moves nothing a second time.",
        ) from error


def propose_change(
    checkout: Checkout, forge: Forge, base: str, proposed: Proposed, say: Callable[[str], None]
) -> int | None:
    """Opens or refreshes the pull request of a change and returns its number; in plain git, a branch and None."""
    git, repository = checkout.git, checkout.repository
    if repository.config.forge != "git":
        pull_forge = cast(PullForge, forge)
        pull, new, head = open_proposed(git, pull_forge, repository.config.default_branch, base, proposed)
        # A push with the job's own token starts no workflow, so the verdict status is set here.
        pull_forge.set_status(head, verdict_status("success", proposed.touches, "", ""))
        say(f"{'opened' if new else 'refreshed'} pull request {pull.number}: {proposed.title}")
        return pull.number
    _write_branch(git, base, proposed)
    say(f"{proposed.title}: review and merge the branch {proposed.branch}")
    return None


def _record(view: ModelView, environment: str, state: RolloutState, by: str) -> str | None:
    git, model = view.checkout.git, view.name
    sentence = f"all traffic back to {state.stable} by {by}: {state.reason}"
    for _ in range(_ATTEMPTS):
        try:
            fetch_rollouts(git)
            recorded = read_rollouts(git).get((environment, model), Recorded())
            write_rollout(view, environment, recorded, state, sentence)
            break
        except RefRejected:
            continue
        except ModelyardError as error:
            raise ModelyardError(
                f"Traffic is back on {state.stable}, but the rollback could not be recorded: {error.problem}",
                "Repeat the command when the remote answers. Otherwise the next deploy moves traffic forward again.",
            ) from error
    stage = StageRecord(
        version=state.stable, artifact=_artifacts(view.history, state.stable, Live()).get(state.stable, ""),
        why=f"rolled back {state.candidate}: {state.reason}", by=by, commit=git.commit_of("HEAD"),
        replaced=state.candidate, blocked=state.artifact, rollout=state.salt,
    )  # fmt: skip
    return write_receipt(view, environment, stage)


def _done_already(history: ModelHistory, environment: str, live: Live) -> Assignment | None:
    """The receipt of the rollback by which the version that serves alone came to serve; None without one."""
    newest = history.assigned(environment)
    blocked = newest.record.blocked if newest and newest.record else ""
    alone = live.traffic is not None and not live.traffic.candidate
    return newest if newest and blocked and alone and live.serving == newest.version else None


def _repeated(
    view: ModelView,
    environment: Environment,
    forge: Callable[[], Forge],
    recorded: Recorded,
    receipt: Assignment,
    say: Callable[[str], None],
) -> Delivery:
    """The result of a rollback that was done before. Its pull request is asked for again."""
    record = receipt.record
    lost = record.replaced if record else ""
    deployment = view.checkout.repository.deployment(environment.name, view.name)
    pull = None
    if deployment is not None and deployment.version not in ("latest", receipt.version) and recorded.state:
        pull = _require_proposed(view, forge(), environment.name, recorded.state, say)
    say(f"Already done: {lost} was rolled back to {receipt.version} ({receipt.tag}). To go further back, use --to.")
    return Delivery(
        environment=environment.name, model=view.name, desired=deployment.version if deployment else "nothing",
        live=receipt.version, actions=(), rollout=f"already done: {lost} was rolled back", rolled_back=True, pull=pull,
    )  # fmt: skip


def _require_unblocked(history: ModelHistory, version: str, environment: Environment) -> None:
    known = version_of(history, version)
    blocking = blocking_rollback(history, known.record.artifact if known.record else "")
    if blocking is not None:
        why = blocking.record.why if blocking.record else blocking.tag
        raise Refused(
            f"{version} cannot get traffic in {environment.name}: its artifact was rolled back in"
            f" {blocking.environment} ({blocking.tag}): {why}.",
            "Name another version, or readmit that one in its deployment file in a reviewed pull request.",
        )


def _interrupted(recorded: Recorded, live: Live, history: ModelHistory, environment: str) -> str | None:
    """The version whose rollback a killed run did not finish recording; None if there is none."""
    state = recorded.state
    if live.serving is None or (live.traffic and live.traffic.candidate):
        return None
    if state is None:  # traffic moved, and neither journal nor receipt says so yet
        assigned = history.assigned(environment)
        return assigned.version if assigned and assigned.version != live.serving else None
    if state.phase == "rolled back":
        receipts = {rollback.record.rollout for rollback in history.rollbacks() if rollback.record}
        unwritten = bool(state.salt) and state.salt not in receipts
        return state.candidate if unwritten and state.stable == live.serving else None
    if state.phase == "expired":
        return None
    lost = state.candidate if state.phase == "progressing" else state.stable
    return lost if lost != live.serving else None


def _failed_version(live: Live) -> str | None:
    """The version that loses its traffic: the candidate of a rollout, else the one that serves."""
    if live.traffic is None:
        return None
    return live.traffic.candidate or live.traffic.stable


def _previous_version(history: ModelHistory, environment: str, recorded: Recorded, live: Live, bad: str | None) -> str:
    """The version to roll back to: the stable one of a rollout, else the newest other one that served here."""
    if live.traffic and live.traffic.candidate:
        return live.traffic.stable
    blocked = {rollback.record.blocked for rollback in history.rollbacks() if rollback.record}
    usable = {known.version for known in history.versions if not (known.record and known.record.artifact in blocked)}
    state = recorded.state
    if state and state.previous in usable - {bad}:
        return state.previous
    for assignment in reversed(history.assignments):
        if assignment.environment == environment and assignment.version in usable - {bad}:
            return assignment.version
    raise UsageError(f"No other version of {history.model} has served in {environment}.", "Name one: --to v1.0.0")


def _artifacts(history: ModelHistory, version: str, live: Live) -> dict[str, str]:
    known = version_of(history, version)
    return dict(live.installed) | ({version: known.record.artifact} if known.record else {})


def _write_branch(git: Git, base: str, proposed: Proposed) -> None:
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
        git.set_ref(ref, head)


def _proposed(view: ModelView, base: str, environment: str, state: RolloutState) -> Proposed:
    story = rollback_story(state, timeline(view, environment))
    change = VersionChange(view.name, environment, state.stable, who="modelyard", why=story, verb="rollback")
    return deployment_change(view.checkout.git, base, change)
