"""The floors of docs/architecture.md, enforced from the imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tools" / "modelyard"

BASE = {"errors", "manifests", "__init__", "__version__"}
THINK = {"metrics", "gate", "report", "registry", "rollout", "evidence"}
ACT = {"forges", "targets", "serving", "git", "dvc", "tables", "flavors", "files", "workspace", "proposal", "delivery", "review",
       "scaffold", "machine", "catalog", "audit", "signing", "secrets", "predictions", "monitoring", "ground_truth",
       "feedback", "alerting"}  # fmt: skip
TOP = {"commands", "cli", "terminal", "demo", "__main__"}
FORBIDDEN_TO_THINKERS = {
    "subprocess",
    "socket",
    "time",
    "http",
    "urllib",
    "requests",
    "tempfile",
    "random",
    "os",
    "pathlib",
}
DOORS = {"git": "modelyard.git", "dvc": "dvc"}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            if node.module == "modelyard":
                found |= {f"modelyard.{alias.name}" for alias in node.names}
    return found


FILES = sorted(PACKAGE.rglob("*.py"))


def test_every_file_lives_in_a_known_room() -> None:
    assert {room(path) for path in FILES} == (BASE - {"__version__"}) | THINK | ACT | TOP


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_floors(path: Path) -> None:
    here = room(path)
    rooms = {name.split(".")[1] for name in imports(path) if name.startswith("modelyard.")}
    if here in BASE:
        assert rooms <= BASE
    elif here in THINK:
        assert rooms <= BASE | THINK, "a room that thinks imports no room that acts"
        assert not {name.split(".")[0] for name in imports(path)} & FORBIDDEN_TO_THINKERS
    elif here in ACT:
        assert rooms <= BASE | THINK | ACT, "commands are the top floor"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_one_door_each(path: Path) -> None:
    names = {name.split(".")[0] for name in imports(path)}
    if room(path) not in ("dvc",):
        assert "dvc" not in names and "dvc_data" not in names
    # serving writes its own log's segments; predictions and monitoring read those of anybody, part by part
    if room(path) not in ("tables", "report", "serving", "predictions", "monitoring", "ground_truth", "feedback"):
        assert "pyarrow" not in names
    assert "pickle" not in names and "git" not in names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_stay_readable(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


def test_no_shell_strings() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "shell":
                pytest.fail(f"{path} starts a shell")
