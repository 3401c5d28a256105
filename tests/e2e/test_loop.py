"""The loop on real flights: determinism, registration, deployment, and agreement with GTO and DVC."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.yard import commit_all, git, tool

MODEL = "flight-delay"
PARAMS = f"models/{MODEL}/params.yaml"
APPROVED = "Approved-by: Grace Reviewer <grace@example.org>"
ARTIFACT = f"models/{MODEL}/model.txt"


def edit(folder: Path, file: str, before: str, after: str) -> None:
    path = folder / file
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


def more_trees(folder: Path) -> None:
    edit(folder, PARAMS, "trees: 40", "trees: 60")
    commit_all(folder, "More trees")


def test_the_same_commit_gives_the_same_bytes(champion: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", str(champion), "clone")
    clone = tmp_path / "clone"
    (tmp_path / "storage").symlink_to(champion.parent / "storage")
    before = hashlib.sha256((champion / ARTIFACT).read_bytes()).hexdigest()
    tool(clone, "retrain", MODEL)  # pulled from the remote
    assert hashlib.sha256((clone / ARTIFACT).read_bytes()).hexdigest() == before
    trained = json.loads(tool(clone, "retrain", MODEL, "--force", "--no-push", "--json").stdout)
    assert trained["reproduced"] and trained["artifact"] == before
    assert git(clone, "status", "--porcelain") == ""


def test_a_version_says_what_it_is_and_tools_of_the_field_agree(champion: Path, tmp_path: Path) -> None:
    record = json.loads(git(champion, "tag", "-l", "--format=%(contents:body)", f"{MODEL}@v1.0.0"))
    artifact = (champion / ARTIFACT).read_bytes()
    assert record["artifact"] == hashlib.sha256(artifact).hexdigest()
    assert record["verdict"] == "pass" and {"training", "evaluation", "drift", "artifact", "verdict"} <= set(
        record["evidence"]
    )
    assert record["data"].keys() == {"data/flights", "data/weather", "data/planes.parquet"}
    shown = subprocess.run(
        [str(Path(sys.executable).with_name("gto")), "show", "--json"],
        cwd=champion,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    of_model = json.loads(shown)[MODEL]
    assert of_model["version"] == "v1.0.0"
    assert of_model["stage"] == {"staging": "v1.0.0", "production": "v1.0.0"}
    for option in (["--rev", "v1.0.0"], ["--stage", "production"]):
        out = tmp_path / option[1]
        subprocess.run(
            [sys.executable, "-m", "dvc", "artifacts", "get", "-q", str(champion), MODEL, "-o", str(out), *option],
            cwd=tmp_path, check=True,
        )  # fmt: skip
        assert out.read_bytes() == artifact


def test_evidence_is_filed_under_the_bytes_it_is_about(champion: Path) -> None:
    sha256 = hashlib.sha256((champion / ARTIFACT).read_bytes()).hexdigest()
    files = git(champion, "ls-tree", "-r", "--name-only", "modelyard/evidence").splitlines()
    names = {"training.json", "evaluation.json", "drift.json", "verdict.json", "report.md", "report.html"}
    assert {f"{MODEL}/{sha256}/{name}" for name in names} <= set(files)


def test_a_better_proposal_is_registered_deployed_and_rolled_back(
    champion: Path, propose: Callable[[Path], None]
) -> None:
    more_trees(champion)
    propose(champion)
    shutil.rmtree(champion / ".modelyard" / "evidence")  # another machine registers; the evidence is in git
    tool(champion, "retrain", MODEL)
    assert tool(champion, "register", MODEL).stdout == f"{MODEL}@v1.1.0\n"
    assert "registered before" in tool(champion, "register", MODEL).stderr
    tool(champion, "deploy", "--env", "staging")
    edit(champion, f"deployments/production/{MODEL}.yaml", "v1.0.0", "v1.1.0")
    commit_all(champion, "Promote v1.1.0\n\nApproved-by: Ada Author <ada@example.org>")
    planned = tool(champion, "deploy", "--plan", "--env", "production").stdout
    assert "- v1.0.0" in planned and "+ v1.1.0" in planned
    lines = json.loads(tool(champion, "status", "--json").stdout)
    production = next(line for line in lines if line["environment"] == "production")
    assert (production["desired"], production["live"], production["sync"]) == ("v1.1.0", "v1.0.0", "out of sync")
    refused = tool(champion, "deploy", expect=1)
    assert "merged without the required approvals" in refused.stderr, "the author's own word does not count"
    assert f"refused/production/{MODEL}/" in git(champion, "ls-tree", "-r", "--name-only", "modelyard/evidence")
    git(champion, "commit", "--quiet", "--amend", "-m", f"Promote v1.1.0\n\n{APPROVED}")
    tool(champion, "deploy")
    tags = git(champion, "tag")
    tool(champion, "deploy")
    assert git(champion, "tag") == tags, "deploying again changes nothing"
    production = json.loads(tool(champion, "status", MODEL, "--env", "production", "--json").stdout)[0]
    assert (production["live"], production["sync"], production["why"]) == ("v1.1.0", "in sync", "Promote v1.1.0")
    assert production["approved_by"] == ["Grace Reviewer"]
    git(champion, "revert", "--no-edit", "HEAD")
    assert "without the required approvals" in tool(champion, "deploy", "--env", "production", expect=1).stderr
    git(champion, "commit", "--quiet", "--amend", "-m", f"Back to v1.0.0\n\n{APPROVED}")
    actions = json.loads(tool(champion, "deploy", "--env", "production", "--json").stdout)[0]["actions"]
    assert actions == ["route all to v1.0.0"], "the way back installs nothing"
    assert json.loads(tool(champion, "status", "--env", "production", "--json").stdout)[0]["live"] == "v1.0.0"
    times = git(champion, "for-each-ref", "--format=%(taggerdate:unix)", "--sort=taggerdate", "refs/tags").split()
    assert len(set(times)) == len(times), "tagger times increase strictly"


def test_a_leaked_input_is_refused_whatever_it_gains(champion: Path, propose: Callable[[Path], None]) -> None:
    leak = "    - {name: dep_delay, type: float, nullable: true}\n\nevaluation:"
    edit(champion, f"models/{MODEL}/model.yaml", "\nevaluation:", leak)
    commit_all(champion, "Use the departure delay")
    propose(champion)
    verdict = json.loads(tool(champion, "gate", MODEL, "--json", expect=1).stdout)
    failed = {check["id"]: check["sentence"] for check in verdict["checks"] if check["outcome"] == "fail"}
    assert "dep_delay alone reaches AUC" in failed["no-leak"]
    assert "no-leak" in tool(champion, "register", MODEL, expect=1).stderr
    assert MODEL + "@v2" not in git(champion, "tag")


def test_a_dropped_input_is_refused_and_would_be_a_major_version(
    champion: Path, propose: Callable[[Path], None]
) -> None:
    line = "    - {name: carrier, type: string, description: two-letter airline code}\n"
    edit(champion, f"models/{MODEL}/model.yaml", line, "")
    commit_all(champion, "Drop the carrier")
    propose(champion)
    verdict = json.loads(tool(champion, "gate", MODEL, "--json", expect=1).stdout)
    sentence = next(check["sentence"] for check in verdict["checks"] if check["id"] == "contract-kept")
    assert "removed: carrier" in sentence
    sha256 = hashlib.sha256((champion / ARTIFACT).read_bytes()).hexdigest()
    waiver = (
        f"model: {MODEL}\ncheck: %s\nartifact: {sha256}\nreason: agreed\nrequested_by: ada\napproved_by: grace\n"
        'expires: "2999-01-01"\n'
    )
    for check in verdict["checks"]:
        if check["level"] == "soft" and check["outcome"] in ("fail", "inconclusive"):
            (champion / "waivers" / f"{check['id']}.yaml").write_text(waiver % check["id"])
    commit_all(champion, "Waive it")
    assert json.loads(tool(champion, "gate", MODEL, "--json").stdout)["outcome"] == "waived"
    assert tool(champion, "register", MODEL).stdout == f"{MODEL}@v2.0.0\n"


def test_bytes_that_did_not_change_are_refused(champion: Path) -> None:
    commit_all(champion, "nothing")
    for command in ("retrain", "evaluate", "drift"):
        tool(champion, command, MODEL)
    assert json.loads(tool(champion, "evaluate", MODEL, "--json").stdout)["identical_bytes"] is True
    assert "byte-identical" in tool(champion, "gate", MODEL).stdout
    assert "byte-identical to that of v1.0.0" in tool(champion, "register", MODEL, expect=1).stderr


def test_two_registrations_at_once_from_two_clones(
    champion: Path, propose: Callable[[Path], None], tmp_path: Path
) -> None:
    more_trees(champion)
    propose(champion)
    git(tmp_path, "clone", "--quiet", "--bare", str(champion), "origin.git")
    clones = []
    for name in ("one", "two"):
        shutil.copytree(champion, tmp_path / "champion" / name, symlinks=True)
        clones.append(tmp_path / "champion" / name)
        git(clones[-1], "remote", "add", "origin", str(tmp_path / "origin.git"))
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda folder: tool(folder, "register", MODEL), clones))
    assert [run.stdout for run in done] == [f"{MODEL}@v1.1.0\n"] * 2
    tags = git(tmp_path / "origin.git", "tag", "--list", f"{MODEL}@*").split()
    assert tags == [f"{MODEL}@v1.0.0", f"{MODEL}@v1.1.0"]
    assert "modelyard/evidence" in git(tmp_path / "origin.git", "branch", "--list")


def test_two_candidates_at_once_from_two_clones_get_two_numbers(
    champion: Path, propose: Callable[[Path], None], tmp_path: Path
) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(champion), "shared.git")
    clones = []
    (tmp_path / "storage").symlink_to(champion.parent / "storage")
    for name, before, trees in (("one", 40, 60), ("two", 60, 70)):
        git(tmp_path, "clone", "--quiet", "shared.git", name)
        clone = tmp_path / name
        edit(clone, PARAMS, f"trees: {before}", f"trees: {trees}")
        commit_all(clone, f"{trees} trees")
        propose(clone)
        git(clone, "push", "--quiet", "origin", "main")
        clones.append(clone)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda folder: tool(folder, "register", MODEL), clones))
    assert {run.stdout for run in done} == {f"{MODEL}@v1.1.0\n", f"{MODEL}@v1.2.0\n"}
    shared = tmp_path / "shared.git"
    assert set(git(shared, "tag", "--list", f"{MODEL}@*").split()) == {f"{MODEL}@v1.{n}.0" for n in range(3)}
    filed = git(shared, "ls-tree", "-r", "--name-only", "modelyard/evidence").splitlines()
    assert {f"{MODEL}/tags/{MODEL}@v1.1.0", f"{MODEL}/tags/{MODEL}@v1.2.0"} <= set(filed)


def test_two_registrations_at_once_in_one_clone(champion: Path, propose: Callable[[Path], None]) -> None:
    more_trees(champion)
    propose(champion)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: tool(champion, "register", MODEL), range(2)))
    assert {run.stdout for run in done} == {f"{MODEL}@v1.1.0\n"}
    assert len(git(champion, "tag", "--list", f"{MODEL}@*").split()) == 2


def test_without_the_evidence_branch_no_tag_counts_and_with_it_they_do_again(
    champion: Path, propose: Callable[[Path], None]
) -> None:
    more_trees(champion)
    propose(champion)
    tool(champion, "register", MODEL)
    evidence = git(champion, "rev-parse", "modelyard/evidence")
    git(champion, "branch", "--quiet", "-D", "modelyard/evidence")
    assert "no branch modelyard/evidence" in tool(champion, "register", MODEL, expect=2).stderr
    git(champion, "branch", "modelyard/evidence", evidence)
    assert "registered before" in tool(champion, "register", MODEL).stderr
    files = git(champion, "ls-tree", "-r", "--name-only", "modelyard/evidence").splitlines()
    assert {Path(file).name for file in files} >= {"training.json", "evaluation.json", "drift.json", "verdict.json"}


def test_a_champion_that_moved_asks_for_a_new_comparison(champion: Path, propose: Callable[[Path], None]) -> None:
    edit(champion, PARAMS, "seed: 7", "seed: 8")
    commit_all(champion, "Another seed")
    propose(champion)
    slow = git(champion, "rev-parse", "HEAD")
    more_trees(champion)
    propose(champion)
    tool(champion, "register", MODEL)
    edit(champion, f"deployments/production/{MODEL}.yaml", "v1.0.0", "v1.1.0")
    commit_all(champion, f"Promote v1.1.0\n\n{APPROVED}")
    tool(champion, "deploy")
    git(champion, "switch", "--quiet", "--detach", slow)
    tool(champion, "retrain", MODEL)
    assert "the champion is now v1.1.0" in tool(champion, "register", MODEL, expect=1).stderr


@pytest.mark.parametrize("killed_after", ["install", "switch"])
def test_a_deploy_that_was_killed_converges(champion: Path, killed_after: str) -> None:
    state = champion / ".modelyard/local/production/state.json"
    good = json.loads(state.read_text())
    installed = good["models"][MODEL]["installed"] if killed_after == "switch" else {}
    state.write_text(json.dumps({"models": {MODEL: {"serving": "", "installed": installed}}}))
    git(champion, "tag", "--delete", f"{MODEL}#production#2")
    tool(champion, "deploy", "--env", "production")
    assert json.loads(state.read_text()) == good
    # Not #2 again: its copy is filed, so that number was given once.
    assert f"{MODEL}#production#3" in git(champion, "tag")
