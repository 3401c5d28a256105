"""Commands that take one model, several, or all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from modelyard.errors import ModelyardError, UsageError
from modelyard.gate.verdict import Outcome, worst
from modelyard.manifests.repository import ModelRepository
from modelyard.terminal import show_error


def chosen_models(repository: ModelRepository, named: Sequence[str], everything: bool) -> tuple[str, ...]:
    """Those that were named, all, or the only one there is; a UsageError for none of several, or both."""
    names = repository.model_names()
    if named and everything:
        raise UsageError("Models are named beside --all.", "Name some, or say --all.")
    if not named and not everything and len(names) != 1:
        raise UsageError("No model is named.", f"Name one, or say --all: {', '.join(names[:5])}.")
    return tuple(named or names)


def for_each(models: Sequence[str], work: Callable[[str], Outcome]) -> Outcome:
    """The worst outcome. Of several models the fault of one is shown and keeps no other from its turn."""
    if len(models) == 1:
        return work(models[0])
    found: list[Outcome] = []
    for model in models:
        try:
            found.append(work(model))
        except ModelyardError as error:
            show_error(error)
            found.append("error")
    return worst(found)
