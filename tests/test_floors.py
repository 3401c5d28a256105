"""The rooms of docs/architecture.md, in their order, held against the imports."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tools" / "modelyard"
MAP = Path(__file__).parents[1] / "docs" / "architecture.md"

THINK = {"metrics", "gate", "report", "registry", "rollout", "evidence"}
NOT_TO_THINK_WITH = {
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
ONE_DOOR = {"dvc": {"dvc"}, "dvc_data": {"dvc"}, "pickle": set(), "git": {"git"}}
TABLES = {"tables", "report", "serving", "predictions", "production", "ground_truth", "targets", "flavors"}
"""Rooms that hold Arrow tables: logs are read in parts, reports draw them, scorers of their own get them."""


def rooms() -> list[str]:
    """The rooms from the top down, as the first table of the map lists them."""
    table = MAP.read_text(encoding="utf-8").partition("\n| room |")[2].split("\n\n")[0]
    return [
        name.strip("/").removesuffix(".py")
        for row in table.splitlines()[2:]
        for name in re.findall(r"`([^`]+)`", row.split("|")[1])
    ]


ORDER = rooms()
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "shipped" not in path.parts)
FACES = {"__init__"}
"""The package's own face: its version, which every room may name."""


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def dotted(path: Path) -> str:
    return ".".join(("modelyard", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


KNOWN = {dotted(file) for file in FILES}


@cache
def imports(path: Path) -> frozenset[str]:
    """Modules a file imports, wherever in it: ``modelyard.git.process``, ``os``."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # A relative import counts from the package that the file is in.
            parts = dotted(path).split(".")[: -node.level] if node.level else []
            module = ".".join([*parts, *([node.module] if node.module else [])])
            names = {f"{module}.{alias.name}" for alias in node.names}
            found |= (names & KNOWN) | {module}
    return frozenset(found)


def shown(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def test_the_map_lists_every_room_once() -> None:
    assert sorted(ORDER) == sorted({room(path) for path in FILES} - FACES)


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_no_import_goes_up(path: Path) -> None:
    here = room(path)
    if here in FACES:
        return
    above = ORDER[: ORDER.index(here)]
    reached = {name.split(".")[1] for name in imports(path) if name.startswith("modelyard.")}
    assert not reached & set(above), f"{shown(path)} imports a room above {here}"


def test_no_circle_between_files() -> None:
    edges = {dotted(path): imports(path) - {dotted(path)} for path in FILES}
    done: set[str] = set()

    def walk(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way[way.index(name) :], name))
        if name not in done:
            for other in sorted(edges[name] & edges.keys()):
                walk(other, (*way, name))
            done.add(name)

    for name in sorted(edges):
        walk(name, ())


@pytest.mark.parametrize("path", [path for path in FILES if room(path) in THINK], ids=shown)
def test_thinking_needs_no_clock_socket_or_file(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & NOT_TO_THINK_WITH


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_one_door_each(path: Path) -> None:
    names = {name.split(".")[0] for name in imports(path)}
    for library, doors in ONE_DOOR.items():
        assert library not in names or room(path) in doors
    assert "pyarrow" not in names or room(path) in TABLES


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_modules_stay_readable(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


def test_names_say_what_they_hold() -> None:
    assert not {path.stem for path in FILES} & {"core", "common", "utils", "util", "base", "manager", "helpers", "misc"}


def test_no_shell_strings() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "shell":
                pytest.fail(f"{path} starts a shell")
