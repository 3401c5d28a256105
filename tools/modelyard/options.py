"""Options and arguments that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from modelyard.errors import ModelyardError, UsageError
from modelyard.git import Git
from modelyard.manifests.names import seconds_of
from modelyard.manifests.repository import ModelRepository
from modelyard.terminal import show_error

if TYPE_CHECKING:
    from modelyard.checkout.checkout import Checkout, ModelView
    from modelyard.evidence.verdict import Outcome
    from modelyard.predictions.interface import Window

_SETTLING = timedelta(seconds=2)
"""What was asked so shortly before may not be logged yet."""

Command = TypeVar("Command", bound=Callable[..., Any])


def open_repository(context: click.Context) -> ModelRepository:
    """The model repository around the current folder (or ``-C``)."""
    folder: Path = context.obj
    return ModelRepository.find(folder)


def open_checkout(context: click.Context) -> Checkout:
    """The same as a clone whose git pushes with the CI's token; a UsageError when it is no checkout with a commit."""
    from modelyard.checkout.checkout import Checkout

    repository = open_repository(context)
    checkout = Checkout(repository.root, _settings(repository))
    checkout.git.require_work_tree()
    return checkout


def the_model(checkout: Checkout, name: str | None) -> ModelView:
    """The named model, or the only one; a UsageError where it must be named."""
    if name:
        checkout.repository.model_folder(name)
        return checkout.model(name)
    names = checkout.repository.model_names()
    if len(names) == 1:
        return checkout.model(names[0])
    raise UsageError(f"There are {len(names)} models here.", f"Say which with --model: {', '.join(names[:5])}.")


def chosen_models(checkout: Checkout, named: Sequence[str], everything: bool) -> tuple[ModelView, ...]:
    """Those that were named, all, or the only one there is; a UsageError for none of several, or both."""
    names = checkout.repository.model_names()
    if named and everything:
        raise UsageError("Models are named beside --all.", "Name some, or say --all.")
    if not named and not everything and len(names) != 1:
        raise UsageError("No model is named.", f"Name one, or say --all: {', '.join(names[:5])}.")
    return tuple(checkout.model(name) for name in named or names)


def of_one_model(models: Sequence[ModelView], *places: object) -> None:
    """UsageError where labels of several models are looked for in one place."""
    if len(models) > 1 and any(places):
        raise UsageError("One place holds one model's labels.", "Name one model, or labels in every model.yaml.")


def own_file(path: Path | None, models: Sequence[ModelView]) -> Callable[[str], Path]:
    """Each model's own file of a name with ``{model}`` in it; UsageError where several would share one."""
    if path is not None and len(models) > 1 and "{model}" not in str(path):
        raise UsageError(f"{path} is one file for {len(models)} models.", "Write {model} into its name.")
    return lambda model: Path(str(path).replace("{model}", model))


def for_each(models: Sequence[ModelView], work: Callable[[ModelView], Outcome]) -> Outcome:
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
    from modelyard.evidence.verdict import worst

    return worst(found)


def window_of(length: str, until: str | None, *, filed: bool = False) -> Window:
    """``--window`` and ``--until``; without an end, now. A window that is ``filed`` ends with a whole minute, so that
    two runs in one minute speak of the same window.
    """
    try:
        seconds = seconds_of(length)
        end = datetime.fromisoformat(until.replace("Z", "+00:00")) if until else _now(filed)
    except (ValueError, KeyError, IndexError) as error:
        raise UsageError(
            f"--window {length}{f' --until {until}' if until else ''} is no span of time.",
            "Write a length such as 24h or 7d, and a moment such as 2026-05-03T14:00.",
        ) from error
    end = end if end.tzinfo else end.replace(tzinfo=UTC)
    from modelyard.predictions.interface import Window

    return Window(end.timestamp() - seconds, end.timestamp())


def ground_truth_options(command: Command) -> Command:
    """``--ground-truth``, ``--sql`` and ``--query``; without any, what ``model.yaml`` declares counts."""
    for option in (
        click.option("--query", help="With --sql: the query that gives those columns."),
        click.option("--sql", help="Instead of a file: a reference to a database's URL, such as env:GROUND_TRUTH_URL."),
        click.option(
            "--ground-truth",
            "file",
            type=click.Path(path_type=Path, dir_okay=False, exists=True),
            help="A CSV, Parquet or Arrow file: the contract's label, its id or prediction_id, and label_time where"
            " known; by default what model.yaml declares under ground_truth.",
        ),
    ):
        command = option(command)
    return command


def _settings(repository: ModelRepository) -> dict[str, str]:
    """In CI, what lets git push with the job's token; elsewhere git's own settings do."""
    if not os.environ.get("CI"):
        return {}
    from modelyard.forges.ci import read_ci, repository_of

    ci = read_ci(os.environ)
    plain = Git(repository.root)
    if ci.token and not ci.server and (remote := plain.remote()):
        ci = replace(ci, server=repository_of(plain.remote_url(remote))[0])
    return ci.git_settings()


def _now(filed: bool) -> datetime:
    now = (datetime.now(UTC) - _SETTLING).replace(microsecond=0)
    return now.replace(second=0) if filed else now
