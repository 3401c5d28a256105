"""docs/monitoring.md names only commands, options and fields that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import get_args

import click
import msgspec
import pytest
from modelyard.cli import cli
from modelyard.gate.triggers import Cause
from modelyard.manifests.configuration import Alerts, Environment, Predictions
from modelyard.manifests.document import parse_document
from modelyard.manifests.model import GroundTruthSource, Retrain
from modelyard.manifests.watches import AnyWatch
from modelyard.predictions.discovery import open_reader
from modelyard.production.feedback.sample import WHYS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = sorted(
    {
        found
        for pair in re.findall(r"`modelyard ([^`\n]+(?:\n[^`]+)?)`|^    modelyard (.+)$", PAGE, re.MULTILINE)
        for found in pair
        if found
    }
)
OPTIONS = sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)))


def parsed(line: str) -> tuple[click.Command, dict[str, object]]:
    """The command of a line and the options that it gives; fails for what does not exist."""
    words = shlex.split(line)
    command: click.Command | None = cli
    context = click.Context(cli)
    while isinstance(command, click.Group) and words:
        command = command.get_command(context, words.pop(0))
    assert command is not None, line
    if isinstance(command, click.Group):
        return command, {}
    given, _, _ = command.make_parser(context).parse_args(words)
    return command, given


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_line_can_be_parsed(line: str) -> None:
    command, given = parsed(line.replace("\n", " "))
    for parameter in command.params:
        if isinstance(parameter.type, click.Choice) and parameter.name in given:
            assert given[parameter.name] in parameter.type.choices


def test_every_option_is_one_of_the_commands_of_the_page() -> None:
    lines = ["monitor", "feedback collect", "feedback sample", "feedback forget", "feedback table", "propose", "alerts rules", "alerts dashboard", "drift",
             "audit prediction", "deploy", "replay"]  # fmt: skip
    known = {name for line in lines for parameter in parsed(line)[0].params for name in parameter.opts}
    assert len(COMMANDS) > 8 and set(OPTIONS) <= known, set(OPTIONS) - known


def test_every_cause_of_the_page_exists() -> None:
    assert set(re.findall(r"--cause (\w+)", PAGE)) == set(get_args(Cause))


@pytest.mark.parametrize(
    ("name", "kind"), [("alerts", Alerts), ("retrain", Retrain), ("ground_truth", GroundTruthSource)]
)
def test_the_examples_are_manifests(name: str, kind: type) -> None:
    [block] = [block for block in BLOCKS if block.startswith(f"{name}:")]
    value = parse_document(block.encode(), "docs/monitoring.md").value[name]
    assert msgspec.convert(value, kind) is not None


def rows(heading: str) -> dict[str, str]:
    """First cell → the other cells of the table below a heading."""
    table = PAGE.split(heading)[1].split("\n## ")[0]
    return {cells[0]: cells[1] for cells in re.findall(r"^\| `([a-z_]+)` \|(.*)\|$", table, re.MULTILINE)}


def test_the_table_of_watches_has_every_kind_and_all_its_fields() -> None:
    table = rows("## Watches")
    kinds = {str(watch.__struct_config__.tag): watch for watch in get_args(AnyWatch)}
    assert table.keys() == kinds.keys()
    for kind, watch in kinds.items():
        fields = set(watch.__struct_fields__) - {"id", "why", "level", "tasks", "only_with"}
        assert set(re.findall(r"`([a-z_]+)`", table[kind])) == fields, kind


def test_the_tables_of_readers_and_reasons_are_complete() -> None:
    assert list(rows("## feedback sample")) == list(WHYS)
    for reader in rows("## Prediction logs"):
        predictions = Predictions(reader=reader, uri="x")
        assert open_reader(Environment(name="production", predictions=predictions), ROOT) is not None
    assert len(rows("## Prediction logs")) == 5


def test_links_lead_somewhere() -> None:
    def anchors(text: str) -> set[str]:
        return {
            re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        }

    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        file, _, anchor = target.partition("#")
        path = ROOT / "docs" / file if file else ROOT / "docs/monitoring.md"
        assert path.is_file(), target
        assert not anchor or anchor in anchors(path.read_text(encoding="utf-8")), target
