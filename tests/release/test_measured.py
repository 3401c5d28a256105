"""Registering what another job measured: read as untrusted, judged here, and without a line of a model's code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.loop import every_cell
from support.yard import commit_all, git, tool

MODEL = "python-binary"


@pytest.fixture
def jobs(tmp_path: Path) -> tuple[Path, Path]:
    """Two clones of one commit, as two jobs have them: the first has measured, the second has nothing but git."""
    yard = tmp_path / "yard"
    every_cell(yard, [("python", "binary")])
    scorer = yard / f"models/{MODEL}/src/scorer.py"
    scorer.write_text(scorer.read_text() + f"\nimport pathlib\n\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\n")
    tool(yard, "retrain", MODEL, "--commit")
    commit_all(yard, "A scorer that tells")
    git(tmp_path, "clone", "--quiet", "--bare", "yard", "origin.git")
    for job in ("measure", "register"):
        git(tmp_path, "clone", "--quiet", "origin.git", job)
    return tmp_path / "measure", tmp_path / "register"


def test_what_registers_runs_no_code_of_a_model(jobs: tuple[Path, Path], tmp_path: Path) -> None:
    measuring, registering = jobs
    ran = tmp_path / "ran"
    tool(measuring, "run", MODEL)
    assert ran.exists(), "the scorer was called to measure"
    ran.unlink()
    handed = tmp_path / "handed"
    shutil.copytree(measuring / ".modelyard/evidence", handed)
    verdict = handed / MODEL / "verdict.json"
    verdict.write_text("{}")
    (handed / MODEL / "report.html").write_text("<script>")
    command = ("register", MODEL, "--from", str(handed), "--skip-unchanged")
    assert tool(registering, *command).stdout == f"{MODEL}@v1.0.0\n"
    assert not ran.exists(), "nor the scorer's module imported"
    own = registering / ".modelyard/evidence" / MODEL
    assert "<script>" not in (own / "report.html").read_text() and json.loads((own / "verdict.json").read_text())
    assert "registered before" in tool(registering, *command).stderr
    filed = git(registering, "ls-tree", "-r", "--name-only", "refs/heads/modelyard/evidence").split()
    assert any(name.endswith("report.html") for name in filed) and any(name.endswith("probe.json") for name in filed)


def test_evidence_that_is_absent_or_about_other_bytes_registers_nothing(
    jobs: tuple[Path, Path], tmp_path: Path
) -> None:
    measuring, registering = jobs
    tool(measuring, "run", MODEL)
    (tmp_path / "nothing").mkdir()
    said = tool(registering, "register", MODEL, "--from", str(tmp_path / "nothing"), expect=4).stderr
    assert "left no evidence about python-binary" in said
    handed = tmp_path / "handed"
    shutil.copytree(measuring / ".modelyard/evidence", handed)
    for path in (handed / MODEL).glob("*.json"):
        document = json.loads(path.read_text())
        document["subject"][0]["digest"]["sha256"] = "0" * 64
        path.write_text(json.dumps(document))
    assert tool(registering, "register", MODEL, "--from", str(handed), expect=None).returncode in (1, 4)
    (handed / MODEL / "evaluation.json").unlink()
    (handed / MODEL / "evaluation.json").symlink_to("/etc/hostname")
    assert tool(registering, "register", MODEL, "--from", str(handed), expect=None).returncode in (1, 4)
    assert git(registering, "tag", "--list") == ""
