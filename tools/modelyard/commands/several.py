"""Commands that take one model, several, or all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from modelyard.errors import ModelyardError, UsageError
from modelyard.evidence.verdict import Outcome, worst
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


def of_one_model(models: Sequence[str], *places: object) -> None:
    """UsageError where outcomes of several models are looked for in one place."""
    if len(models) > 1 and any(places):
        raise UsageError("One place holds one model's outcomes.", "Name one model, or outcomes in every model.yaml.")


def own_file(path: Path | None, models: Sequence[str]) -> Callable[[str], Path]:
    """Each model's own file of a name with ``{model}`` in it; UsageError where several would share one."""
    if path is not None and len(models) > 1 and "{model}" not in str(path):
        raise UsageError(f"{path} is one file for {len(models)} models.", "Write {model} into its name.")
    return lambda model: Path(str(path).replace("{model}", model))


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
