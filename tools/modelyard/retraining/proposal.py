"""The proposal of a retraining: one open pull request per model, when the result is worth one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

from modelyard.candidate.ci_locks import file_locks
from modelyard.candidate.steps import CandidateRun
from modelyard.checkout.checkout import ModelView
from modelyard.errors import ModelyardError
from modelyard.evidence.bundle import read_bundle
from modelyard.evidence.training import RetrainingRecord
from modelyard.files import write_whole
from modelyard.forges.ci import read_ci
from modelyard.forges.interface import PullForge, shortened
from modelyard.gate.triggers import Cause, Hindrance, Worth, due, hindrance, worth_proposing
from modelyard.report.markdown.bodies import retrain_body
from modelyard.retraining.situation import file_retraining, situation_of
from modelyard.retraining.trained import Trained, train
from modelyard.review.pull_requests import Proposed, open_proposed, push_proposed, remote_head, unchanged

_LONGEST_SENTENCE = 1_000


@dataclass(frozen=True)
class Refreshed:
    """The result of a run, with the pull request and its head where there is one."""

    done: str
    """not proposed, held, opened, refreshed or unchanged; pushed where the forge is plain git."""
    why: str
    pull: int | None = None
    head: str = ""
    branch: str = ""
    """Plain git: the branch to merge."""
    changed: tuple[str, ...] = ()
    """Paths of the files that the proposal changes."""


def refresh(run: CandidateRun, forge: PullForge | None, cause: Cause) -> Refreshed:
    """Retrains on a checkout of the default branch and opens or refreshes the model's pull request.

    Without a forge (plain git) its branch is the proposal, and the checkout's files are again as HEAD has them.
    """
    done = propose(run.view, forge, cause, train(run, cause))
    if done.branch:
        _take_back(run.view, done.changed)
    return done


def propose(view: ModelView, forge: PullForge | None, cause: Cause, trained: Trained | Hindrance) -> Refreshed:
    """Decides whether a retraining is worth a review, files its cost, and opens or refreshes the pull request.

    It runs no code of the model and believes no decision of the job that trained: triggers, budget and freezes are
    asked here, from this clone. What a held run cost is filed all the same.
    """
    git, model = view.checkout.git, view.manifest
    base = git.commit_of("HEAD")
    now = due(model.retrain, situation_of(view))
    trained_here = model.trained == "here"
    hindered = hindrance(cause, now, trained_here=trained_here)
    if isinstance(trained, Hindrance):
        hindered = hindered or trained
        return Refreshed(hindered.done, hindered.why)
    bundle = read_bundle(view.name, trained.artifact, trained.documents)
    evaluation, drift = bundle.evaluation, bundle.drift
    if evaluation is None or drift is None:
        fault = bundle.faults["drift" if evaluation else "evaluation"]
        raise ModelyardError(f"{view.name} cannot be proposed: {fault}", "Retrain it again.")
    worth = worth_proposing(cause, evaluation, drift, model.retrain.minimum_gain)
    if hindered:
        worth = Worth(False, hindered.why, worth.gain)
    if trained.run.reproduced:
        record = RetrainingRecord(
            at=time.time(),
            cause=cause,
            reasons=tuple(sentence for _, sentence in now.reasons),
            seconds=trained.run.seconds,
            proposed=worth.propose,
            sentence=shortened(worth.sentence, _LONGEST_SENTENCE),
            gain=worth.gain,
        )
        file_retraining(view, trained.artifact, record)
    if not worth.propose:
        return Refreshed(hindered.done if hindered else "not proposed", worth.sentence)
    changed = {path: content for path, content in trained.files.items() if git.file_at(base, path) != content}
    if not changed and not trained_here:
        again = f"modelyard add {model.name} --artifact FILE"
        return Refreshed("not proposed", f"It was trained elsewhere and its file is as HEAD has it. New file: {again}")
    title = f"Retrain {model.name}" if trained_here else f"Propose {model.name}, trained elsewhere"
    run = trained.run
    body = retrain_body(model.name, cause, now, worth, evaluation, drift, run.rows, run.size, run.seconds)
    proposed = Proposed(f"modelyard/retrain/{model.name}", title, body, changed)
    return _pushed(view, forge, base, proposed, worth.sentence)


def _pushed(view: ModelView, forge: PullForge | None, base: str, proposed: Proposed, why: str) -> Refreshed:
    git, files = view.checkout.git, tuple(proposed.files)
    before = remote_head(git, proposed.branch)
    if forge is None:
        head = push_proposed(git, base, proposed)
        return Refreshed("unchanged" if head == before else "pushed", why, None, head, proposed.branch, files)
    if unchanged(git, before, base, proposed):
        open_now = forge.open_pulls(proposed.branch)
        if not open_now:
            return Refreshed("not proposed", "The same result was proposed before, and its pull request was closed.")
        return Refreshed("unchanged", why, open_now[0].number, before, changed=files)
    lock = proposed.files.get(f"models/{view.name}/dvc.lock")
    if lock is not None and read_ci(os.environ).run:  # a person's own run is none of CI
        file_locks(git, view.checkout.evidence, {view.name: lock}, base, base)
    pull, new, head = open_proposed(git, forge, view.checkout.repository.config.default_branch, base, proposed)
    return Refreshed("opened" if new else "refreshed", why, pull.number, head, changed=files)


def _take_back(view: ModelView, paths: Iterable[str]) -> None:
    """Puts files as HEAD has them: they are on the branch now, and here they would be in the way of its merge."""
    git, root = view.checkout.git, view.checkout.root
    for path in paths:
        content = git.file_at("HEAD", path)
        if content is None:
            (root / path).unlink()
        else:
            write_whole(root / path, content)
