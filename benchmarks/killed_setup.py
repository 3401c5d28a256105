"""Commands that set a repository up, killed at random moments: the tree is as it was or as it should be.

``run.py killed_setup`` takes ROUNDS from the environment; a round kills ``init``, ``add``, ``adopt`` or ``remove``.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from clock import Figure
from support.yard import commit_all, git, killed_after, tool

ROUNDS = 52


@dataclass(frozen=True)
class Scene:
    """A command, and a function that makes the state before it in a new folder; the command runs in its ``yard``."""

    command: tuple[str, ...]
    make: Callable[[Path], None]


def killed_setup(scratch: Path) -> list[Figure]:
    """Rounds after which the tree was neither, of all rounds."""
    rounds, chance = int(os.environ.get("ROUNDS", ROUNDS)), random.Random(20130101)  # noqa: S311
    scenes = _scenes(scratch)
    wholes = [_undisturbed(scene, scratch / f"whole-{i}") for i, scene in enumerate(scenes)]
    failed, killed = [], 0
    for number in range(rounds):
        scene, (whole, seconds) = scenes[number % len(scenes)], wholes[number % len(scenes)]
        folder = scratch / "round"
        scene.make(folder)
        before = _state(folder)
        wait = chance.uniform(0.1, seconds * 1.1)
        killed += killed_after(folder / "yard", wait, *scene.command) != 0
        if (folder / "yard/modelyard.yaml").exists():
            tool(folder / "yard", "validate")  # whoever opens the repository next completes what was decided
        if _state(folder) not in (before, whole):
            failed.append(f"{scene.command[0]}, killed after {wait:.2f} s")
        shutil.rmtree(folder)
    for sentence in failed:
        print(f"  {sentence}")
    print(f"  {killed} of {rounds} runs were killed before their end")
    return [Figure(f"setting up, {rounds} rounds: trees that were half done", float(len(failed)), 0.0)]


def _scenes(scratch: Path) -> list[Scene]:
    rng = np.random.default_rng(5)
    table = pd.DataFrame({"months": rng.integers(1, 60, 2000), "spend": rng.gamma(2, 20, 2000).round(2)})
    table["churned"] = np.where(table["months"] + rng.normal(0, 9, 2000) < 20, "yes", "no")
    data = scratch / "customers.csv"
    table.to_csv(data, index=False)
    base, full, foreign = scratch / "base", scratch / "full", scratch / "foreign"
    base.mkdir()
    tool(base, "init", "yard", "--example", "none", "--answer", "ci=none")
    shutil.copytree(base, full, symlinks=True)
    tool(full / "yard", "add", "churn", "--data", str(data))
    commit_all(full / "yard", "A model")
    (foreign / "yard").mkdir(parents=True)
    git(foreign / "yard", "init", "--quiet")
    (foreign / "yard/notes.txt").write_text("ours\n")
    commit_all(foreign / "yard", "Ours")

    def copy(of: Path) -> Callable[[Path], None]:
        def made(folder: Path) -> None:
            shutil.copytree(of, folder, symlinks=True)

        return made

    def nothing(folder: Path) -> None:
        (folder / "yard").mkdir(parents=True)

    return [
        Scene(("init", "new", "--example", "none", "--answer", "ci=none"), nothing),
        Scene(("add", "churn", "--data", str(data)), copy(base)),
        Scene(("adopt", "--answer", "ci=none", "--yes"), copy(foreign)),
        Scene(("remove", "churn"), copy(full)),
    ]


def _undisturbed(scene: Scene, folder: Path) -> tuple[dict[str, bytes], float]:
    """The tree after the whole command, and its seconds."""
    scene.make(folder)
    begun = time.monotonic()
    tool(folder / "yard", *scene.command)
    return _state(folder), time.monotonic() - begun


def _state(folder: Path) -> dict[str, bytes]:
    """Every file but those of git, of DVC's cache, and of a new repository that is made beside its place."""
    found = {}
    for path in (folder / "yard").rglob("*"):
        parts = path.relative_to(folder / "yard").parts
        if path.is_file() and ".git" not in parts and ".dvc" not in parts[:1] and not parts[0].startswith(".new."):
            found["/".join(parts)] = path.read_bytes()
    return found
