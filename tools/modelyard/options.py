"""Options and arguments that several commands use."""

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
from modelyard.manifests.names import is_name, seconds_of
from modelyard.manifests.repository import ModelRepository
from modelyard.setup.tree_change import finish_interrupted
from modelyard.terminal import say, set_verbosity, show_error, verbose

if TYPE_CHECKING:
    from modelyard.checkout.checkout import Checkout, ModelView
    from modelyard.evidence.verdict import Outcome
    from modelyard.predictions.interface import Window

_SETTLING = timedelta(seconds=2)
"""Younger predictions may not be in the log yet."""

Command = TypeVar("Command", bound=Callable[..., Any])


def verbosity(command: Command) -> Command:
    """The options -q and -v of a command that may take long."""

    def chosen(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            set_verbosity(1 if parameter.name == "verbose" else -1)

    options = (
        click.option("-v", "--verbose", is_flag=True, expose_value=False, callback=chosen,
                     help="Show the output of stages, and progress also in a log."),
        click.option("-q", "--quiet", is_flag=True, expose_value=False, callback=chosen,
                     help="Show results and errors only."),
    )  # fmt: skip
    for option in options:
        command = option(command)
    return command


def open_repository(context: click.Context) -> ModelRepository:
    """The model repository around the current folder, or the folder of ``-C``.

    A change of its files that was interrupted (``setup.tree_change``) is completed first.
    """
    folder: Path = context.obj
    # Before it is looked for: an adoption that was interrupted may not have written modelyard.yaml yet.
    places = (folder.resolve(), *folder.resolve().parents)
    top = next((place for place in places if (place / ".git").exists()), None)
    if top is not None and finish_interrupted(top):
        say("Completed a change of this repository that was interrupted.")
    return ModelRepository.find(folder)


def open_checkout(context: click.Context) -> Checkout:
    """The clone of that model repository. In CI, its git pushes with the job's token. UsageError without a commit.

    Where the command filed something, the mirror gets it at the end, whether the command succeeded or not.
    """
    from modelyard.checkout.checkout import Checkout

    repository = open_repository(context)
    checkout = Checkout(repository.root, _settings(repository), stage_output=verbose())
    checkout.git.require_work_tree()
    context.call_on_close(lambda: _mirror(checkout))
    return checkout


def wish_options(function: Command) -> Command:
    """The options that say what a table cannot say of a new model, or says wrongly."""
    for option in (
        click.option("--policy", default="", metavar="NAME", help="The policy that judges it."),
        click.option("--owner", "owners", multiple=True, metavar="HANDLE", help="Who owns the model."),
        click.option("--id", "identifier", default="", metavar="COLUMN", help="The column that identifies a row."),
        click.option(
            "--positive", default="", metavar="VALUE", help="binary: the value of the label that counts as 1."
        ),
        click.option("--label", default="", metavar="COLUMN", help="The column to be predicted."),
        click.option(
            "--task", type=click.Choice(["binary", "multiclass", "regression"]), help="Default: what the label says."
        ),
    ):
        function = option(function)
    return function


def the_model(checkout: Checkout, name: str | None, *, registered: bool = False) -> ModelView:
    """The named model, or the only one; UsageError without a name when there are several.

    With ``registered``, a model without a folder is found too where it has versions: it was imported, or removed.
    """
    if name:
        if not (registered and is_name(name) and checkout.history(name).all_versions):
            checkout.repository.model_folder(name)
        return checkout.model(name)
    names = checkout.repository.model_names()
    if len(names) == 1:
        return checkout.model(names[0])
    raise UsageError(
        f"This repository has {len(names)} models, and none is named.", f"Name one of them: {', '.join(names[:5])}."
    )


def chosen_models(checkout: Checkout, named: Sequence[str], everything: bool) -> tuple[ModelView, ...]:
    """The named models, all models, or the only one. UsageError for names with --all, or without both when there are
    several.
    """
    names = checkout.repository.model_names()
    if named and everything:
        raise UsageError("--all and model names exclude each other.", "Give one of them.")
    if not named and not everything and len(names) != 1:
        raise UsageError("No model is named.", f"Name a model or give --all: {', '.join(names[:5])}.")
    return tuple(checkout.model(name) for name in named or names)


def of_one_model(models: Sequence[ModelView], *places: object) -> None:
    """UsageError when one source of labels is given for several models."""
    if len(models) > 1 and any(places):
        raise UsageError(
            "One source of labels is given for several models.",
            "Name one model, or set ground_truth in each model.yaml.",
        )


def record_in_trackers(checkout: Checkout, models: Sequence[str]) -> None:
    """Gives the trackers of modelyard.yaml what they lack of these models. A tracker that is down is only named."""
    if checkout.repository.config.trackers:
        from modelyard.checkout.tracking import Tracking

        Tracking(checkout, say).versions(models)


def own_file(path: Path | None, models: Sequence[ModelView]) -> Callable[[str], Path]:
    """The path of each model, by ``{model}`` in ``path``. UsageError when several models would share one file."""
    if path is not None and len(models) > 1 and "{model}" not in str(path):
        raise UsageError(f"{path} is one file for {len(models)} models.", "Put {model} into the file name.")
    return lambda model: Path(str(path).replace("{model}", model))


def for_each(models: Sequence[ModelView], work: Callable[[ModelView], Outcome]) -> Outcome:
    """The worst outcome of all models. With several, the error of one is shown and the others still run."""
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
    """The window of ``--window`` and ``--until``; without an end, it ends now, with the second that is under way.

    A ``filed`` window ends at a whole minute, so that two runs in one minute file the same window.
    """
    try:
        seconds = seconds_of(length)
        if not seconds:
            raise ValueError("a window has a length")
        end = datetime.fromisoformat(until.replace("Z", "+00:00")) if until else _now(filed)
    except ValueError as error:
        raise UsageError(
            f"--window {length}{f' --until {until}' if until else ''} is not a valid window.",
            "Write a length such as 24h or 7d, and a time such as 2026-05-03T14:00.",
        ) from error
    end = end if end.tzinfo else end.replace(tzinfo=UTC)
    from modelyard.predictions.interface import Window

    return Window(end.timestamp() - seconds, end.timestamp())


def ground_truth_options(command: Command) -> Command:
    """Adds ``--ground-truth``, ``--sql`` and ``--query``. Without them, ``ground_truth`` of model.yaml is used."""
    for option in (
        click.option("--query", metavar="QUERY", help="With --sql: the query that returns those columns."),
        click.option(
            "--sql",
            metavar="REFERENCE",
            help="Instead of a file: a reference to a database's URL, such as env:GROUND_TRUTH_URL.",
        ),
        click.option(
            "--ground-truth",
            "file",
            type=click.Path(path_type=Path, dir_okay=False, exists=True),
            help="A CSV, Parquet or Arrow file with the contract's label, its id or prediction_id, and optionally"
            " label_time. Default: ground_truth of model.yaml.",
        ),
    ):
        command = option(command)
    return command


def _settings(repository: ModelRepository) -> dict[str, str]:
    """Environment variables with which git sends the job's token in CI; none elsewhere."""
    if not os.environ.get("CI"):
        return {}
    from modelyard.forges.ci import read_ci, repository_of

    ci = read_ci(os.environ)
    plain = Git(repository.root)
    if ci.token and not ci.server and (remote := plain.remote()):
        ci = replace(ci, server=repository_of(plain.remote_url(remote))[0])
    return ci.git_settings()


def _mirror(checkout: Checkout) -> None:
    if checkout.evidence.recorded:
        from modelyard.audit.mirror.writing import keep_mirror

        keep_mirror(checkout, say)


def _now(filed: bool) -> datetime:
    now = datetime.now(UTC).replace(microsecond=0)
    return (now - _SETTLING).replace(second=0) if filed else now + timedelta(seconds=1)
