"""The pull-request loop through the workflow files as rendered: act runs them, a git-backed forge answers them."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from actions.runner import BOT, SECRETS
from actions.tiny import data, dvc
from e2e.conftest import OUTSIDER, Hosted
from forge.store import Pull
from support.identity import token_endpoint
from support.yard import commit_all, git

PARAMS = "models/churn/params.yaml"
BETTER = {PARAMS: ("noise: 0.8", "noise: 0.2")}
WORSE = {PARAMS: ("noise: 0.8", "noise: 6.0")}


def with_verdict(hosted: Hosted, branch: str, champion: str) -> Pull:
    """An open pull request of churn, with the verdict that a report about a champion leaves, but without its run."""
    base = git(hosted.clone, "rev-parse", "origin/main").strip()
    head = hosted.push(branch, {"models/churn/README.md": ("", "# A rival\n")}, "A rival")
    pull = hosted.store.open("ada", branch, "main", "A rival", "")
    hosted.store.set_status(head, BOT, "modelyard/verdict", "success", f"churn pass vs {champion}", "")
    git(hosted.clone, "fetch", "--quiet", "origin", "modelyard/evidence")
    git(hosted.clone, "switch", "--quiet", "--detach", "FETCH_HEAD")
    file = hosted.clone / f"pulls/{pull.number}/verdict.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"head": head, "base": base, "compared": {"churn": champion}}))
    commit_all(hosted.clone, "A verdict")
    git(hosted.clone, "push", "--quiet", "origin", "HEAD:refs/heads/modelyard/evidence")
    return pull


def test_a_good_proposal_is_reported_approved_merged_registered_deployed_and_rolled_back(hosted: Hosted) -> None:
    assert hosted.served() == {"churn": "v1.0.0", "fraud": "v1.0.0"}
    pull = hosted.propose("better", BETTER, "Less noise")
    report = hosted.report(pull)
    assert report.startswith("## ✅ churn may be merged: within margins; better in ")
    assert "<summary>14 passed</summary>" in report
    assert "| train.noise | 0.8 | 0.2 |" in report and "auc-against-champion" in report
    head = git_head(hosted, pull)
    assert head != hosted.store.last_seen[pull.number], "the lock was pushed to the branch"
    assert git(hosted.store.path(hosted.store.name), "log", "-1", "--format=%an %s", head) == f"{BOT} Retrained: churn"
    assert hosted.status(pull) == "success", "the head that carries the lock has the verdict"
    assert hosted.status(pull, "modelyard/approval") == "pending"
    hosted.approve(pull)
    assert hosted.status(pull, "modelyard/approval") == "success"
    rival = with_verdict(hosted, "rival", "v1.0.0")
    for run in hosted.merge(pull):
        run.must()
    taken_back = hosted.store.statuses[hosted.store.head(rival)][-2:]
    assert [(s.state, s.description.partition(";")[0]) for s in taken_back] == [
        ("pending", "churn: another candidate is before it and not registered yet"),
        ("pending", "churn: compared with v1.0.0, but the champion is now v1.1.0"),
    ]
    started = [one for one in hosted.store.dispatched if one[1] == "rival"]
    assert started == [("propose.yml", "rival", {"commit": hosted.store.head(rival)})], "measured again, once"
    assert "churn@v1.1.0" in hosted.tags() and "fraud@v1.0.1" not in hosted.tags()
    assert hosted.served() == {"churn": "v1.1.0", "fraud": "v1.0.0"}
    record = json.loads(
        git(hosted.store.path(hosted.store.name), "tag", "-l", "--format=%(contents:body)", "churn@v1.1.0")
    )
    assert (record["by"], record["approved_by"], record["pull"]) == ("@ada", ["@grace"], pull.number)
    assert record["report"] in report, "the version knows the report its approver saw"
    # Promotion by merge, and its revert rolls back.
    promote = hosted.propose(
        "promote", {"deployments/production/churn.yaml": ("", "model: churn\nversion: v1.0.0\n")}, "Promote v1.0.0"
    )
    assert hosted.status(promote) == "success" and len(hosted.store.comments_of(promote.number)) == 1
    hosted.approve(promote)
    hosted.merge(promote)[0].must()
    forward = hosted.propose("forward", {"deployments/production/churn.yaml": ("v1.0.0", "v1.1.0")}, "Promote v1.1.0")
    hosted.approve(forward)
    hosted.merge(forward)[0].must()
    assert hosted.served("production") == {"churn": "v1.1.0"}
    plan = [c.body for c in hosted.store.comments_of(forward.number) if "modelyard:plan" in c.body]
    assert len(plan) == 1 and "## Merging changes 1 deployment" in plan[0], "the change was shown before it was merged"
    assert "- v1.0.0\n+ v1.1.0\n" in plan[0] and "route all to v1.1.0" in plan[0]
    git(hosted.clone, "fetch", "--quiet", "origin")
    git(hosted.clone, "switch", "--quiet", "--force-create", "revert", "origin/main")
    git(hosted.clone, "revert", "--no-edit", "-m", "1", "HEAD")
    git(hosted.clone, "push", "--quiet", "origin", "revert")
    back = hosted.store.open("ada", "revert", "main", "Revert the promotion", "")
    hosted.actions.pull_request(back)
    hosted.approve(back)
    hosted.merge(back)[0].must()
    assert hosted.served("production") == {"churn": "v1.0.0"}


def test_a_worse_model_is_refused_and_a_second_push_edits_the_one_comment(hosted: Hosted) -> None:
    pull = hosted.propose("worse", WORSE, "More noise")
    first = hosted.report(pull)
    assert re.match(r"## ⛔ Do not merge churn: `auc` is 0\.\d+ ", first), "the headline carries the reason"
    assert first.index("❌ fail") < first.index("✅ pass"), "failures first"
    assert hosted.status(pull) == "failure"
    written = hosted.store.comments[-1].updated
    hosted.actions.pull_request(pull, "synchronize")  # the same head once more
    assert hosted.report(pull) == first and hosted.store.comments[-1].updated == written, "nothing new, nothing written"
    hosted.push_again(pull, {PARAMS: ("noise: 6.0", "noise: 0.2")}, "Less noise after all")
    second = hosted.report(pull)
    assert second.startswith("## ✅ churn may be merged")
    assert "Earlier runs" in second and "⛔ fail" in second
    assert hosted.status(pull) == "success"


def test_a_merge_queue_judges_the_merged_tree_without_training(hosted: Hosted) -> None:
    pull = hosted.propose("better", BETTER, "Less noise")
    hosted.approve(pull)
    words = hosted.push("words", {"README.md": ("", "# words\n")}, "Words")
    git(hosted.clone, "push", "--quiet", "origin", f"{words}:main")  # main has moved since
    comments = len(hosted.store.comments)
    [run], merged = hosted.actions.queue(pull)
    run.must()
    states = {s.context: (s.state, s.description) for s in hosted.store.statuses[merged]}
    assert states["modelyard/verdict"][0] == states["modelyard/approval"][0] == "success"
    assert states["modelyard/verdict"][1].startswith("churn pass vs v1.0.0: within margins")
    assert "Running models/churn/dvc.yaml" in run.log and "stage train" not in run.log, "DVC ran no stage"
    assert len(hosted.store.comments) == comments, "a queue posts no comment"


def test_a_fork_gets_its_report_and_no_secret(hosted: Hosted) -> None:
    name = hosted.store.fork(OUTSIDER)
    clone = hosted.folder / "fork"
    git(hosted.folder, "clone", "--quiet", str(hosted.store.path(name)), "fork")
    params = clone / PARAMS
    params.write_text(params.read_text().replace("noise: 0.8", "noise: 0.3"))
    spy = clone / "models/churn/src/train.py"
    seen = hosted.folder / "environment-of-the-fork.json"
    spy.write_text(
        f"import json, os, pathlib\npathlib.Path({str(seen)!r}).write_text(json.dumps(dict(os.environ)))\n"
        + spy.read_text()
    )
    head = commit_all(clone, "From outside")
    git(clone, "push", "--quiet", "origin", "HEAD:refs/heads/main")
    pull = hosted.store.open(OUTSIDER, f"{OUTSIDER}:main", "main", "From outside", "")
    runs = hosted.actions.pull_request(pull)
    assert [run.workflow for run in runs] == ["propose", "report"]
    environment = seen.read_text()
    tokens = [t for t, token in hosted.store.tokens.items() if token.may("contents", "write")]
    assert not any(secret in environment for secret in [*SECRETS.values(), *tokens])
    report = hosted.report(pull)
    assert "may be merged" in report and "from a fork's run" in report
    assert hosted.status(pull) == "success" and git_head(hosted, pull) == head, "nothing was pushed to the fork"


def test_where_a_role_is_set_a_job_gets_a_token_and_no_key(hosted: Hosted) -> None:
    seen = hosted.folder / "environment-of-the-training.json"
    spy = f"import json, os, pathlib\npathlib.Path({str(seen)!r}).write_text(json.dumps(dict(os.environ)))\n"
    pull = hosted.propose("spying", {"models/churn/src/train.py": ("import json\n", f"{spy}import json\n")}, "Look")
    key, no_role = "AWS_ACCESS_KEY_ID", json.loads(seen.read_text())
    assert no_role[key] == SECRETS["DVC_ACCESS_KEY_ID"] and "AWS_WEB_IDENTITY_TOKEN_FILE" not in no_role
    with token_endpoint() as (url, asked):
        hosted.actions.variables = {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/measure"}
        hosted.actions.given = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
        }
        hosted.push_again(pull, BETTER, "Less noise")
        assert hosted.status(pull) == "success" and asked == ["sts.amazonaws.com"], "the one job that runs a model"
        role = json.loads(seen.read_text())
        assert role["AWS_WEB_IDENTITY_TOKEN_FILE"].endswith("modelyard-credentials/aws")
        assert role[key] == role["AWS_SECRET_ACCESS_KEY"] == ""
        hosted.approve(pull)
        for run in hosted.merge(pull):
            run.must()
    assert hosted.served()["churn"] == "v1.1.0"
    assert len(asked) == 4, "main's jobs that measure, register and deploy to staging; nothing is due in production"


def test_two_models_in_one_pull_request_then_one(hosted: Hosted) -> None:
    both = {PARAMS: ("noise: 0.8", "noise: 0.2"), "models/fraud/params.yaml": ("noise: 0.8", "noise: 6.0")}
    pull = hosted.propose("both", both, "Two models")
    assert hosted.report(pull, "churn").startswith("## ✅") and hosted.report(pull, "fraud").startswith("## ⛔")
    assert hosted.status(pull) == "failure", "one refused model refuses the pull request"
    comment = hosted.comment(pull)
    assert comment.splitlines()[1].startswith("## ⛔ Do not merge: 1 of 2 models does not pass; fraud: auc is 0.")
    assert comment.index("| fraud |") < comment.index("| churn |"), "largest trouble first"
    changed = git(hosted.store.path(hosted.store.name), "diff", "--name-only", "main", git_head(hosted, pull)).split()
    assert {"models/churn/dvc.lock", "models/fraud/dvc.lock"} <= set(changed)
    git(hosted.clone, "fetch", "--quiet", "origin")
    git(hosted.clone, "switch", "--quiet", "--force-create", "both", "origin/both")
    git(hosted.clone, "checkout", "origin/main", "--", "models/fraud")
    commit_all(hosted.clone, "Leave fraud alone")
    git(hosted.clone, "push", "--quiet", "origin", "both")
    hosted.actions.pull_request(pull, "synchronize")
    assert "fraud" not in hosted.comment(pull) and hosted.report(pull, "churn").startswith("## ✅")
    assert hosted.status(pull) == "success"


def test_pictures_on_the_own_evidence_branch(hosted: Hosted) -> None:
    own = {
        "models/churn/report/notes.md": ("", "# Why\n\nThe noise was **halved**. <script>\n\n![seen](seen.png)\n"),
        "models/churn/report/seen.png": ("", "RIFF....WEBP"),
        "models/churn/report/loss.csv": ("", "step,loss\n0,1.0\n1,0.5\n"),
        "models/churn/dvc.yaml": ("stages:", "plots:\n- report/loss.csv: {x: step, y: loss}\nstages:"),
    }
    pull = hosted.propose("better", BETTER | own, "Less noise")
    report = hosted.report(pull)
    for words in ("#### Why", "The noise was **halved**. &lt;script&gt;", "| candidate | loss | 2 | 1 | 0.5000 |"):
        assert words in report, "the team's own words and plots"
    shown = re.findall(r"!\[(seen|report/loss\.csv)\]\(\S+/raw/modelyard/evidence/(\S+)\)", report)
    assert [name for name, _ in shown] == ["seen", "report/loss.csv"]
    assert git(hosted.store.path(hosted.store.name), "show", f"modelyard/evidence:{shown[0][1]}") == "RIFF....WEBP"
    found = re.search(r"!\[Metrics of candidate and champion\]\((\S+)/raw/modelyard/evidence/(\S+)\)", report)
    assert found and found[1] == f"{hosted.server.url}/{hosted.store.name}", "nowhere but on this forge"
    bare = hosted.store.path(hosted.store.name)
    drawn = git(bare, "show", f"modelyard/evidence:{found[2]}")
    assert drawn.startswith("<svg") and "auc" in drawn and 'xmlns="http://www.w3.org/2000/svg"' in drawn
    before = git(bare, "rev-parse", "modelyard/evidence")
    hosted.actions.pull_request(pull, "reopened")
    assert hosted.report(pull) == report and git(bare, "rev-parse", "modelyard/evidence") == before


def test_a_change_of_data_alone(hosted: Hosted) -> None:
    new = hosted.folder / "new.parquet"
    data(new, rows=9000, seed=7)
    git(hosted.clone, "switch", "--quiet", "--force-create", "data", "origin/main")
    (hosted.clone / "data/churn.parquet.dvc").unlink()
    shutil.copyfile(new, hosted.clone / "data/churn.parquet")
    dvc(hosted.clone, "add", "data/churn.parquet")
    dvc(hosted.clone, "push", "data/churn.parquet.dvc")
    commit_all(hosted.clone, "Half as many rows again")
    git(hosted.clone, "push", "--quiet", "origin", "data")
    pull = hosted.store.open("ada", "data", "main", "More data", "")
    hosted.actions.pull_request(pull)
    report = hosted.report(pull)
    assert "| data/churn.parquet | " in report and "train.noise |" not in report
    assert "3,000 held-out rows" in report


def test_a_policy_that_is_loosened_does_not_judge_itself(hosted: Hosted) -> None:
    edits = WORSE | {
        "policies/standard.yaml": ("    metric: auc\n    margin: 0.01", "    metric: auc\n    margin: 0.9"),
        "models/churn/model.yaml": ("  slices: [region]\n", ""),
    }
    pull = hosted.propose("loose", edits, "Be generous")
    report = hosted.report(pull)
    assert report.startswith("## ⛔") and "auc-against-champion margin 0.01 → 0.9" in report
    assert "LOOSENS its own rules" in report and "slice region is no longer evaluated" in report
    assert hosted.status(pull) == "failure"


def test_what_is_handed_over_is_hostile(hosted: Hosted) -> None:
    pull = hosted.propose("worse", WORSE, "More noise")
    honest = hosted.report(pull)
    propose = next(run for run in hosted.actions.runs if run.workflow == "propose")
    folder = hosted.actions.artifacts / str(propose.id) / "proposal-churn"
    evil = "x|</td><script>alert(1)</script> @everyone `rm` ![](https://evil.example/a.png)\n/modelyard promote env=production"
    evaluation = json.loads((folder / "churn/evaluation.json").read_text())
    evaluation["predicate"]["slices"][0]["level"] = evil
    (folder / "churn/evaluation.json").write_text(json.dumps(evaluation))
    (folder / "churn/report.md").write_text("# ✅ merge it\n@everyone")
    (folder / "churn/verdict.json").write_text('{"predicate": {"outcome": "pass"}}')
    (folder / "pull-request-number").write_text("1\n")
    (folder / "churn/generated/dvc.lock").write_text("schema: [")
    (folder / "fraud").mkdir()
    shutil.copyfile(folder / "churn/training.json", folder / "fraud/training.json")
    (folder / "churn/artifact.json").unlink()
    (folder / "churn/artifact.json").symlink_to("/etc/passwd")
    with (folder / "churn/drift.json").open("wb") as big:
        big.truncate(100_000_000)
    with zipfile.ZipFile(folder / "evil.zip", "w") as archive:
        archive.writestr("../../../../slipped.txt", "x")
        archive.writestr("churn/../../slipped.txt", "x")
        archive.writestr("/slipped.txt", "x")
    runs = hosted.actions.workflow_run(propose, pull, hosted.store.last_seen[pull.number])
    assert [run.conclusion for run in runs] == ["success"]
    report = hosted.report(pull)
    assert report != honest and report.startswith("## ⛔")
    assert "merge it" not in report and "<script" not in report and "@everyone" not in report
    assert "https://evil" not in report and "\n/modelyard" not in report and "root:" not in report
    assert "100,000,000 bytes" in report and "not a regular file" in report
    assert not list(hosted.folder.rglob("slipped.txt")) and not Path("/slipped.txt").exists()
    assert len([c for c in hosted.store.comments if c.user == BOT]) == 1, (
        "no other pull request or model was written to"
    )
    assert hosted.status(pull) == "error"


def test_an_approval_before_the_last_push_does_not_count(hosted: Hosted) -> None:
    pull = hosted.propose("better", BETTER, "Less noise")
    hosted.approve(pull)
    assert hosted.status(pull, "modelyard/approval") == "success"
    hosted.push_again(pull, {PARAMS: ("trees: 20", "trees: 25")}, "One thing more")
    assert hosted.status(pull, "modelyard/approval") == "pending"
    deploy = hosted.merge(pull)[0]  # somebody bypasses the branch rule
    assert "merged without the required approvals" in deploy.must("failure").log
    assert "churn@v1.1.0" in hosted.tags() and hosted.served()["churn"] == "v1.0.0", "registered, and served by nobody"
    merged = hosted.store.statuses[pull.merge_commit]
    assert [(s.context, s.state) for s in merged] == [("modelyard/deploy", "failure")]
    filed = git(hosted.store.path(hosted.store.name), "ls-tree", "-r", "--name-only", "modelyard/evidence")
    assert f"refused/staging/churn/{pull.merge_commit}.json" in filed


def test_two_merges_at_once(hosted: Hosted) -> None:
    one = hosted.propose("one", BETTER, "Less noise in churn")
    two = hosted.propose("two", {"models/fraud/params.yaml": ("noise: 0.8", "noise: 0.2")}, "Less noise in fraud")
    for pull in (one, two):
        hosted.approve(pull)
    hosted.store.merge(one.number, "grace")
    hosted.store.merge(two.number, "grace")
    # GitHub keeps one waiting run of a concurrency group: only the last push's run takes place.
    hosted.actions.push()[0].must()
    assert {"churn@v1.1.0", "fraud@v1.1.0"} <= hosted.tags()


def test_two_proposals_of_one_model_conflict_on_the_lock(hosted: Hosted) -> None:
    one = hosted.propose("one", BETTER, "Less noise")
    two = hosted.propose("two", {PARAMS: ("trees: 20", "trees: 40")}, "More trees")
    hosted.approve(one)
    hosted.store.merge(one.number, "grace")
    with pytest.raises(Exception, match="conflict"):
        hosted.store.merge(two.number, "grace")


def git_head(hosted: Hosted, pull: object) -> str:
    return hosted.store.head(pull)  # type: ignore[arg-type]
