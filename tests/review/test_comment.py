"""Reports on a pull request, with a forge and a clone in memory: which comments, which status, which notes."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from modelyard.errors import ModelyardError
from modelyard.evidence.bundle import Bundle
from modelyard.evidence.custom import CustomReport, Line, Page, Picture, Plot
from modelyard.evidence.statement import write_statement
from modelyard.forges.ci import CI
from modelyard.forges.interface import VERDICT, Comment, Status, is_marked
from modelyard.gate.judge import judge
from modelyard.git import TagRef
from modelyard.report.content import Report
from modelyard.report.markdown.bodies import plan_part
from modelyard.report.markdown.comment import LIMIT, joint_digest, marker
from modelyard.report.markdown.summary import REPORT, report_in, with_plan
from modelyard.review import comment
from modelyard.review.comment import Poster
from modelyard.review.pictures import METRICS, file_pictures
from modelyard.review.subject import Subject
from modelyard.rollout.plan import Delivery
from support.evidence import ARTIFACT, DRIFT, EVALUATION, SCAN, TRAINING, bundle
from support.mlflow import mlflow_stub
from support.pulls import MemoryEvidence, MemoryForge, MemoryGit, a_pull, as_forge, as_store, memory_checkout
from support.yard import CONFIG, DVC_YAML, MODEL_YAML

TODAY = date(2026, 5, 3)
MARK = marker("churn")
POLICY = """\
name: standard
description: d
checks:
  - {id: evidence-complete, kind: evidence, require: [training, evaluation, drift, artifact], why: w}
  - {id: auc-floor, kind: threshold, metric: auc, minimum: 0.7, why: w}
"""
PICTURE, LIE = Picture("a.png", b"\x89PNG\r\n\x1a\n"), Picture("lie.png", b"<svg/>")
PLOT = Plot("loss", "step", "loss", (Line("candidate", "loss", ((0, 1.0), (1, 0.5))),))
FILES = {
    "modelyard.yaml": CONFIG,
    "policies/standard.yaml": POLICY,
    **{f"models/{name}/model.yaml": MODEL_YAML.format(name=name) for name in ("churn", "fraud")},
    **{f"models/{name}/dvc.yaml": DVC_YAML for name in ("churn", "fraud")},
}


def documents(model: str = "churn") -> dict[str, bytes]:
    parts = {"training": TRAINING, "evaluation": EVALUATION, "drift": DRIFT, "artifact": SCAN}
    return {kind: write_statement(kind, model, ARTIFACT, value) for kind, value in parts.items()}  # type: ignore[arg-type]


# --- which evidence counts --------------------------------------------------------------------------------------------


def test_the_training_evidence_names_the_artifact() -> None:
    found = comment._bundle("churn", documents())
    assert found.artifact == ARTIFACT and not found.faults
    others = documents() | {"drift": write_statement("drift", "churn", "b" * 64, DRIFT)}
    assert list(comment._bundle("churn", others).faults) == ["drift"]


@pytest.mark.parametrize(
    "training",
    [
        None,
        b"{",
        write_statement("training", "churn", "", TRAINING),
        write_statement("training", "churn", "x", TRAINING),
    ],
)
def test_without_an_artifact_no_evidence_counts(training: bytes | None) -> None:
    given_documents = documents() | ({"training": training} if training is not None else {})
    if training is None:
        del given_documents["training"]
    found = comment._bundle("churn", given_documents)
    assert found.artifact == "" and set(found.faults) == {"training", "evaluation", "drift", "artifact"}


# --- the poster -------------------------------------------------------------------------------------------------------


class Scene:
    """A poster for pull request 7, which changes some models; backtests and numbers are left to their own tests."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, config: str = CONFIG, **files: str) -> None:
        self.folder, self.git = folder, MemoryGit()
        self.base = self.git.head = self.git.add(FILES | {"modelyard.yaml": config} | files)
        names = {path.split("/")[1] for path in (FILES | files) if path.endswith("/model.yaml")}
        self.git.tag_refs = [TagRef(f"{name}@v1.0.0", True, self.base, 1, "ada", "v1.0.0") for name in sorted(names)]
        self.forge, self.evidence = MemoryForge(), MemoryEvidence()
        self.said: list[str] = []
        self.checkout = memory_checkout(folder, self.git, self.evidence)
        monkeypatch.setattr(comment, "report_on", self.report_on)
        monkeypatch.setattr(shutil, "which", lambda program: None)

    @staticmethod
    def report_on(view: Any, found: Bundle, rules: Any, head: str, base: str, owners: Any, today: date) -> Report:
        verdict = judge(rules.policy, rules.lines, found, rules.waivers, today, rules.notes, rules.model)
        return Report(verdict, found, head, owners)

    def post(
        self, changed: dict[str, str], evidence: dict[str, dict[str, bytes]], refused: list[str] | None = None,
        **subject: Any,
    ) -> tuple[dict[str, str], Subject]:  # fmt: skip
        head = self.git.add(changed, self.base)
        pull = a_pull(7, head=head, from_fork=subject.pop("from_fork", False))
        self.forge.pulls[7], self.forge.files[7] = pull, sorted(changed)
        asked = replace(Subject(pull, head, head, "https://ci.example/run/1"), **subject)
        poster = Poster(self.checkout, as_forge(self.forge), CI(), self.base, TODAY, self.said.append)
        posted = poster.post(asked, evidence, refused or [])
        assert (posted.pull, posted.head) == (7, asked.head)
        return {model: str(outcome) for model, outcome in posted.outcomes.items()}, asked

    def body(self, model: str = "churn") -> str:
        return report_in(self.comment(), model)

    def comment(self) -> str:
        [body] = [c.body for c in self.forge.comments(7) if c.ours and is_marked(c.body, REPORT)]
        return body

    def status(self, commit: str) -> Status:
        return self.forge.statuses(commit)[0]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, monkeypatch)


CHANGE = {"models/churn/params.yaml": "train: {trees: 6}\n"}


def test_a_good_proposal(scene: Scene) -> None:
    outcomes, subject = scene.post(CHANGE, {"churn": documents()})
    assert outcomes == {"churn": "pass"} and scene.body().startswith(f"{MARK}\n## ✅ churn may be merged")
    status = scene.status(subject.head)
    assert (status.context, status.state, status.url) == (VERDICT, "success", "https://ci.example/run/1")
    digest = status.description.rpartition(" ")[2]
    assert status.description.startswith("churn pass vs v1.0.0: no rule compares it with v1.0.0; bet…")
    assert status.description.endswith(f" · report sha256 {digest}")
    filed = [path for path in scene.evidence.filed_files if "/pictures/" not in path]
    assert filed == [f"pulls/7/churn-{digest[:16]}.md", "pulls/7/verdict.json"]
    writes = scene.forge.writes
    scene.post(CHANGE, {"churn": documents()}, measured=subject.head, head=subject.head)
    assert scene.forge.writes == writes, "the same report is not written again"


def test_the_plan_of_deployments_stays_in_the_comment(scene: Scene) -> None:
    plan = plan_part([Delivery("staging", "churn", "v2", "v1", ("route all to v2",))])
    scene.forge.write_comment(7, with_plan(REPORT, plan), REPORT)
    scene.post({"README.md": "words"}, {})
    assert scene.comment() == with_plan(REPORT, plan), "no model is affected, so there is no report beside the plan"
    scene.post(CHANGE, {"churn": documents()})
    assert (
        scene.comment().endswith(plan) and scene.body().startswith(f"{MARK}\n## ✅") and "Merging" not in scene.body()
    )
    writes = scene.forge.writes
    scene.post(CHANGE, {"churn": documents()})
    assert scene.comment().count("## Merging changes 1 deployment") == 1 and scene.forge.writes == writes + 1


def test_what_was_handed_over_about_other_models_is_not_shown(scene: Scene) -> None:
    outcomes, _ = scene.post(CHANGE, {"churn": documents(), "fraud": documents("fraud")})
    assert outcomes == {"churn": "pass"} and len(scene.forge.comments(7)) == 1


def test_missing_evidence_is_an_error_and_two_models_have_one_status(scene: Scene) -> None:
    both = CHANGE | {"models/fraud/params.yaml": "train: {trees: 6}\n"}
    outcomes, subject = scene.post(both, {"churn": documents()})
    assert outcomes == {"churn": "pass", "fraud": "error"}
    assert "The training evidence is missing" in scene.body("fraud")
    status = scene.status(subject.head)
    assert status.state == "error" and status.description.startswith("fraud error: the training evidence is missing")
    joint = next(path for path in scene.evidence.filed_files if path.startswith("pulls/7/all-"))
    digests = scene.evidence.filed_files[joint].decode().split()
    assert status.description.endswith(joint_digest(digests)) and len(digests) == 2


@pytest.mark.parametrize(
    ("succeeded", "state", "summary"),
    [(True, "success", "no model is affected"), (False, "error", "the run that checks this pull request failed")],
)
def test_a_change_of_no_model(scene: Scene, succeeded: bool, state: str, summary: str) -> None:
    outcomes, subject = scene.post({"README.md": "words"}, {}, succeeded=succeeded)
    status = scene.status(subject.head)
    assert outcomes == {} and (status.state, status.description) == (state, summary)
    assert scene.forge.comments(7) == [] and scene.evidence.filed_files == {}


def test_the_status_is_set_on_the_measured_commit_and_on_the_one_with_the_lock(scene: Scene) -> None:
    measured = scene.git.add(CHANGE, scene.base)
    scene.post(CHANGE, {"churn": documents()}, measured=measured)
    commits = [commit for commit, _ in scene.forge.set_statuses]
    assert len(commits) == 2 and commits[0] == measured


def test_two_models_have_one_comment_and_one_that_is_not_affected_any_more_leaves_it(scene: Scene) -> None:
    scene.forge.written[7] = [Comment(1, f"{REPORT}\nx", False)]
    both = CHANGE | {"models/fraud/params.yaml": "train: {trees: 6}\n"}
    scene.post(both, {"churn": documents()})
    assert scene.body("fraud").startswith(
        f"{marker('fraud')}\n## ⛔ Do not merge fraud: the training evidence is missing"
    )
    assert scene.body("churn").startswith(f"{marker('churn')}\n## ✅ churn may be merged")
    assert scene.comment().index("| fraud |") < scene.comment().index("| churn |"), "largest trouble first"
    scene.post(CHANGE, {"churn": documents()})
    assert "fraud" not in scene.comment() and scene.comment().startswith(f"{REPORT}\n{MARK}\n## ✅")
    assert "Earlier runs" in scene.comment(), "a report finds its own history in the comment"
    scene.post({"README.md": "words"}, {})
    assert scene.comment() == f"{REPORT}\n## ⚪ This pull request does not change a model any more\n"
    assert scene.forge.comments(7)[0].body == f"{REPORT}\nx", "another person's marker is not ours"


def test_three_hundred_models_in_one_pull_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"flight_delay_of_region_{i:03}" for i in range(300)]
    files = {f"models/{name}/model.yaml": MODEL_YAML.format(name=name) for name in names}
    scene = Scene(tmp_path, monkeypatch, **files, **{f"models/{name}/dvc.yaml": DVC_YAML for name in names})
    evidence = {name: documents(name) for name in names[1:]}
    outcomes, subject = scene.post({f"models/{name}/params.yaml": "train: {trees: 6}\n" for name in names}, evidence)
    assert len(outcomes) == 300 and len(scene.forge.comments(7)) == 1
    shown = scene.comment()
    assert len(shown) < LIMIT and sum(line.startswith("| flight") for line in shown.splitlines()) == 300
    assert shown.splitlines()[1].startswith(
        "## ⛔ Do not merge: 1 of 300 models does not pass; flight\\_delay\\_of\\_region\\_000"
    )
    assert scene.body(names[0]) and "reports are left out" in shown, "the report with the largest trouble is in it"
    assert shown.count("<details>") == shown.count("</details>")
    assert len(scene.status(subject.head).description) <= 140


def test_notes_say_what_a_reviewer_must_know(scene: Scene) -> None:
    changed = CHANGE | {".github/workflows/propose.yml": "on: push\n"}
    scene.post(changed, {"churn": documents()}, ["'churn/x' is a link"], succeeded=False, from_fork=True)
    body = scene.body()
    for words in (
        "These files of the untrusted bundle were not read: 'churn/x' is a link",
        "The run that evaluates this pull request failed",
        "changes its own CI files: .github/workflows/propose.yml",
        "The evidence is from a fork's run",
    ):
        assert words.replace("-", "\\-") in body or words in body, words


def test_a_manifest_that_cannot_be_read_is_an_error_with_its_line(scene: Scene) -> None:
    outcomes, subject = scene.post({"models/churn/model.yaml": "name: churn\nname: fraud\n"}, {"churn": documents()})
    assert outcomes == {"churn": "error"} and scene.status(subject.head).state == "error"
    assert "is given twice" in scene.body() and scene.body().startswith(f"{MARK}\n## 💥 churn could not be judged")


def test_the_rules_are_those_of_the_base_branch(scene: Scene) -> None:
    weak = POLICY.replace("minimum: 0.7", "minimum: 0.99")
    scene.base = scene.git.head = scene.git.add({"policies/standard.yaml": weak}, scene.base)
    outcomes, _ = scene.post(CHANGE | {"policies/standard.yaml": POLICY}, {"churn": documents()})
    assert outcomes == {"churn": "fail", "fraud": "error"}, "both use that policy"
    assert "auc-floor minimum 0.99 → 0.7" in scene.body().replace("\\", "")


def test_pictures_are_files_of_the_evidence_branch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(tmp_path, monkeypatch)
    scene.post(CHANGE, {"churn": documents()})
    path = f"churn/{ARTIFACT}/pictures/intervals.svg"
    assert f"](https://forge.example/raw/modelyard/evidence/{path})" in scene.body()
    assert scene.evidence.filed_files[path].startswith(b"<svg")
    stranger = Scene(tmp_path / "fork", monkeypatch)
    stranger.post(CHANGE, {"churn": documents()}, from_fork=True)
    assert "![" not in stranger.body() and path not in stranger.evidence.filed_files


def test_the_words_of_the_team_with_pictures_of_the_evidence_branch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    custom = CustomReport((Page("notes.md", "Hello **you**\n![](a.png)\n![](lie.png)"),), (PICTURE, LIE), (PLOT,))
    evidence = documents() | {"custom": write_statement("custom", "churn", ARTIFACT, custom)}
    scene = Scene(tmp_path, monkeypatch)
    scene.post(CHANGE, {"churn": evidence})
    body = scene.body()
    filed = {path: content for path, content in scene.evidence.filed_files.items() if "/pictures/" in path}
    shown = re.findall(r"!\[[^\]]*\]\(https://forge\.example/raw/modelyard/evidence/([^)]*)\)", body)
    assert "Hello **you**" in body and sorted(shown) == sorted(filed) and body.count("![") == 3
    assert f"churn/{ARTIFACT}/pictures/{PICTURE.digest[:32]}.png" in filed and PICTURE.content in filed.values()
    assert LIE.content not in filed.values() and "lie\\.png is no PNG" in body.replace("lie.png", "lie\\.png")
    assert set(scene.post(CHANGE, {"churn": documents()})[0].values()) == {"pass"} and "Hello" not in scene.body()

    plain = Scene(tmp_path / "plain", monkeypatch, config=CONFIG + "pictures: none\n")
    plain.post(CHANGE, {"churn": evidence})
    assert "Hello **you**" in plain.body() and "![" not in plain.body() and "a.png" in plain.body()


def test_words_beyond_the_limits_of_a_reader_are_a_sentence_and_no_verdict(scene: Scene) -> None:
    for custom in (
        b"{", write_statement("custom", "fraud", ARTIFACT, CustomReport()),
        write_statement("custom", "churn", ARTIFACT, {"pages": [{"name": "a.md", "text": "x" * 20_001}]}),
        write_statement("custom", "churn", ARTIFACT, {"pictures": [{"name": "../a.png", "content": ""}]}),
    ):  # fmt: skip
        outcomes, _ = scene.post(CHANGE, {"churn": documents() | {"custom": custom}})
        assert outcomes == {"churn": "pass"} and "Left out of the team's own report" in scene.body()


def test_a_picture_is_filed_once_and_a_report_does_without_one() -> None:
    report = Report(Scene.report_on(None, bundle(), _rules(), "c", "b", (), TODAY).verdict, bundle(), "c" * 40, ())
    evidence, forge = MemoryEvidence(), as_forge(MemoryForge())
    first = file_pictures(as_store(evidence), forge, report)
    assert list(first) == [METRICS]
    assert file_pictures(as_store(evidence), forge, report) == first and len(evidence.messages) == 1
    assert file_pictures(as_store(MemoryEvidence(refuses=True)), forge, report) == {}
    bare = replace(report, bundle=bundle(evaluation=None))
    assert file_pictures(as_store(MemoryEvidence()), forge, bare) == {}


def _rules() -> Any:
    from modelyard.checkout.rules import Rules
    from modelyard.manifests.conversion import convert, parse
    from modelyard.manifests.document import parse_document
    from modelyard.manifests.model import Model
    from modelyard.manifests.policy import Policy

    lines = parse_document(POLICY.encode(), "policies/standard.yaml")
    return Rules(
        convert(Policy, lines), lines, (), parse(Model, MODEL_YAML.format(name="churn").encode(), "model.yaml")
    )


def test_a_forge_that_cannot_be_reached_is_an_error_and_never_a_verdict(scene: Scene) -> None:
    def unreachable(number: int) -> list[Comment]:
        raise ModelyardError("GitHub did not answer (Timeout).", "Run the job again later.")

    scene.forge.comments = unreachable  # type: ignore[method-assign]
    with pytest.raises(ModelyardError, match="did not answer"):
        scene.post(CHANGE, {"churn": documents()})
    assert scene.forge.set_statuses == []


def test_the_report_links_to_the_run_of_a_tracker_and_is_the_same_report_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mlflow_stub() as stub:
        config = f"{CONFIG}trackers:\n  - {{type: mlflow, url: '{stub.url}'}}\n"
        scene = Scene(tmp_path, monkeypatch, config)
        stub.down = True
        outcomes, subject = scene.post(CHANGE, {"churn": documents()})
        without = scene.body()
        assert outcomes == {"churn": "pass"} and "MLflow run" not in without
        assert any("mlflow was not brought up to date" in sentence for sentence in scene.said)
        assert any(path.startswith("pulls/pending/mlflow-") for path in scene.evidence.filed_files)
        stub.down = False
        scene.post(CHANGE, {"churn": documents()}, measured=subject.head, head=subject.head)
        address = f"{stub.url}/#/experiments/1/runs/{0:032x}"
        assert f'<a href="{address}">MLflow run</a>' in scene.body()
        assert scene.body().replace(f' · <a href="{address}">MLflow run</a>', "") == without
        assert not any(path.startswith("pulls/pending/") for path in scene.evidence.filed_files)
        [made] = stub.runs.values()
        assert made["tags"]["modelyard.verdict"] == "pass" and list(stub.files) == [f"{0:032x}/artifacts/report.md"]
