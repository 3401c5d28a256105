"""The proposal of a retraining: one open pull request per model, when the result is worth one."""

from __future__ import annotations

import time
from dataclasses import dataclass

from modelyard.candidate.steps import CandidateRun
from modelyard.evidence.training import RetrainingRecord
from modelyard.files import write_whole
from modelyard.forges.interface import PullForge
from modelyard.gate.triggers import Cause, Due, Worth, due, worth_proposing
from modelyard.metrics.drift import Drift
from modelyard.metrics.evaluation import Evaluation
from modelyard.report.markdown.bodies import retrain_body
from modelyard.retraining.situation import file_retraining, situation_of
from modelyard.review.pull_requests import Proposed, open_proposed, push_proposed, remote_head, unchanged


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


def refresh(run: CandidateRun, forge: PullForge | None, cause: Cause) -> Refreshed:
    """Retrains on a checkout of the default branch and opens or refreshes the model's pull request.

    Without a forge (plain git) its branch is the proposal.

    Nothing is trained when no trigger holds (``due``), or while a budget or a freeze holds the run; a ``manual`` run is
    never held.
    """
    view, model = run.view, run.candidate.model
    git, root = view.checkout.git, view.checkout.root
    base = git.commit_of("HEAD")
    now = due(model.retrain, situation_of(view))
    if cause == "due" and not now.reasons:
        return Refreshed("not proposed", "Nothing is due: no trigger of model.yaml holds.")
    if cause != "manual" and now.held:
        return Refreshed("held", now.held)
    if cause != "manual" and not run.candidate.trained_here:
        return Refreshed("not proposed", "It was trained elsewhere, so there is nothing to train.")
    retrained = run.retrain(news=True)
    evaluation, drift = run.evaluate(), run.drift()
    run.scan()
    worth = worth_proposing(cause, evaluation, drift, model.retrain.minimum_gain)
    reasons = tuple(sentence for _, sentence in now.reasons)
    if retrained.reproduced:
        record = RetrainingRecord(
            at=time.time(),
            cause=cause,
            reasons=reasons,
            seconds=retrained.seconds,
            proposed=worth.propose,
            sentence=worth.sentence,
            gain=worth.gain,
        )
        file_retraining(view, retrained.artifact, record)
    if not worth.propose:
        return Refreshed("not proposed", worth.sentence)
    body = _body(run, cause, now, worth, evaluation, drift, retrained.seconds)
    paths = [*run.generated, *run.sources()]
    files = {path: (root / path).read_bytes() for path in paths if (root / path).is_file()}
    changed = {path: content for path, content in files.items() if git.file_at(base, path) != content}
    if not changed and not run.candidate.trained_here:
        again = f"modelyard add {model.name} --artifact FILE"
        return Refreshed("not proposed", f"It was trained elsewhere and its file is as HEAD has it. New file: {again}")
    title = f"Retrain {model.name}" if run.candidate.trained_here else f"Propose {model.name}, trained elsewhere"
    proposed = Proposed(f"modelyard/retrain/{model.name}", title, body, changed)
    before = remote_head(git, proposed.branch)
    if forge is None:
        head = push_proposed(git, base, proposed)
        for path in changed:  # they are on the branch now, and here they would be in the way of its merge
            content = git.file_at(base, path)
            if content is None:
                (root / path).unlink()
            else:
                write_whole(root / path, content)
        return Refreshed("unchanged" if head == before else "pushed", worth.sentence, None, head, proposed.branch)
    if unchanged(git, before, base, proposed):
        open_now = forge.open_pulls(proposed.branch)
        if not open_now:
            return Refreshed("not proposed", "The same result was proposed before, and its pull request was closed.")
        return Refreshed("unchanged", worth.sentence, open_now[0].number, before)
    pull, new, head = open_proposed(git, forge, view.checkout.repository.config.default_branch, base, proposed)
    return Refreshed("opened" if new else "refreshed", worth.sentence, pull.number, head)


def _body(
    run: CandidateRun,
    cause: Cause,
    now: Due,
    worth: Worth,
    evaluation: Evaluation,
    drift: Drift,
    seconds: float,
) -> str:
    candidate = run.candidate
    rows = candidate.training([candidate.model.contract.id]).rows if candidate.trained_here else None
    size = candidate.artifact.stat().st_size
    return retrain_body(candidate.model.name, cause, now, worth, evaluation, drift, rows, size, seconds)
