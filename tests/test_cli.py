"""The command group: help by section, near matches, completion, and every exception as a message with its exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from modelyard import __version__
from modelyard import cli as module
from modelyard.cli import COMMANDS, SECTIONS, LazyGroup, cli, main
from modelyard.errors import ExitCode, ModelyardError, Refused, UsageError


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def test_help_names_every_command_once_and_by_section() -> None:
    done = run("--help")
    lines = done.output.splitlines()
    assert done.exit_code == 0 and all(len(line) <= 80 for line in lines)
    for title, commands in SECTIONS.items():
        at = lines.index(f"{title}:")
        listed = [line.split()[0] for line in lines[at + 1 : at + 60] if line.startswith("  ") and line[2] != " "]
        assert listed[: len(commands)] == list(commands), title
    assert "Exit codes: 0 pass, 1 fail, 2 wrong use, 3 inconclusive, 4 error." in done.output
    assert run("-h").output == done.output


def test_help_imports_no_command() -> None:
    code = "import sys; from modelyard.cli import cli; cli.main(['--help'], standalone_mode=False);" \
           "print(sorted(m for m in sys.modules if m.startswith('modelyard.')))"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == str(
        ["modelyard.cli", "modelyard.errors", "modelyard.progress", "modelyard.terminal"]
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_is_plain(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    text = command.help or ""
    assert text.splitlines()[0].endswith(".") and text.splitlines()[0][0].isupper()
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert (parameter.help or "").endswith("."), f"{parameter.name}: {parameter.help}"
    for names in ((name,), *((name, inner) for inner in getattr(command, "commands", ()))):
        lines = run(*names, "--help").output.splitlines()[1:]  # the first says [OPTIONS]... and [MODELS]...
        assert all(len(line) <= 80 and not line.endswith("...") and " TEXT" not in line for line in lines), lines


def test_the_version() -> None:
    assert run("--version").output.strip() == f"modelyard, version {__version__}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["statsu"], "No such command 'statsu'. Did you mean 'status'?"),
        (["x"], "No such command 'x'. Known: add, adopt, "),
        (["--nonsense"], "No such option"),
        (["affected", "--nonsense"], "No such option"),
        (["-C"], "requires an argument"),
    ],
)
def test_wrong_use(arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2 and said in done.output


def test_an_unknown_name_is_no_command() -> None:
    group = LazyGroup("x")
    assert group.get_command(click.Context(group), "os") is None
    assert group.list_commands(click.Context(group)) == list(COMMANDS)


def test_completion_names_commands_then_options() -> None:
    context = click.Context(cli)
    assert [item.value for item in cli.shell_complete(context, "wai")] == ["waivers"]
    assert [item.help for item in cli.shell_complete(context, "wai")] == [COMMANDS["waivers"]]
    assert "--debug" in [item.value for item in cli.shell_complete(context, "--")]
    assert len(cli.shell_complete(context, "")) == len(COMMANDS)


class Ended(Exception):
    pass


def ended(monkeypatch: pytest.MonkeyPatch, outcome: BaseException | object, *arguments: str) -> int:
    """The exit code of ``main`` when the command gives a value, or raises."""

    def play(**_: object) -> object:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    monkeypatch.setattr(module.cli, "main", play)
    monkeypatch.setattr(sys, "argv", ["modelyard", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ModelyardError("It is broken.", "Repair it."), ExitCode.ERROR, "Error: It is broken.\n  Repair it.\n"),
        (UsageError("It is wrong.", "Do it right."), ExitCode.USAGE, "Error: It is wrong.\n  Do it right.\n"),
        (Refused("A rule forbids it.", "Ask."), ExitCode.FAIL, "Error: A rule forbids it.\n  Ask.\n"),
        (KeyboardInterrupt(), 130, "Stopped.\n"),
        (click.exceptions.Abort(), 130, "Stopped.\n"),
    ],
)
def test_exceptions_are_messages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    assert ended(monkeypatch, error) == code
    assert click.unstyle(capsys.readouterr().err) == said


def test_outcomes_are_exit_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(monkeypatch, 3) == 3 and ended(monkeypatch, None) == 0
    assert ended(monkeypatch, click.UsageError("no")) == 2


def test_a_bug_names_its_place_and_says_what_to_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        run("--help")
        COMMANDS["no such command"]
    except KeyError as found:
        error = found
    assert ended(monkeypatch, error) == ExitCode.ERROR
    said = click.unstyle(capsys.readouterr().err)
    assert "Unexpected error" in said and "KeyError: 'no such command'" in said and "Traceback" not in said
    assert f"This is a bug in modelyard {__version__}" in said and "--debug" in said


@pytest.mark.parametrize("error", [ModelyardError("It is broken.", "Repair it."), KeyError("x")])
def test_debug_shows_the_exception_itself(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def play(**_: object) -> object:
        raise error

    monkeypatch.setattr(module.cli, "main", play)
    monkeypatch.setattr(sys, "argv", ["modelyard", "--debug", "status"])
    with pytest.raises(type(error)):
        main()


def test_the_folder_of_c_is_where_a_command_looks(tmp_path: Path) -> None:
    done = run("-C", str(tmp_path), "owners")
    assert isinstance(done.exception, UsageError) and str(tmp_path) in done.exception.problem
