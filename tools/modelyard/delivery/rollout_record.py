"""Where rollouts stand, kept in git: a journal each, ``refs/modelyard/rollouts/<environment>/<model>``.

Each entry is a commit without files; its message says what happened and holds the state as one line of JSON. A push
that is no longer based on the newest entry is refused: that is the compare-and-swap which keeps two runs apart.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from modelyard.errors import ModelyardError
from modelyard.git import Git
from modelyard.rollout.plan import Moment
from modelyard.rollout.progress import RolloutState

_PREFIX = "refs/modelyard/rollouts/"
_LONGEST = 40


class Recorded(Struct, frozen=True):
    """The newest entry of one journal."""

    state: RolloutState | None = None
    commit: str = ""


def fetch_rollouts(git: Git) -> None:
    """Brings the remote's journals here; what we wrote and never pushed is given up."""
    if remote := git.remote():
        git.run("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", remote, f"+{_PREFIX}*:{_PREFIX}*")


def read_rollouts(git: Git) -> dict[tuple[str, str], Recorded]:
    """(environment, model) → where its rollout stands."""
    found = {}
    for ref, (commit, message) in git.newest_entries(_PREFIX).items():
        environment, _, model = ref.removeprefix(_PREFIX).partition("/")
        found[environment, model] = Recorded(_state(ref, message), commit)
    return found


def write_rollout(
    git: Git, environment: str, model: str, before: Recorded, state: RolloutState, sentence: str
) -> Recorded:
    """Adds an entry; RefRejected when somebody else did meanwhile."""
    message = f"{model} in {environment}: {sentence}\n\n{msgspec.json.encode(state, order='sorted').decode()}\n"
    return Recorded(state, git.add_entry(f"{_PREFIX}{environment}/{model}", before.commit, message))


def timeline(git: Git, environment: str, model: str) -> tuple[Moment, ...]:
    """What happened to the newest candidate, oldest first."""
    moments: list[Moment] = []
    newest: RolloutState | None = None
    for entry in git.entries(f"{_PREFIX}{environment}/{model}", _LONGEST):
        state = _state(entry.sha, f"{entry.subject}\n\n{entry.body}")
        if newest is not None and (state.candidate, state.artifact) != (newest.candidate, newest.artifact):
            break
        newest = newest or state
        moments.append(Moment(entry.at, entry.subject.partition(": ")[2] or entry.subject))
    return tuple(reversed(moments))


def _state(where: str, message: str) -> RolloutState:
    line = next((line for line in message.splitlines() if line.startswith("{")), "")
    try:
        return msgspec.json.decode(line, type=RolloutState)
    except msgspec.MsgspecError as error:
        raise ModelyardError(
            f"The rollout record {where} cannot be read: {error}.",
            f"Look at it with git log, and delete the ref to begin anew: git update-ref -d {where}",
        ) from error
