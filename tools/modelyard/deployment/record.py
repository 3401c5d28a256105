"""Records of deployments in git: rollout journals, and stage tags as receipts."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from modelyard.checkout.checkout import ModelView
from modelyard.checkout.evidence_store import approvals_file, digests
from modelyard.checkout.tags import next_counter, settle_tags, write_tag
from modelyard.documents import encode
from modelyard.errors import ModelyardError
from modelyard.evidence.approval import ApprovalRecord
from modelyard.git import Git, RefRejected
from modelyard.registry.tags import (
    StageRecord,
    WithdrawalRecord,
    stage_tag,
    unassigning_tag,
    write_record,
)
from modelyard.rollout.plan import JournalEntry
from modelyard.rollout.progress import RolloutState

JOURNALS = "refs/modelyard/rollouts/"
_LONGEST = 40

_ATTEMPTS = 5


class Recorded(Struct, frozen=True):
    """The newest entry of a rollout journal: its state and commit (None and '' for no journal)."""

    state: RolloutState | None = None
    commit: str = ""


def fetch_rollouts(git: Git) -> None:
    """Fetches the remote's journals, replacing local entries that were never pushed."""
    if remote := git.remote():
        git.fetch(remote, f"+{JOURNALS}*:{JOURNALS}*")


def read_rollouts(git: Git) -> dict[tuple[str, str], Recorded]:
    """(environment, model) → newest entry of its rollout journal."""
    found = {}
    for ref, (commit, message) in git.newest_entries(JOURNALS).items():
        environment, _, model = ref.removeprefix(JOURNALS).partition("/")
        found[environment, model] = Recorded(_state(ref, message), commit)
    return found


def write_rollout(view: ModelView, environment: str, before: Recorded, state: RolloutState, sentence: str) -> Recorded:
    """Adds a journal entry; RefRejected when a concurrent run added one after ``before``."""
    # The state is the first line that begins with a brace, so the sentence, which may quote people, is one line.
    line = " ".join("".join(c if c.isprintable() else " " for c in sentence).split())
    message = f"{view.name} in {environment}: {line}\n\n{encode(state, order='sorted').decode()}\n"
    return Recorded(state, view.checkout.git.add_entry(f"{JOURNALS}{environment}/{view.name}", before.commit, message))


def timeline(view: ModelView, environment: str) -> tuple[JournalEntry, ...]:
    """The journal entries of the newest candidate, oldest first."""
    found: list[JournalEntry] = []
    newest: RolloutState | None = None
    for entry in view.checkout.git.entries(f"{JOURNALS}{environment}/{view.name}", _LONGEST):
        state = _state(entry.sha, f"{entry.subject}\n\n{entry.body}")
        if newest is not None and (state.candidate, state.artifact) != (newest.candidate, newest.artifact):
            break
        newest = newest or state
        found.append(JournalEntry(entry.at, entry.subject.partition(": ")[2] or entry.subject))
    return tuple(reversed(found))


def write_receipt(
    view: ModelView, environment: str, stage: StageRecord, approvals: tuple[ApprovalRecord, ...] = ()
) -> str | None:
    """Writes the stage tag of an assignment and returns its name; None when the newest receipt is equal.

    The approvals are filed together with it. When a concurrent run takes the counter, the next one is tried.
    """
    model = view.name
    for _ in range(_ATTEMPTS):
        history = view.checkout.reread(model, fetch=True)
        assigned = history.assigned(environment)
        if assigned and assigned.version == stage.version and not stage.blocked:
            return None
        if any(known.record and known.record.rollout == stage.rollout != "" for known in history.rollbacks()):
            return None
        tag = stage_tag(model, environment, next_counter(view))
        headline = f"Assigning stage {environment} to artifact {model} version {stage.version}"
        try:
            commit, files = view.version(stage.version).commit, approvals_file(model, stage.artifact, tag, approvals)
            said = msgspec.structs.replace(stage, filed=digests(model, files))
            write_tag(view, tag, commit, write_record(headline, said), files)
            return tag
        except RefRejected:
            settle_tags(view.checkout, model)  # what a concurrent run is about to write
    raise _too_many_conflicts(model)


def write_unassignment(view: ModelView, environment: str, why: str, by: str) -> str | None:
    """Writes the tag that unassigns a model from an environment; None when it is not assigned there."""
    model = view.name
    for _ in range(_ATTEMPTS):
        assigned = view.checkout.reread(model, fetch=True).assigned(environment)
        if assigned is None:
            return None
        tag = unassigning_tag(model, environment, next_counter(view))
        message = write_record(f"Unassigning stage {environment} from artifact {model}", WithdrawalRecord(why, by))
        try:
            write_tag(view, tag, assigned.commit, message)
            return tag
        except RefRejected:
            settle_tags(view.checkout, model)  # what a concurrent run is about to write
    raise _too_many_conflicts(model)


def _state(where: str, message: str) -> RolloutState:
    line = next((line for line in message.split("\n") if line.startswith("{")), "")
    try:
        return msgspec.json.decode(line, type=RolloutState)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ModelyardError(
            f"The rollout journal {where} cannot be read: {error}.",
            f"Inspect it with git log. To start again, delete it: git update-ref -d {where}",
        ) from error


def _too_many_conflicts(model: str) -> ModelyardError:
    return ModelyardError(f"{_ATTEMPTS} concurrent runs wrote tags of {model}.", "Run modelyard deploy again.")
