"""A retraining is run, filed and proposed, or it is not, and the result says why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from modelyard.candidate.steps import CandidateRun
from modelyard.evidence.statement import write_statement
from modelyard.evidence.training import RetrainingRecord
from modelyard.forges.interface import PullForge
from modelyard.gate.triggers import Cause, Failed, PastRun, Situation
from modelyard.manifests.calendar import Freeze
from modelyard.manifests.model import Budget, Retrain
from modelyard.metrics.evaluation import Evaluation
from modelyard.retraining import proposal, trained
from modelyard.retraining.proposal import Refreshed, refresh
from modelyard.review.pull_requests import Proposed
from predictions.test_payload import MODEL
from production.windows import column, drift
from support.evidence import EVALUATION, metric

DAY = 86400.0
NOW = 20_000 * DAY  # a Friday
QUIET = Situation(now=NOW, champion="v1.0.0", champion_at=NOW - 10 * DAY, new_rows=0, failed=(), runs=())
MOVED = replace(
    QUIET,
    failed=(Failed(environment="production", check="score-drift", kind="scores", sentence="It moved.", until="u"),),
)
SPENT = replace(MOVED, runs=(PastRun(NOW - DAY, 60.0),))
BETTER = replace(EVALUATION, metrics=(metric("auc", 0.75, 0.70),))
WORSE = replace(EVALUATION, metrics=(metric("auc", 0.70, 0.75),))
SAME = replace(BETTER, identical_bytes=True)


class Bench:
    """A run whose steps are counted, and a clone and a forge that remember what was proposed."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        (root / "models/m").mkdir(parents=True)
        (root / "models/m/dvc.lock").write_bytes(b"new lock")
        (root / "models/m/params.yaml").write_bytes(b"as on main")
        (root / "models/m/model.txt").write_bytes(b"tree")
        self.situation, self.evaluation = QUIET, BETTER
        self.asked: list[Situation] = []
        """Situations that are answered first, before the situation that lasts."""
        self.retrain = Retrain(budget=Budget(runs=1, every="30d"))
        self.reproduced = True
        self.steps: list[str] = []
        self.records: list[RetrainingRecord] = []
        self.proposed: list[Proposed] = []
        self.branch, self.open, self.plain = "", True, False
        for half in (trained, proposal):
            monkeypatch.setattr(half, "situation_of", lambda view: self.asked.pop(0) if self.asked else self.situation)
        monkeypatch.setattr(proposal, "file_retraining", lambda view, artifact, record: self.records.append(record))
        monkeypatch.setattr(proposal, "remote_head", lambda git, branch: self.branch)
        monkeypatch.setattr(proposal, "unchanged", lambda git, head, base, proposed: bool(head))
        monkeypatch.setattr(proposal, "open_proposed", self._open)
        monkeypatch.setattr(proposal, "push_proposed", lambda git, base, proposed: self.branch or "h" * 40)
        monkeypatch.setattr(proposal, "retrain_body", lambda *_: "body")

    def _open(self, git: Any, forge: Any, default: str, base: str, proposed: Proposed) -> tuple[Any, bool, str]:
        assert (default, base) == ("main", "b" * 40)
        self.proposed.append(proposed)
        return SimpleNamespace(number=7), len(self.proposed) == 1, "h" * 40

    def refresh(self, cause: Cause) -> Refreshed:
        self.steps.clear()
        on_main = {"models/m/params.yaml": b"as on main"}
        git = SimpleNamespace(commit_of=lambda _: "b" * 40, file_at=lambda _, path: on_main.get(path))
        repository = SimpleNamespace(config=SimpleNamespace(default_branch="main"))
        model = msgspec.structs.replace(MODEL, retrain=self.retrain)
        checkout = SimpleNamespace(git=git, root=self.root, repository=repository)
        candidate = SimpleNamespace(
            model=model,
            trained_here=True,
            artifact=self.root / "models/m/model.txt",
            training=lambda _: SimpleNamespace(rows=100),
        )
        run: Any = SimpleNamespace(
            view=SimpleNamespace(checkout=checkout, name="m", manifest=model),
            candidate=candidate,
            generated=("models/m/dvc.lock", "models/m/params.yaml", "models/m/missing.json"),
            sources=lambda: [],
            retrain=lambda news, push: self._step(
                "retrain", SimpleNamespace(artifact="a" * 64, seconds=60.0, reproduced=self.reproduced)
            ),
            measure=lambda: self._step("measure", None),
            documents=lambda: {
                "evaluation": write_statement("evaluation", "m", "a" * 64, self.evaluation),
                "drift": write_statement("drift", "m", "a" * 64, drift(column("x", alarm=True))),
            },
        )
        forge: Any = SimpleNamespace(open_pulls=lambda _: [SimpleNamespace(number=7)] if self.open else [])
        return refresh(cast(CandidateRun, run), None if self.plain else cast(PullForge, forge), cause)

    def _step(self, name: str, value: Any) -> Any:
        self.steps.append(name)
        return value


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_without_a_trigger_nothing_is_trained(bench: Bench) -> None:
    assert bench.refresh("due") == Refreshed("not proposed", "Nothing is due: no trigger of model.yaml holds.")
    assert bench.steps == [] and bench.records == []


@pytest.mark.parametrize("cause", ["due", "schedule", "drift"])
def test_a_budget_that_is_used_up_holds_every_run_but_a_manual_one(bench: Bench, cause: Cause) -> None:
    bench.situation = SPENT
    assert bench.refresh(cause) == Refreshed("held", "The budget is used up: 1 of 1 runs in 30d.")
    assert bench.steps == []
    assert bench.refresh("manual").done == "opened"


def test_a_freeze_holds_a_run(bench: Bench) -> None:
    bench.retrain = Retrain(freezes=[Freeze(why="closing the books", days=["friday"])])
    assert bench.refresh("schedule") == Refreshed("held", "Retraining is frozen: closing the books")


def test_what_is_due_and_better_is_proposed_with_the_files_that_changed(bench: Bench) -> None:
    bench.situation = MOVED
    changed = ("models/m/dvc.lock",)
    assert bench.refresh("due") == Refreshed(
        "opened", "x drifted; auc is better by 0.0500.", 7, "h" * 40, changed=changed
    )
    assert bench.steps == ["retrain", "measure"]
    [proposed] = bench.proposed
    assert (proposed.branch, proposed.title, proposed.body) == ("modelyard/retrain/m", "Retrain m", "body")
    assert proposed.files == {"models/m/dvc.lock": b"new lock"}, (
        "what main has already, and what is not there, is left out"
    )
    assert bench.refresh("due").done == "refreshed"


def test_in_plain_git_a_branch_is_the_proposal(bench: Bench) -> None:
    bench.plain = True
    found = bench.refresh("manual")
    assert (found.done, found.pull, found.head, found.branch) == ("pushed", None, "h" * 40, "modelyard/retrain/m")
    assert not (bench.root / "models/m/dvc.lock").exists(), "it is on the branch, and would be in the way of the merge"
    (bench.root / "models/m/dvc.lock").write_bytes(b"new lock")
    bench.branch = "h" * 40
    assert bench.refresh("manual").done == "unchanged" and bench.proposed == []


@pytest.mark.parametrize(
    ("evaluation", "cause", "sentence"),
    [
        (WORSE, "due", "auc is worse by 0.0500, which is below minimum_gain (0)."),
        (WORSE, "schedule", "auc is worse by 0.0500, which is below minimum_gain (0)."),
        (SAME, "manual", "The retraining gave the same bytes as the champion, so there is nothing to propose."),
    ],
)
def test_a_result_that_is_not_worth_a_review_is_filed_and_not_proposed(
    bench: Bench, evaluation: Evaluation, cause: Cause, sentence: str
) -> None:
    bench.situation, bench.evaluation = MOVED, evaluation
    assert bench.refresh(cause) == Refreshed("not proposed", sentence)
    assert bench.proposed == []
    [record] = bench.records
    assert (record.cause, record.proposed, record.sentence, record.seconds) == (cause, False, sentence, 60.0)


def test_the_record_has_reasons_and_gain(bench: Bench) -> None:
    bench.situation = MOVED
    bench.refresh("due")
    [record] = bench.records
    assert record.reasons == ("score-drift failed in production in the window until u: It moved",)
    assert record.proposed and record.gain == pytest.approx(0.05)


def test_what_a_run_cost_is_filed_though_it_may_no_more_be_proposed(bench: Bench) -> None:
    bench.asked, bench.situation = [MOVED], SPENT
    assert bench.refresh("due").done == "held", "another run used the budget up in the meantime"
    [record] = bench.records
    assert not record.proposed and record.sentence.startswith("The budget is used up") and bench.proposed == []


def test_a_run_that_is_held_leaves_no_evidence_of_an_earlier_one(bench: Bench) -> None:
    folder = bench.root / ".modelyard/evidence/m"
    bench.refresh("manual")
    assert (folder / "run.json").is_file()
    (folder / "evaluation.json").write_bytes(b"{}")
    bench.refresh("due")
    assert list(folder.iterdir()) == []


def test_a_run_that_trained_nothing_costs_nothing(bench: Bench) -> None:
    bench.reproduced = False
    bench.refresh("manual")
    assert bench.records == []


def test_the_same_result_again_is_the_same_pull_request(bench: Bench) -> None:
    bench.branch = "o" * 40
    found = bench.refresh("manual")
    assert (found.done, found.why) == ("unchanged", "Requested by a person; auc is better by 0.0500.")
    assert (found.pull, found.head) == (7, "o" * 40)
    assert bench.proposed == []


def test_a_result_whose_pull_request_was_closed_is_not_proposed_again(bench: Bench) -> None:
    bench.branch, bench.open = "o" * 40, False
    assert bench.refresh("manual") == Refreshed(
        "not proposed", "The same result was proposed before, and its pull request was closed."
    )
