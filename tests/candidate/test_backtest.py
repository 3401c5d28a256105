"""gate --backtest and the waiver budget, in real repositories."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from modelyard.evidence.statement import write_statement
from support.evidence import EVALUATION, SCAN, TRAINING, bundle
from support.versions import add_version, artifact_of, opened
from support.yard import commit_all, git, small_repository, tool

MODEL = "flight-delay"


def yard_with_evidence(folder: Path, versions: int) -> Path:
    """Versions of churn whose evidence is filed; the policy of the day let them pass."""
    small_repository(folder)
    for minor in range(versions):
        version = f"v1.{minor}.0"
        add_version(folder, "churn", version, file=False)
        artifact = artifact_of("churn", version)
        parts = {"training": TRAINING, "evaluation": EVALUATION, "drift": bundle().drift, "artifact": SCAN}
        documents = {kind: write_statement(kind, "churn", artifact, part) for kind, part in parts.items()}  # type: ignore[arg-type]
        opened(folder).evidence.file_evidence("churn", artifact, documents, {}, version)
    return folder


def changed_policy(folder: Path, *edits: tuple[str, str]) -> str:
    path = folder / "policies/standard.yaml"
    text = path.read_text()
    for before, after in edits:
        assert before in text
        text = text.replace(before, after)
    return text


def test_the_backtest_shows_flips_and_marks_loosened_rules(tmp_path: Path) -> None:
    yard = yard_with_evidence(tmp_path / "yard", 3)
    stricter = changed_policy(yard, ("minimum: 0.65", "minimum: 0.99"), ("maximum_overlap: 0", "maximum_overlap: 9"))
    (tmp_path / "stricter.yaml").write_text(stricter)
    found = json.loads(tool(yard, "gate", "--backtest", "2", "--policy", "../stricter.yaml", "--json").stdout)
    assert [(v["version"], v["before"], v["after"], v["because"]) for v in found["versions"]] == [
        ("v1.2.0", "pass", "fail", ["auc-floor"]),
        ("v1.1.0", "pass", "fail", ["auc-floor"]),
    ]
    assert {(c["sentence"], c["loosens"]) for c in found["changes"]} == {
        ("no-leak maximum_overlap 0 → 9", True),
        ("auc-floor minimum 0.65 → 0.99", False),
    }
    shown = tool(yard, "gate", "--backtest", "20", "--policy", "../stricter.yaml").stdout
    assert (
        shown.count("flips") == 3
        and "LOOSER  no-leak" in shown
        and all(len(line) <= 80 for line in shown.splitlines()[1:])
    )
    same = json.loads(tool(yard, "gate", "churn", "--backtest", "20", "--json").stdout)
    assert same["changes"] == [] and not any(v["after"] != "pass" for v in same["versions"])


def test_the_backtest_without_evidence_is_a_usage_error(tmp_path: Path) -> None:
    yard = small_repository(tmp_path / "yard")
    assert "has filed evidence" in tool(yard, "gate", "--backtest", "5", expect=2).stderr


def test_a_proposal_that_changes_a_policy_shows_the_backtest(champion: Path, propose: Callable[[Path], None]) -> None:
    git(champion, "switch", "--quiet", "--create", "looser")
    text = changed_policy(
        champion,
        ("minimum: 0.65", "minimum: 0.72"),
        ("maximum: ", "maximum: ") if False else ("margin: 0.03", "margin: 0.5"),
    )
    (champion / "policies/standard.yaml").write_text(text)
    params = champion / f"models/{MODEL}/params.yaml"
    params.write_text(params.read_text().replace("trees: 40", "trees: 60"))
    commit_all(champion, "Another policy\n\nBump: major")
    propose(champion)
    tool(champion, "report", MODEL, "--base", "main", "--file")
    report = (champion / f".modelyard/evidence/{MODEL}/report.md").read_text()
    assert "The proposed policy standard on past versions" in report
    assert "flight-delay v1.0.0 | pass | ❌ fail | auc-floor" in report.replace("\\", "")
    assert "looser: no-slice-left-behind margin 0.03 → 0.5" in report.replace("\\", "")
    assert "Merging registers **v2.0.0**: requested: major" in report.replace("\\", "")
    page = (champion / f".modelyard/evidence/{MODEL}/report.html").read_text()
    assert "The proposed policy on past versions" in page and "v2.0.0 because of" in page


def test_waivers_are_listed_and_a_bad_day_stops_the_gate(tmp_path: Path) -> None:
    yard = yard_with_evidence(tmp_path / "yard", 1)
    lines = f'model: churn\ncheck: calibrated\nartifact: "{"a" * 64}"\nreason: urgent\nrequested_by: ada\napproved_by: grace\n'
    (yard / "waivers").mkdir()
    (yard / "waivers/one.yaml").write_text(f"{lines}expires: 2020-01-31\n")
    commit_all(yard, "waive")
    assert "until 2020-01-31 (expired)" in tool(yard, "waivers").stdout
    listed = json.loads(tool(yard, "waivers", "--json").stdout)
    assert listed[0]["expired"] and listed[0]["granted"]
    assert "This command needs pull requests" in tool(yard, "waivers", "--remove-expired", expect=2).stderr
    (yard / "waivers/one.yaml").write_text(f"{lines}expires: 2026-02-31\n")
    assert "is not a valid date" in tool(yard, "waivers", expect=4).stderr
