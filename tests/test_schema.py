"""Schema versions: what older toolkits wrote is read, and what a newer one wrote is refused with its version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from modelyard import __version__
from modelyard.cli import COMMANDS, cli
from modelyard.documents import SCHEMA, newer
from modelyard.errors import ModelyardError, Refused
from modelyard.evidence.artifact import Artifact
from modelyard.evidence.statement import read_statement, write_statement
from modelyard.manifests.conversion import MANIFEST_KINDS, parse
from modelyard.manifests.document import ManifestErrors
from modelyard.manifests.model import Model
from modelyard.registry.tags import StageRecord, VersionRecord, read_stage_record, read_version_record, write_record
from support.yard import MODEL_YAML, small_repository

SAID = f"was written for modelyard 9.8.7; this one is {__version__}."
REMEDY = "Install it with: pip install 'modelyard==9.8.7'"
NEEDS_NO_REPOSITORY = {
    ("init",),
    ("adopt",),
    ("demo",),
    ("replay",),
    ("completion",),
    ("merge-lock",),
    ("alerts", "dashboard"),
    ("audit", "restore"),
    ("tools", "install"),
}


def test_evidence_carries_the_version_and_reads_without_it() -> None:
    scan = Artifact("onnx", 5, None)
    content = write_statement("artifact", "m", "a" * 64, scan)
    assert json.loads(content)["schema"] == SCHEMA
    old = json.loads(content)
    del old["schema"]
    assert read_statement(json.dumps(old).encode(), "artifact", Artifact).predicate == scan
    new = json.dumps(old | {"schema": "9.8.7", "predicate": {"another": "form"}}).encode()
    with pytest.raises(Refused) as error:
        read_statement(new, "artifact", Artifact)
    assert (error.value.problem, error.value.remedy) == (f"The artifact evidence {SAID}", REMEDY)


def test_tags_carry_the_version_and_read_without_it() -> None:
    version, stage = VersionRecord("a" * 64, params={"schema": 3}), StageRecord("v1.0.0")
    for record, read in ((version, read_version_record), (stage, read_stage_record)):
        message = write_record("Registering", record)
        assert f'"schema":"{SCHEMA}"' in message
        assert read(message) == record
        assert read(message.replace(f',"schema":"{SCHEMA}"', "").replace(f'"schema":"{SCHEMA}",', "")) == record
        with pytest.raises(Refused) as error:
            read(message.replace(f'"schema":"{SCHEMA}"', '"schema":"9.8.7"'))
        assert error.value.problem == f"The tag with the message 'Registering' {SAID}"


@pytest.mark.parametrize("name", MANIFEST_KINDS)
def test_manifests_of_a_newer_toolkit_are_refused_whatever_is_in_them(name: str) -> None:
    key = "toolkit" if name == "modelyard" else "schema"
    content = f"# a comment\n{key}: 9.8.7\nanother: {{form: true}}\n".encode()
    with pytest.raises(ManifestErrors) as error:
        parse(MANIFEST_KINDS[name], content, "file.yaml")
    assert (error.value.problem, error.value.remedy) == (f"file.yaml:1: {SAID}", REMEDY)


def test_a_manifest_reads_with_its_version_and_without() -> None:
    text = MODEL_YAML.format(name="churn")
    assert parse(Model, f'schema: "{SCHEMA}"\n{text}'.encode(), "f").name == parse(Model, text.encode(), "f").name
    with pytest.raises(ManifestErrors, match="schema"):
        parse(Model, f"schema: soon\n{text}".encode(), "f")


@given(st.text(max_size=30) | st.integers() | st.none() | st.lists(st.text(max_size=3), max_size=2))
def test_any_schema_is_newer_or_not(schema: object) -> None:
    assert newer(schema) in ("", schema) or str(schema).startswith(newer(schema))
    assert not newer(SCHEMA) and not newer(__version__)


@pytest.mark.parametrize("file", ["modelyard.yaml", ".copier-answers.yml"])
def test_every_command_refuses_a_repository_of_a_newer_toolkit(file: str, tmp_path: Path) -> None:
    yard = small_repository(tmp_path / "yard")
    text = "toolkit: '9.8.7'\nform: new\n" if file == "modelyard.yaml" else "_commit: v9.8.7-2-gabc\n_src_path: x\n"
    (yard / file).write_text(text)
    assert SAID in CliRunner().invoke(cli, ["-C", str(yard), "doctor"]).output.replace("\n", " ").replace("  ", "")
    for name in set(COMMANDS) - {"doctor"}:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        for words in _calls(command, name):
            if (name,) in NEEDS_NO_REPOSITORY or tuple(words[:2]) in NEEDS_NO_REPOSITORY:
                continue
            assert run(yard, words) == (1, f"{file} {SAID}", REMEDY), words


def _calls(command: click.Command, name: str) -> list[list[str]]:
    """A call of a command, or of each of its own commands, with every required argument and option."""
    if isinstance(command, click.Group):
        return [[name, *call] for one, inner in command.commands.items() for call in _calls(inner, one)]
    words = [name]
    for parameter in command.params:
        if parameter.required:
            value = _value(parameter.type)
            words += [value] if isinstance(parameter, click.Argument) else [parameter.opts[0], value]
    return [words]


def _value(kind: click.ParamType[Any]) -> str:
    return str(kind.choices[0]) if isinstance(kind, click.Choice) else "1" if kind is click.INT else "churn"


def run(yard: Path, words: list[str]) -> tuple[int, str, str]:
    """Exit code, problem and remedy of a command, run in this process."""
    done = CliRunner().invoke(cli, ["-C", str(yard), *words], standalone_mode=False)
    error = done.exception
    assert isinstance(error, ModelyardError), (words, done.output, error)
    return int(error.exit_code), error.problem, error.remedy
