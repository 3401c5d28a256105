"""What an attacker tries with the rows and the bytes that the gate measures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelyard.candidate.ci_locks import is_foreign_lock
from modelyard.review.bundle import read_untrusted
from support.versions import opened
from support.yard import commit_all, git, tool, write

MODEL = "flight-delay"
FOLDER = f"models/{MODEL}"


def change(yard: Path, file: str, before: str, after: str) -> None:
    path = yard / FOLDER / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def check(yard: Path, name: str) -> dict[str, Any]:
    """The result of one check on the candidate in the checkout."""
    found = json.loads(tool(yard, "gate", MODEL, "--json", expect=None).stdout)
    return next(one for one in found["checks"] if one["id"] == name)


def write_holdout(yard: Path, code: str) -> None:
    """Lets the pipeline write other held-out rows: ``code`` changes the frame ``part``."""
    change(
        yard,
        "src/featurize.py",
        "        part[keep]",
        f"        if name == 'holdout':\n            {code}\n        part[keep]",
    )
    change(yard, "params.yaml", "trees: 40", "trees: 45")
    commit_all(yard, "features, and more trees")


def test_to_pass_by_other_labels_of_the_held_out_rows(champion: Path, propose: Callable[[Path], None]) -> None:
    write_holdout(champion, "part = part.assign(late=part['late'].where(part['carrier'] != 'UA', 1 - part['late']))")
    propose(champion)
    found = check(champion, "held-out-rows-kept")
    assert found["outcome"] == "fail" and "have another label (limit 0)" in found["sentence"]
    assert "held-out-rows-kept" in tool(champion, "register", MODEL, expect=1).stderr


def test_to_pass_by_leaving_hard_rows_out(champion: Path, propose: Callable[[Path], None]) -> None:
    write_holdout(champion, "part = part[part['carrier'] != 'EV']")
    propose(champion)
    found = check(champion, "held-out-rows-kept")
    assert found["outcome"] == "fail" and "are not held out any more (limit 0)" in found["sentence"]


def test_to_have_other_rows_measured_than_the_lock_pins(champion: Path) -> None:
    code = "    FRAME = pd.read_parquet(FILES['holdout'])\n    FRAME[FRAME['carrier'] != 'EV'].to_parquet(FILES['holdout'])\n"
    path = champion / FOLDER / "src/predict.py"
    text = path.read_text()
    assert text.count('if __name__ == "__main__":\n') == 1
    path.write_text(
        "from settings import FILES\nimport pandas as pd\n" + text.replace("    main()\n", f"    main()\n{code}")
    )
    commit_all(champion, "predict, and then some")
    tool(champion, "retrain", MODEL, "--commit")
    said = tool(champion, "evaluate", MODEL, expect=4).stderr
    assert "was changed after its stage wrote it" in said


def forge(yard: Path) -> str:
    """A branch whose dvc.lock alone changed: it pins the bytes of another model for the same inputs; their md5."""
    git(yard, "switch", "--quiet", "-c", "forged")
    artifact, lock = yard / FOLDER / "model.txt", yard / FOLDER / "dvc.lock"
    before = artifact.read_bytes()
    after = before + b"\n"
    old, new = (hashlib.md5(content, usedforsecurity=False).hexdigest() for content in (before, after))
    text = lock.read_text()
    assert f"md5: {old}\n      size: {len(before)}" in text
    lock.write_text(text.replace(f"md5: {old}\n      size: {len(before)}", f"md5: {new}\n      size: {len(after)}"))
    for store in (yard / ".dvc/cache", yard.parent / "storage"):
        place = store / "files/md5" / new[:2] / new[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(after)
    artifact.unlink()
    commit_all(yard, "The same code, parameters and data")
    return new


def test_to_have_forged_outputs_of_a_lock_measured(champion: Path) -> None:
    forged = forge(champion)
    assert "So every stage runs again" in tool(champion, "retrain", MODEL).stderr
    artifact = (champion / FOLDER / "model.txt").read_bytes()
    assert hashlib.md5(artifact, usedforsecurity=False).hexdigest() != forged
    assert forged not in (champion / FOLDER / "dvc.lock").read_text(), "what was measured is what ran"


def test_to_register_forged_outputs_of_a_lock(champion: Path) -> None:
    forge(champion)
    git(champion, "switch", "--quiet", "main")
    git(champion, "merge", "--quiet", "--no-ff", "forged", "-m", "Merge\n\nApproved-by: Grace <grace@example.org>")
    tool(champion, "run", MODEL)
    said = tool(champion, "register", MODEL, expect=1).stderr
    assert "each time that it runs; dvc.lock pins" in said, "its predictions are the same, its bytes are not"
    (champion / ".modelyard/evidence" / MODEL / "reproduction.json").unlink()
    said = tool(champion, "register", MODEL, expect=1).stderr
    assert "was not run a second time" in said and "pins other outputs of" in said


CI = {"GITHUB_RUN_ID": "7", "GITHUB_SERVER_URL": "https://github.example", "GITHUB_REPOSITORY": "acme/models"}


def forge_changed_code(yard: Path) -> str:
    """The same where the parameters changed too, so that no earlier run can be compared; the forged md5."""
    forged = forge(yard)
    change(yard, "params.yaml", "trees: 40", "trees: 45")
    change(yard, "dvc.lock", "trees: 40", "trees: 45")
    commit_all(yard, "More trees, it says")
    return forged


def test_to_have_bytes_measured_that_the_changed_code_never_made(champion: Path) -> None:
    forged = forge_changed_code(champion)
    said = tool(champion, "run", MODEL, "--base", "main", expect=None).stderr
    assert "every stage runs again" not in said, "a person's own run believes the person's own lock"
    assert hashlib.md5((champion / FOLDER / "model.txt").read_bytes(), usedforsecurity=False).hexdigest() == forged
    said = tool(champion, "run", MODEL, "--base", "main", expect=None, **CI).stderr
    assert "No run of CI left this dvc.lock. So every stage runs again." in said
    assert hashlib.md5((champion / FOLDER / "model.txt").read_bytes(), usedforsecurity=False).hexdigest() != forged
    assert forged not in (champion / FOLDER / "dvc.lock").read_text(), "what was measured is what ran"


def test_a_lock_that_a_run_of_ci_left_is_not_run_again(champion: Path) -> None:
    """The sibling of the attack: the job's own lock, filed by the job that reports, and then an honest push."""
    git(champion, "switch", "--quiet", "-c", "trees")
    change(champion, "params.yaml", "trees: 40", "trees: 45")
    commit_all(champion, "More trees")
    git(champion, "init", "--quiet", "--bare", "../origin.git")
    git(champion, "remote", "add", "origin", "../origin.git")
    git(champion, "push", "--quiet", "origin", "main", "trees", "modelyard/evidence")
    said = tool(champion, "run", MODEL, "--base", "main", expect=None, **CI).stderr
    assert "every stage runs again" not in said, "the lock is main's"
    git(champion, "restore", ".")
    tool(champion, "push-lock", "--from", ".modelyard/evidence", "--branch", "trees")
    git(champion, "fetch", "--quiet", "origin")
    git(champion, "reset", "--quiet", "--hard", "origin/trees")
    assert git(champion, "log", "-1", "--format=%s") == f"Retrained: {MODEL}"
    write(champion, {"README.md": "An honest push.\n"})
    commit_all(champion, "Text")
    said = tool(champion, "run", MODEL, "--base", "main", expect=None, **CI).stderr
    assert "every stage runs again" not in said


def test_to_have_a_lock_believed_that_other_code_left(champion: Path, tmp_path: Path) -> None:
    """Another proposal's code prints the forged lock, and its report files it. So does an earlier push of the same one."""
    git(champion, "init", "--quiet", "--bare", "../origin.git")
    git(champion, "remote", "add", "origin", "../origin.git")
    git(champion, "push", "--quiet", "origin", "main", "modelyard/evidence")
    git(champion, "switch", "--quiet", "-c", "printer")
    change(champion, "src/train.py", "import", "import os  # prints any lock\nimport")
    commit_all(champion, "A printer of locks")
    git(champion, "push", "--quiet", "origin", "printer")
    printer = git(champion, "rev-parse", "HEAD")
    git(champion, "switch", "--quiet", "main")
    forge_changed_code(champion)
    lock = (champion / FOLDER / "dvc.lock").read_text()
    write(tmp_path / "bundle", {f"{MODEL}/generated/dvc.lock": lock})
    arguments = ["push-lock", "--from", str(tmp_path / "bundle"), "--branch", "printer", "--commit", printer]
    tool(champion, *arguments)
    checkout = opened(champion)
    assert checkout.evidence.filed(f"{MODEL}/locks/")
    assert is_foreign_lock(checkout.model(MODEL), "main") and is_foreign_lock(checkout.model(MODEL))


def test_to_register_bytes_that_the_changed_code_never_made(champion: Path) -> None:
    """By the policy: refused where it requires a second run, told where it does not."""
    forged = forge_changed_code(champion)
    git(champion, "switch", "--quiet", "main")
    git(champion, "merge", "--quiet", "--no-ff", "forged", "-m", "Merge\n\nApproved-by: Grace <grace@example.org>")
    tool(champion, "run", MODEL, expect=None, **CI)
    assert hashlib.md5((champion / FOLDER / "model.txt").read_bytes(), usedforsecurity=False).hexdigest() == forged
    second = json.loads((champion / ".modelyard/evidence" / MODEL / "reproduction.json").read_text())
    assert second["predicate"]["outcome"] != "pass", "main ran it a second time"
    said = tool(champion, "register", MODEL, expect=None, **CI).stderr
    assert f"No run of CI left this dvc.lock of {MODEL}. The pipeline of {MODEL} makes the artifact" in said


def test_to_hand_over_a_second_run(tmp_path: Path) -> None:
    for kind in ("training", "reproduction", "verdict"):
        write(tmp_path, {f"churn/{kind}.json": "{}"})
    assert read_untrusted(tmp_path).evidence == {"churn": {"training": b"{}"}}


def test_an_honest_candidate_keeps_the_held_out_rows(champion: Path, propose: Callable[[Path], None]) -> None:
    """The sibling of the attacks: other parameters, the same rows."""
    change(champion, "params.yaml", "trees: 40", "trees: 45")
    commit_all(champion, "more trees")
    propose(champion)
    found = check(champion, "held-out-rows-kept")
    assert found["outcome"] == "pass" and "are kept. Added: 0." in found["sentence"]
