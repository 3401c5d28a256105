"""Options that several commands use, without a process."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from modelyard import options
from modelyard.checkout.checkout import Checkout, ModelView
from modelyard.errors import ModelyardError, UsageError
from modelyard.evidence.verdict import SEVERITY, Outcome
from modelyard.manifests.repository import ModelRepository
from modelyard.options import (
    chosen_models,
    for_each,
    ground_truth_options,
    of_one_model,
    open_repository,
    own_file,
    the_model,
    window_of,
)
from support.pulls import MemoryGit
from support.yard import CONFIG, MODEL_YAML, write


def checkout(folder: Path, *models: str) -> Checkout:
    write(folder, {"modelyard.yaml": CONFIG} | {f"models/{m}/model.yaml": MODEL_YAML.format(name=m) for m in models})
    return Checkout(folder)


def views(*names: str) -> list[ModelView]:
    return [ModelView(cast(Checkout, None), name) for name in names]


def test_the_repository_is_found_from_below(tmp_path: Path) -> None:
    checkout(tmp_path, "churn")
    context = click.Context(click.Command("x"), obj=tmp_path / "models/churn")
    assert open_repository(context).root == tmp_path


def test_the_model_that_is_named_or_the_only_one(tmp_path: Path) -> None:
    one = checkout(tmp_path / "one", "churn")
    assert the_model(one, None).name == "churn" and the_model(one, "churn") is the_model(one, None)
    with pytest.raises(UsageError, match="There is no model chrun") as unknown:
        the_model(one, "chrun")
    assert unknown.value.remedy == "Did you mean 'churn'?"
    two = checkout(tmp_path / "two", "churn", "fraud")
    with pytest.raises(UsageError, match="has 2 models, and none is named") as many:
        the_model(two, None)
    assert many.value.remedy == "Name one of them: churn, fraud."
    none = checkout(tmp_path / "none")
    with pytest.raises(UsageError, match="There is no model churn") as empty:
        the_model(none, "churn")
    assert empty.value.remedy.startswith("This repository has no models yet")


def test_models_by_name_all_or_the_only_one(tmp_path: Path) -> None:
    two = checkout(tmp_path / "two", "churn", "fraud")
    assert [view.name for view in chosen_models(two, ["fraud"], False)] == ["fraud"]
    assert [view.name for view in chosen_models(two, [], True)] == ["churn", "fraud"]
    assert [view.name for view in chosen_models(checkout(tmp_path / "one", "churn"), [], False)] == ["churn"]
    for named, everything, match in ((["churn"], True, "exclude each other"), ([], False, "No model is named")):
        with pytest.raises(UsageError, match=match):
            chosen_models(two, named, everything)


def test_one_source_of_labels_is_for_one_model() -> None:
    of_one_model(views("churn"), Path("labels.csv"))
    of_one_model(views("churn", "fraud"), None, "")
    with pytest.raises(UsageError, match="for several models"):
        of_one_model(views("churn", "fraud"), None, "env:URL")


def test_each_model_has_its_own_file() -> None:
    assert own_file(Path("a/{model}.html"), views("churn", "fraud"))("churn") == Path("a/churn.html")
    assert own_file(Path("a.html"), views("churn"))("churn") == Path("a.html")
    with pytest.raises(UsageError, match=r"a\.html is one file for 2 models"):
        own_file(Path("a.html"), views("churn", "fraud"))


@given(st.lists(st.sampled_from(SEVERITY), min_size=2, max_size=5))
def test_the_worst_outcome_of_several_models(outcomes: list[Outcome]) -> None:
    left = iter(outcomes)
    found = for_each(views(*(f"m{i}" for i in range(len(outcomes)))), lambda view: next(left))
    assert found == min(outcomes, key=SEVERITY.index)


def test_the_error_of_one_model_is_shown_and_the_others_run(capsys: pytest.CaptureFixture[str]) -> None:
    ran: list[str] = []

    def work(view: ModelView) -> Outcome:
        ran.append(view.name)
        if view.name == "churn":
            raise ModelyardError("churn is broken.", "Repair it.")
        return "pass"

    assert for_each(views("churn", "fraud"), work) == "error" and ran == ["churn", "fraud"]
    assert "churn is broken." in capsys.readouterr().err
    with pytest.raises(ModelyardError, match="churn is broken"):
        for_each(views("churn"), work)


@pytest.mark.parametrize(
    "until", ["2026-05-03T14:00", "2026-05-03T14:00Z", "2026-05-03T16:00+02:00", "2026-05-03 14:00:00"]
)
def test_a_window_ends_where_it_is_told_in_utc(until: str) -> None:
    end = datetime(2026, 5, 3, 14, tzinfo=UTC).timestamp()
    window = window_of("90m", until)
    assert (window.begin, window.end) == (end - 5400, end)


def test_a_window_without_an_end_ends_now_and_a_filed_one_at_a_minute() -> None:
    now = datetime.now(UTC).timestamp()
    assert now < window_of("1h", None).end <= now + 5, "what was asked a moment ago is in it"
    filed = window_of("1h", None, filed=True)
    assert filed.end % 60 == 0 and now - 70 < filed.end <= now
    assert window_of("1h", "2026-05-03T14:00:07", filed=True).end % 60 == 7, "a given end is kept"


@pytest.mark.parametrize(
    ("length", "until"), [("", None), ("24", None), ("1w", None), ("-1h", None), ("nand", None), ("0s", None),
                          ("1h", "soon"), ("1h", "2026-13-01"), ("1h", "14:00")],
)  # fmt: skip
def test_what_is_not_a_window(length: str, until: str | None) -> None:
    with pytest.raises(UsageError, match="is not a valid window") as error:
        window_of(length, until)
    assert "24h or 7d" in error.value.remedy


@given(st.text(max_size=10), st.none() | st.text(max_size=20))
def test_any_window_is_finite_or_wrong_use(length: str, until: str | None) -> None:
    try:
        window = window_of(length, until)
    except UsageError:
        return
    assert 0 < window.end - window.begin < 1e12


def test_the_options_of_ground_truth(tmp_path: Path) -> None:
    @click.command()
    @ground_truth_options
    def command(**given_options: Any) -> None:
        click.echo(repr(given_options))

    labels = tmp_path / "labels.csv"
    labels.write_text("")
    done = CliRunner().invoke(command, ["--ground-truth", str(labels), "--sql", "env:URL", "--query", "select 1"])
    assert done.output.strip() == repr({"file": labels, "sql": "env:URL", "query": "select 1"})
    assert CliRunner().invoke(command, ["--ground-truth", str(tmp_path / "none.csv")]).exit_code == 2


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({"GITHUB_TOKEN": "t"}, None),
        ({"CI": "true"}, None),
        ({"CI": "true", "GITHUB_TOKEN": "t", "GITHUB_SERVER_URL": "https://ghe.example"}, "http.https://ghe.example/."),
        ({"CI": "true", "MODELYARD_TOKEN": "t"}, "http.https://forge.example/."),
    ],
    ids=["a laptop", "no token", "the server of the workflow", "the server of the remote"],
)
def test_git_gets_the_token_of_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], key: str | None
) -> None:
    monkeypatch.setattr(os, "environ", environ)
    monkeypatch.setattr(options, "Git", lambda root: MemoryGit())
    settings = options._settings(ModelRepository(tmp_path))
    assert settings.get("GIT_CONFIG_KEY_0") == (f"{key}extraheader" if key else None)
