"""The findings of doctor, on machines that are described instead of had."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from modelyard.setup import doctor
from modelyard.setup.doctor import MINIMUM_FREE_BYTES, examine
from modelyard.setup.finding import Finding
from support.yard import CONFIG, write

SETTINGS = {"user.name": "Ada", "user.email": "ada@example.org"}


@dataclass
class Machine:
    """What the doctor can see. Every part can be taken away."""

    programs: tuple[str, ...] = ("git", "cml")
    settings: tuple[str, ...] = ("user.name", "user.email")
    packages: tuple[str, ...] = ("dvc", "lightgbm", "pygithub")
    free: int = 10 * MINIMUM_FREE_BYTES
    installed: bool = True

    def version(self, package: str) -> str:
        if package not in self.packages:
            raise metadata.PackageNotFoundError(package)
        return "1.0"

    def requires(self, package: str) -> list[str]:
        if not self.installed:
            raise metadata.PackageNotFoundError(package)
        return ["click>=8", 'dvc>=3.60; extra == "train"', "lightgbm>=4.5; (python_version > '3') and extra == 'train'",
                "pygithub>=2.8; extra == 'github'", "python-gitlab>=5.6; extra == 'gitlab'"]  # fmt: skip

    def run(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        if command == ["git", "--version"]:
            return subprocess.CompletedProcess(command, 0, "git version 2.44.0\n", "")
        assert command[:3] == ["git", "config", "--get"]
        output = f"{SETTINGS[command[3]]}\n" if command[3] in self.settings else ""
        return subprocess.CompletedProcess(command, int(not output), output, "")


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Machine]:
    def described(**parts: Any) -> Machine:
        machine = Machine(**parts)
        monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name in machine.programs else None)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=machine.free))
        monkeypatch.setattr(subprocess, "run", machine.run)
        monkeypatch.setattr(metadata, "version", machine.version)
        monkeypatch.setattr(metadata, "requires", machine.requires)
        return machine

    return described


def found(folder: Path, what: str) -> Finding:
    [finding] = [finding for finding in examine(folder) if finding.what == what]
    return finding


def test_a_complete_machine_outside_of_a_repository(on: Callable[..., Machine], tmp_path: Path) -> None:
    on()
    findings = {finding.what: finding for finding in examine(tmp_path)}
    assert findings["git"].found == "2.44.0" and findings["git user.email"].found == "ada@example.org"
    assert findings["extra train"] == Finding("extra train", "ok", "dvc 1.0, lightgbm 1.0")
    assert findings["model repository"].state == "warning" and "modelyard init" in findings["model repository"].remedy
    assert not [f for f in findings.values() if f.state == "missing"]


@pytest.mark.parametrize(
    ("parts", "what", "state", "remedy"),
    [
        ({"programs": ()}, "git", "missing", "Install git"),
        ({"settings": ("user.email",)}, "git user.name", "missing", "git config --global user.name"),
        ({"packages": ("dvc",)}, "extra train", "warning", "pip install 'modelyard[train]'"),
        ({}, "extra gitlab", "warning", "pip install 'modelyard[gitlab]'"),
        ({"free": MINIMUM_FREE_BYTES - 1}, "disk", "warning", "Free space"),
    ],
)
def test_what_is_missing_has_a_remedy(
    on: Callable[..., Machine], tmp_path: Path, parts: dict[str, Any], what: str, state: str, remedy: str
) -> None:
    on(**parts)
    finding = found(tmp_path, what)
    assert finding.state == state and remedy in finding.remedy


def test_a_folder_that_does_not_exist_yet(on: Callable[..., Machine], tmp_path: Path) -> None:
    on(installed=False)
    assert found(tmp_path / "new", "disk").state == "ok"
    assert found(tmp_path / "new", "extra train").state == "ok", "an unpacked modelyard has no list of packages"


class Clone:
    """A clone in one state."""

    def __init__(self, commits: bool = True, shallow: bool = False, branch: str | None = "main") -> None:
        self._commits, self._shallow, self._branch = commits, shallow, branch

    def __call__(self, root: Path) -> Clone:
        return self

    def has_commits(self) -> bool:
        return self._commits

    def is_shallow(self) -> bool:
        return self._shallow

    def branch(self) -> str | None:
        return self._branch

    def remote(self) -> str | None:
        return None

    def file_at(self, revision: str, path: str) -> bytes | None:
        return None

    def history(self, path: str, *, first_parent: bool) -> list[object]:
        return []


@pytest.mark.parametrize(
    ("clone", "what", "state"),
    [
        (Clone(commits=False), "commits", "missing"),
        (Clone(shallow=True), "history", "warning"),
        (Clone(branch=None), "branch", "warning"),
        (Clone(), "DVC settings", "missing"),
    ],
)
def test_a_checkout(
    on: Callable[..., Machine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clone: Clone, what: str, state: str
) -> None:
    on()
    monkeypatch.setattr(doctor, "Git", clone)
    write(tmp_path, {"modelyard.yaml": CONFIG, "models/churn/x": ""})
    assert found(tmp_path / "models/churn", "model repository").found == str(tmp_path)
    assert found(tmp_path, what).state == state and found(tmp_path, what).remedy
    write(tmp_path, {".dvc/config": ""})
    if what != "commits":
        assert found(tmp_path, "DVC settings").state == "ok"


@pytest.mark.parametrize(
    ("config", "installed", "states"),
    [
        ("forge: github\n", True, ["ok"]),
        ("forge: github\n", False, ["warning"]),
        ("forge: github\ncml: false\n", False, []),
        ("forge: gitlab\n", False, []),
    ],
)
def test_cml_is_spoken_of_only_where_it_is_on(
    on: Callable[..., Machine],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    config: str,
    installed: bool,
    states: list[str],
) -> None:
    on(programs=("git",))
    monkeypatch.setattr(doctor, "Git", Clone())
    write(tmp_path, {"modelyard.yaml": CONFIG + config})
    if installed:
        write(tmp_path, {".github/actions/cml/action.yml": "name: cml\n"})
    assert [finding.state for finding in examine(tmp_path) if finding.what == "cml"] == states
