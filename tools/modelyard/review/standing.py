"""Verdicts of open pull requests that stand no more, because the champion changed after they were given."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import msgspec

from modelyard.checkout.affected import unregistered_models
from modelyard.checkout.checkout import Checkout
from modelyard.errors import ModelyardError
from modelyard.forges.interface import VERDICT, Pull, PullForge, is_marked, verdict_status
from modelyard.gate.standing import GivenVerdict, outdated, outdated_sentence
from modelyard.report.markdown.summary import REPORT, out_of_date

_AGAIN = "it is measured again"
_BY_HAND = "after the deployment, run its pipeline again"


@dataclass(frozen=True)
class Outdated:
    """One pull request whose verdict was taken back."""

    pull: int
    sentence: str
    started: bool
    """Whether its measurement was started again."""


def verdict_file(pull: int) -> str:
    """Where the evidence branch keeps what the verdict on a pull request was about."""
    return f"pulls/{pull}/verdict.json"


def champion_of(checkout: Checkout, model: str) -> str:
    """The number of a model's champion of this moment; '' where there is none."""
    champion = checkout.model(model).champion
    return str(champion.version) if champion else ""


def take_back(checkout: Checkout, forge: PullForge, *, measure: bool, say: Callable[[str], None]) -> list[Outdated]:
    """Turns outdated verdicts of open pull requests to pending, once each, and says why in the status and the comment.

    With ``measure``, what can be measured again is started: branches of this repository, where the default branch has
    the workflow. Only our own verdicts that passed are taken back; the others stop the merge already.
    """
    pulls = [pull for pull in forge.open_pulls() if pull.state == "open"]
    given = _given(checkout, [pull.number for pull in pulls])
    pulls = [pull for pull in pulls if pull.number in given]
    if not pulls:
        return []
    unregistered = {entry.model for entry in unregistered_models(checkout.git)}
    names = {name for number in given for name in given[number].compared} & set(checkout.repository.model_names())
    champions = {name: champion_of(checkout, name) for name in names}
    found: list[Outdated] = []
    failed: ModelyardError | None = None
    for pull in pulls:
        verdict = given[pull.number]
        if verdict.head != pull.head:
            continue  # another verdict is on its way
        compared = {model: champion for model, champion in verdict.compared.items() if model in champions}
        why = outdated(compared, champions, _awaited(checkout, verdict, unregistered))
        try:
            if why and (one := _take_back(checkout, forge, pull, why, measure, say)):
                found.append(one)
        except ModelyardError as error:  # the others are taken back all the same
            say(f"The verdict on pull request {pull.number} could not be taken back: {error.problem}")
            failed = error
    if failed is not None:
        raise failed
    return found


def _take_back(
    checkout: Checkout, forge: PullForge, pull: Pull, why: dict[str, str], measure: bool, say: Callable[[str], None]
) -> Outdated | None:
    newest = next((status for status in forge.statuses(pull.head) if status.context == VERDICT), None)
    if newest is None or not newest.ours or newest.state not in ("success", "pending"):
        return None
    again = measure and not pull.from_fork and checkout.git.file_at("HEAD", forge.measured_by)
    sentence, step = outdated_sentence(why), _AGAIN if again else _BY_HAND
    status = verdict_status("pending", f"{sentence}; {step}", "", "")
    if (newest.state, newest.description) == (status.state, status.description):
        return None  # it was said, and started, before
    forge.set_status(pull.head, status)
    posted = next((c.body for c in forge.comments(pull.number) if c.ours and is_marked(c.body, REPORT)), "")
    if posted:  # the next report replaces the comment
        forge.write_comment(pull.number, out_of_date(posted, f"{sentence}. Next: {step}."), REPORT)
    started = False
    if again:
        try:
            forge.measure_again(pull)
            started = True
        except ModelyardError as error:
            say(f"Pull request {pull.number} could not be measured again: {error.problem} {error.remedy}")
    return Outdated(pull.number, sentence, started)


def _given(checkout: Checkout, numbers: Sequence[int]) -> dict[int, GivenVerdict]:
    paths = {verdict_file(number): number for number in numbers}
    found = {}
    for path, content in (checkout.evidence.filed(*paths) if paths else {}).items():
        try:
            found[paths[path]] = msgspec.json.decode(content, type=GivenVerdict)
        except (msgspec.MsgspecError, RecursionError):
            continue  # filed by another release; its next report replaces it
    return found


def _awaited(checkout: Checkout, verdict: GivenVerdict, unregistered: Collection[str]) -> set[str]:
    """Models whose lock on the default branch is no version yet, and was another one when the verdict was given."""
    git = checkout.git
    locks = {model: f"models/{model}/dvc.lock" for model in verdict.compared if model in unregistered}
    if not git.has_commit(verdict.base):
        return set(locks)
    return {model for model, lock in locks.items() if git.file_at(verdict.base, lock) != git.file_at("HEAD", lock)}
