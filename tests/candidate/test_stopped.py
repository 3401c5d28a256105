"""A retraining that is stopped or fails leaves the tracked files as they were: a real process, git and DVC."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from modelyard.files import restored_unless_done
from support.waiting import wait_for
from support.yard import IDENTITY, begin_dvc, commit_all, git, small_repository, write

PIPELINE = """\
stages:
  featurize:
    cmd: python -c "open('features.txt', 'w').write('x')"
    outs: [features.txt]
  train:
    cmd: python train.py
    deps: [features.txt, train.py]
    outs: [model.txt]
    metrics: [{metrics.json: {cache: false}}]
"""
TRAIN = "import pathlib, time\npathlib.Path('started').write_text('')\n"


@pytest.fixture
def stages(tmp_path: Path) -> Callable[[str], Path]:
    """A model repository whose pipeline has two real stages; the second ends with the given code."""
    return lambda train: _with_stages(tmp_path, train)


def _with_stages(folder: Path, train: str) -> Path:
    small_repository(folder)
    begin_dvc(folder)
    files = {
        "dvc.yaml": PIPELINE,
        "train.py": TRAIN + train,
        "metrics.json": '{"auc": 0.7}',
        ".gitignore": "/started\n",
    }
    write(folder, {f"models/churn/{name}": content for name, content in files.items()})
    commit_all(folder, "a pipeline")
    return folder


def started(folder: Path, *command: str, ci: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "modelyard", *(command or ("retrain", "churn"))], cwd=folder, env=os.environ | IDENTITY | {"CI": ci}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's background ignores it
    )  # fmt: skip


@pytest.mark.parametrize("train", ["time.sleep(900)", "try:\n    time.sleep(900)\nfinally:\n    print('bye')"])
def test_ctrl_c_while_a_stage_runs(stages: Callable[[str], Path], train: str) -> None:
    folder = stages(train)
    running = started(folder)
    wait_for(lambda: (folder / "models/churn/started").exists(), "the stage train")
    assert not (folder / "models/churn/metrics.json").exists(), "DVC has deleted it"
    os.killpg(running.pid, signal.SIGINT)  # as a terminal's Ctrl-C does
    _, said = running.communicate()
    assert running.returncode == 130 and said.rstrip().endswith("Stopped."), said
    assert [line for line in said.splitlines() if line.startswith("  stage ")] == [
        "  stage featurize …", "  stage train …",
    ]  # fmt: skip
    assert git(folder, "diff", "--name-only") == "" and not (folder / "models/churn/dvc.lock").exists()


@pytest.mark.parametrize("command", ["run", "propose"])
def test_ctrl_c_in_commands_that_retrain(stages: Callable[[str], Path], command: str) -> None:
    folder = stages("time.sleep(900)")
    branch, before = git(folder, "branch", "--show-current"), git(folder, "for-each-ref")
    running = started(folder, command, "churn")
    wait_for(lambda: (folder / "models/churn/started").exists(), "the stage train")
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate()
    assert running.returncode == 130 and said.rstrip().endswith("Stopped."), said
    assert git(folder, "status", "--porcelain", "--untracked-files=no") == ""
    assert (git(folder, "branch", "--show-current"), git(folder, "for-each-ref")) == (branch, before)


PRINTS = "for i in range(100):\n    print(f'line {i} \\x1b]0;title')\n"


def test_a_stage_that_fails_shows_its_last_lines(stages: Callable[[str], Path]) -> None:
    folder = stages(f"{PRINTS}raise SystemExit(3)")
    running = started(folder)
    _, said = running.communicate()
    assert running.returncode == 4 and "exited with 3" in said
    assert git(folder, "diff", "--name-only") == ""
    assert "  line 99 " in said and "line 0 " not in said and "\x1b" not in said
    assert said.index("stage train") < said.index("line 99") < said.index("Error:")


@pytest.mark.parametrize(
    ("asked", "ci", "output", "messages"),
    [("-v", "", True, True), ("", "", False, True), ("-q", "", False, False), ("", "true", True, True),
     ("-q", "true", False, False)],
)  # fmt: skip
def test_the_output_of_stages(stages: Callable[[str], Path], asked: str, ci: str, output: bool, messages: bool) -> None:
    running = started(stages(f"{PRINTS}raise SystemExit(3)"), "retrain", "churn", *asked.split(), ci=ci)
    _, said = running.communicate()
    assert running.returncode == 4 and "line 99 " in said, "a failed stage shows its last lines"
    assert ("line 0 " in said) == output, said
    assert ("stage train" in said) == messages, said


def test_files_that_were_changed_added_and_removed(tmp_path: Path) -> None:
    write(tmp_path, {"changed": "1", "removed": "1", "same": "1"})
    paths = [tmp_path / name for name in ("changed", "removed", "same", "added")]
    at = paths[2].stat().st_mtime_ns
    with pytest.raises(KeyboardInterrupt), restored_unless_done(paths):
        write(tmp_path, {"changed": "2", "added": "2"})
        paths[1].unlink()
        raise KeyboardInterrupt
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"changed": "1", "removed": "1", "same": "1"}
    assert paths[2].stat().st_mtime_ns == at, "what did not change is not written"
    with restored_unless_done(paths):
        write(tmp_path, {"changed": "2"})
    assert paths[0].read_text() == "2"
