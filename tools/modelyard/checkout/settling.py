"""Models whose champion is about to change: their newest merged candidate is no version yet, or is not deployed yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable

from modelyard.checkout.affected import unregistered_models
from modelyard.checkout.checkout import Checkout
from modelyard.errors import ModelyardError
from modelyard.manifests.conversion import parse
from modelyard.manifests.deployment import Deployment
from modelyard.manifests.document import ManifestErrors
from modelyard.manifests.repository import deployment_file
from modelyard.registry.history import read_registry
from modelyard.registry.tags import model_patterns
from modelyard.rollout.promotion import arriving

_PAUSE = 15.0
_LONGEST = 3


def unsettled_models(checkout: Checkout, models: Collection[str], base: str) -> list[str]:
    """Those of the models whose candidate at a commit of the default branch has not become what it will be, sorted."""
    git = checkout.git
    waiting = {entry.model for entry in unregistered_models(git, base)} & set(models)
    histories = read_registry(git.tags())
    for model in set(models) - waiting:
        deployment = _last_deployment(checkout, model, base)
        if deployment and arriving(histories.history(model), *deployment):
            waiting.add(model)
    return sorted(waiting)


def wait_until_settled(
    checkout: Checkout,
    models: Collection[str],
    base: str,
    minutes: float,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> list[str]:
    """Fetches until the models are settled; those that are not settled even ``minutes`` after the base was merged.

    What is measured afterwards is compared with the champion that it will meet. The base of an entry in a merge queue
    may be the entry before it: ModelyardError when that is not merged after three times the minutes.
    """
    begun, end, said = clock(), None, ""
    while True:
        now, merged = clock(), _is_merged(checkout, base)
        waiting = unsettled_models(checkout, models, base)
        if not waiting:
            return []
        end = now + 60 * minutes if merged and end is None else end
        if end is not None and now >= end:
            return waiting
        if not merged and now >= begun + 60 * _LONGEST * minutes:
            raise ModelyardError(
                f"What this is behind in the queue is not merged after {_LONGEST * minutes:g} minutes.",
                "Queue it again, and let the merge queue run one build at a time (build concurrency).",
            )
        sentence = f"Waiting until what is before it is registered and deployed: {', '.join(waiting)} …"
        if sentence != said:
            say(sentence)
            said = sentence
        sleep(_PAUSE)
        _fetch(checkout, waiting)


def _fetch(checkout: Checkout, models: Iterable[str]) -> None:
    git, branch = checkout.git, checkout.repository.config.default_branch
    if remote := git.remote():
        git.fetch_tags(remote, *(pattern for model in models for pattern in model_patterns(model)))
        git.fetch(remote, f"+refs/heads/{branch}:{checkout.default_ref}")


def _is_merged(checkout: Checkout, base: str) -> bool:
    tip = checkout.git.ref(checkout.default_ref)
    return tip is not None and checkout.git.is_ancestor(base, tip)


def _last_deployment(checkout: Checkout, model: str, base: str) -> tuple[str, Deployment] | None:
    """The last environment that deploys a model at a commit, and its deployment; None without a readable one."""
    for environment in reversed(checkout.repository.config.environments):
        file = deployment_file(environment.name, model)
        content = checkout.git.file_at(base, file)
        if content is not None:
            try:
                return environment.name, parse(Deployment, content, file)
            except ManifestErrors:
                return None  # validate reports it
    return None
