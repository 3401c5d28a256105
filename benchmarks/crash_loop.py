"""The crash loop: commands are killed at random moments and at each of their touches, and are run again.

A round copies a repository with its remote, kills a command, runs it to its end and once more, and looks at what must
hold. Each touch of each command has a round in which the command is killed there: a rename, a removal, a new folder,
or a git command that writes. In the other rounds a command is killed one to three times at random moments.
``run.py crash_loop`` takes ROUNDS from the environment.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from clock import ENVIRONMENT, Figure
from support.logged import Flights, write_ground_truth, write_log
from support.yard import commit_all, git, measure, tool

MODEL = "flight-delay"
MONTHS = ("2013-01", "2013-02", "2013-03")
ROUNDS = 300
APPROVED = "Approved-by: Grace Reviewer <grace@example.org>"
_PROPOSALS, _EVIDENCE = "refs/heads/modelyard/", "refs/heads/modelyard/evidence"
"""Branches of pull requests need no copy in a clone; everything else does."""
NOTHING: Mapping[str, str] = MappingProxyType({})
_HOOK = {"PYTHONPATH": str(Path(__file__).parent / "touches")}
_DVC = (sys.executable, "-m", "dvc", "-q")
_COLLECT = ("feedback", "collect", MODEL, "--env", "production", "--window", "7d", "--until", "2026-05-08T00:00:07")


@dataclass(frozen=True)
class Scene:
    """A command, the folder that holds a repository in the state before it, and how long it takes undisturbed."""

    command: tuple[str, ...]
    folder: Path
    seconds: float
    tags: int
    """How many registry tags there are after it."""
    touches: int = 0
    """How often it touches the world undisturbed, as ``touches/sitecustomize.py`` counts."""
    ends: int = 0


def crash_loop(scratch: Path) -> list[Figure]:
    """Rounds of which an invariant did not hold, of all rounds."""
    rounds = int(os.environ.get("ROUNDS", ROUNDS))
    stages = scenes(scratch)
    failed = loop(scratch, stages, rounds, random.Random(20130101))  # noqa: S311
    for sentence in failed:
        print(f"  {sentence}")
    touches = sum(scene.touches for scene in stages)
    print(
        f"  killed at {min(rounds, touches)} of {touches} touches, and in {max(0, rounds - touches)} rounds at random"
    )
    return [Figure(f"crash loop, {rounds} rounds: rounds in which an invariant broke", float(len(failed)), 0.0)]


def loop(scratch: Path, stages: Sequence[Scene], rounds: int, chance: random.Random) -> list[str]:
    """What broke, a sentence for each round in which something did."""
    failed = []
    for number, (scene, touch) in enumerate(_rounds(stages, rounds, chance)):
        place = scratch / "round"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(scene.folder, place, symlinks=True)
        yard = place / "repository"
        for _ in range(1 if touch else chance.randint(1, 3)):
            _kill(yard, scene, None if touch else chance.uniform(0.0, scene.seconds), touch)
            _answer(place / "remote.git")
        try:
            broken = after(yard, scene)
        except RuntimeError as error:
            broken = [str(error)]
        if broken:
            where = f"touch {touch}" if touch else "random moments"
            failed.append(f"round {number}, {' '.join(scene.command)}, {where}: {'; '.join(broken)}")
    return failed


def _rounds(stages: Sequence[Scene], rounds: int, chance: random.Random) -> list[tuple[Scene, int]]:
    """(scene, touch) of each round, in random order; touch 0 is a round with random moments."""
    found = [(scene, touch + 1) for scene in stages for touch in range(scene.touches)]
    found += [(stages[number % len(stages)], 0) for number in range(rounds - len(found))]
    return chance.sample(found, rounds)


def _answer(remote: Path) -> None:
    """Ends what was killed on the remote's side: a forge's server outlives its clients, so it leaves no locked ref."""
    for lock in remote.rglob("*.lock"):
        lock.unlink()


def after(yard: Path, scene: Scene) -> list[str]:
    """What does not hold after the command has been run to its end, and again."""
    for path in _temporary(yard):
        os.utime(path, (0, 0))  # what a killed run left is removed when it is old
    _run(yard, scene.command, scene.ends)
    before = _refs(yard), _refs(yard.parent / "remote.git"), _served(yard)
    _run(yard, scene.command, None)
    broken = []
    if before != (_refs(yard), _refs(yard.parent / "remote.git"), _served(yard)):
        broken.append("a repeat changed something")
    here, there = _refs(yard), _refs(yard.parent / "remote.git")
    shared = {ref for ref in here.keys() | there.keys() if not ref.startswith(_PROPOSALS) or ref == _EVIDENCE}
    differ = {ref for ref in shared | (here.keys() & there.keys()) if here.get(ref) != there.get(ref)}
    if differ:
        broken.append(f"clone and remote differ in {', '.join(sorted(differ))}")
    tags = [ref.removeprefix("refs/tags/") for ref in here if ref.startswith("refs/tags/")]
    if len(tags) != scene.tags:
        broken.append(f"{len(tags)} tags, not {scene.tags}")
    filed = set(git(yard, "ls-tree", "-r", "--name-only", "modelyard/evidence").splitlines())
    for tag in tags:
        missing = {f"{MODEL}/tags/{tag}", f"{MODEL}/approvals/{tag}.json"} - filed
        broken += [f"{path} is not filed" for path in sorted(missing)]
    artifacts = [_record(yard, tag).get("artifact") for tag in tags if "@" in tag]
    if len(set(artifacts)) != len(artifacts):
        broken.append("two versions of the same bytes")
    broken += [f"{path} was left" for path in filed if "/pending/" in path]
    return broken + _left(yard)


def scenes(scratch: Path) -> list[Scene]:
    """The states of one story, and the command of each."""
    folder = scratch / "story"
    yard, remote = begun(folder), folder / "remote.git"
    found: list[Scene] = []

    def scene(name: str, *command: str) -> None:
        """Keeps the state before the command, runs it, and notes how long it took and how many tags there are."""
        kept = scratch / name
        shutil.copytree(folder, kept, symlinks=True)
        start, counted = time.monotonic(), scratch / "touches"
        _run(yard, command, 0, {**_HOOK, "CRASH_COUNT": str(counted)})
        seconds = time.monotonic() - start
        tags = sum(ref.startswith("refs/tags/") for ref in _refs(remote))
        found.append(Scene(command, kept, seconds, tags, int(counted.read_text())))

    scene("register", "register", MODEL, "--skip-unchanged")
    _run(yard, ("deploy", "--env", "staging"), 0)
    scene("promote", "promote", MODEL, "--to", "production")
    wants(yard, "v1.1.0")
    scene("deploy", "deploy")
    flights = Flights(yard)
    rows = list(range(0, len(flights.ids), max(1, len(flights.ids) // 500)))[:500]
    write_log(yard, flights.entries(rows, version="v1.1.0"))
    labels = write_ground_truth(yard, flights, rows)
    scene("collect", *_COLLECT, "--ground-truth", f"../{labels.name}")
    scene("site", "site", "--out", "build/site")
    scene("rollback", "rollback", MODEL, "--env", "production", "--why", "wrong in Boston")
    return found


def begun(folder: Path) -> Path:
    """A repository with a remote beside it: v1.0.0 is served, and the candidate of HEAD is measured and pushed."""
    folder.mkdir(parents=True)
    yard = folder / "repository"
    tool(folder, "init", "repository", "--answer", "ci=none")
    (folder / "storage").mkdir()
    subprocess.run([sys.executable, "data/import_nycflights13.py", *MONTHS], cwd=yard, check=True)
    subprocess.run([*_DVC, "add", "data/flights", "data/weather", "data/planes.parquet"], cwd=yard, check=True)
    _trees(yard, "trees: 300", "trees: 30")
    commit_all(yard, "flights")
    git(folder, "clone", "--quiet", "--bare", "repository", "remote.git")
    git(yard, "remote", "add", "origin", "../remote.git")
    git(yard, "fetch", "--quiet", "origin")
    git(yard, "branch", "--set-upstream-to=origin/main", "main")
    measure(yard)
    pushed(yard, "evidence")
    _run(yard, ("register", MODEL), 0)
    wants(yard, "v1.0.0")
    _run(yard, ("deploy",), 0)
    _trees(yard, "trees: 30", "trees: 40")
    commit_all(yard, "more trees")
    measure(yard)
    pushed(yard, "measured")
    return yard


def wants(yard: Path, version: str) -> None:
    """Main wants a version in production."""
    path = yard / f"deployments/production/{MODEL}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"model: {MODEL}\nversion: {version}\n")
    pushed(yard, f"Promote {version}")


def pushed(yard: Path, message: str) -> None:
    """An approved commit of everything, on the remote."""
    commit_all(yard, f"{message}\n\n{APPROVED}")
    git(yard, "push", "--quiet", "origin", "main")


def _trees(yard: Path, before: str, after: str) -> None:
    params = yard / f"models/{MODEL}/params.yaml"
    text = params.read_text()
    assert before in text
    params.write_text(text.replace(before, after))


def _environment(yard: Path) -> dict[str, str]:
    """Temporary files of its own, so that what a killed run leaves there is seen."""
    temporary = yard.parent / "tmp"
    temporary.mkdir(exist_ok=True)
    return {**ENVIRONMENT, "TMPDIR": str(temporary)}


def _run(yard: Path, command: Sequence[str], ends: int | None, more: Mapping[str, str] = NOTHING) -> None:
    done = subprocess.run([sys.executable, "-m", "modelyard", *command], cwd=yard, env={**_environment(yard), **more},
                          capture_output=True, text=True, check=False)  # fmt: skip
    if ends is not None and done.returncode != ends:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")


def _kill(yard: Path, scene: Scene, seconds: float | None, touch: int = 0) -> None:
    """The command, killed with its children after so long, or at a touch; nothing happens if it has ended by then."""
    command = [sys.executable, "-m", "modelyard", *scene.command]
    quiet = subprocess.DEVNULL
    running = subprocess.Popen(
        command, cwd=yard, env=_environment(yard) | ({**_HOOK, "CRASH_AT": str(touch)} if touch else {}), stdout=quiet,
        stderr=quiet, start_new_session=True,
    )  # fmt: skip
    try:
        running.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def _refs(folder: Path) -> dict[str, str]:
    """Ref → object, of what modelyard writes: tags, evidence, journals, branches of its pull requests."""
    patterns = ("refs/tags", "refs/modelyard", "refs/heads/modelyard")
    lines = git(folder, "for-each-ref", "--format=%(refname) %(objectname)", *patterns).splitlines()
    return dict(line.split(" ") for line in lines)


def _served(yard: Path) -> str:
    state = yard / ".modelyard/local/production/state.json"
    return state.read_text() if state.is_file() else ""


def _record(yard: Path, tag: str) -> dict[str, object]:
    message = git(yard, "for-each-ref", "--format=%(contents)", f"refs/tags/{tag}")
    found: dict[str, object] = json.loads(message[message.index("\n{") :].partition("\n-----BEGIN")[0])
    return found


def _temporary(yard: Path) -> list[Path]:
    # Files with names of ours stay: a process has locked one only while it runs.
    held = [path for path in (yard / ".git").glob("*.lock") if not path.name.startswith("modelyard-")]
    locks = [*held, *(yard / ".git/refs").rglob("*.lock")]
    return [*(yard / ".git").glob("modelyard-index-*"), *locks, *(yard / ".dvc/tmp").glob("modelyard-*")]


def _left(yard: Path) -> list[str]:
    """Files that a killed run left and no later run removed."""
    status = git(yard, "status", "--porcelain")
    inside = [*_temporary(yard), *(yard / ".git/worktrees").glob("*")]
    return [f"{line} in the working tree" for line in status.splitlines()] + [
        f"{path.name} was left" for path in inside
    ]
