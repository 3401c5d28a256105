"""Environments of foreign tools: whole or not at all, and without this job's secrets."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from modelyard.errors import ModelyardError
from modelyard.installation import environments
from modelyard.installation.environments import folder_of_tool, install_tool, is_installed, run_tool

NEEDS = ("tool==1",)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def made_by_hand() -> None:
    """An environment whose Python is this one."""
    folder = folder_of_tool("tool", NEEDS)
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin/python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (folder / "made").touch()


def test_an_installation_is_whole_or_not_there(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    steps: list[str] = []

    def fails(uv: str, name: str, *arguments: str) -> None:
        steps.append(arguments[0])
        if arguments[0] == "pip":
            raise ModelyardError("no network", "none")

    monkeypatch.setattr(environments, "_uv", fails)
    with pytest.raises(ModelyardError, match="no network"):
        install_tool("tool", NEEDS)
    assert not is_installed("tool", NEEDS) and list((cache / "modelyard/tools").iterdir()) == []
    monkeypatch.setattr(environments, "_uv", lambda uv, name, *arguments: steps.append(arguments[0]))
    folder = install_tool("tool", NEEDS)
    assert is_installed("tool", NEEDS) and steps == ["venv", "pip"] * 2
    assert install_tool("tool", NEEDS) == folder and len(steps) == 4, "what is there is not made again"
    assert [path.name for path in (cache / "modelyard/tools").iterdir()] == [folder.name]


def test_other_requirements_have_another_environment() -> None:
    assert folder_of_tool("tool", NEEDS) != folder_of_tool("tool", ("tool==2",))


def test_what_somebody_removed_in_part_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "_uv", lambda *_: None)
    folder = install_tool("tool", NEEDS)
    (folder / "made").unlink()
    (folder / "rest").touch()
    assert install_tool("tool", NEEDS) == folder and not (folder / "rest").exists()


def test_a_tool_gets_no_secret_and_its_error_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLFLOW_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    program, into = tmp_path / "program.py", tmp_path / "seen.json"
    program.write_text(
        "import json, os, sys\n"
        "open(sys.argv[1], 'w').write(json.dumps([dict(os.environ), sys.path]))\n"
        "raise ValueError('cannot read\\nthis file.')\n"
    )
    with pytest.raises(ModelyardError, match=r"not on this machine\. Make it with: modelyard tools install tool"):
        run_tool("tool", NEEDS, program, (into,), 60)
    made_by_hand()
    with pytest.raises(ModelyardError, match=r"tool failed: this file\. Its environment is "):
        run_tool("tool", NEEDS, program, (into,), 600)
    variables, path = json.loads(into.read_text())
    assert not {"MLFLOW_TOKEN", "PYTHONPATH"} & set(variables) and variables["DO_NOT_TRACK"] == "1"
    assert str(tmp_path) not in path


def test_a_tool_that_does_not_end_is_stopped(tmp_path: Path) -> None:
    made_by_hand()
    program = tmp_path / "program.py"
    program.write_text("import time\ntime.sleep(3600)\n")
    with pytest.raises(ModelyardError, match=r"did not end within 0\.2 seconds and was stopped"):
        run_tool("tool", NEEDS, program, (tmp_path / "x",), 0.2)
