"""The pull request that lets main say what a rollback made true: what happened when, and what it rests on."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from modelyard.delivery.rollout_record import timeline
from modelyard.errors import ModelyardError, Refused
from modelyard.forges.interface import Forge, PullForge
from modelyard.forges.reported import verdict_status
from modelyard.git import Git
from modelyard.manifests.repository import ModelRepository
from modelyard.report.markdown.bodies import rollback_story
from modelyard.review.pulls import Proposed, deployment_change, open_proposed, unchanged
from modelyard.review.pushing import push_commit, remote_head
from modelyard.rollout.progress import RolloutState


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
