"""A retraining that one job left in a folder, and a clone and a forge in memory for the job that proposes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modelyard.evidence.statement import read_statement, write_statement
from modelyard.evidence.training import RetrainingRecord, TrainingRun
from modelyard.gate.triggers import Cause
from modelyard.retraining.handed_over import read_trained
from modelyard.retraining.proposal import Refreshed, propose
from modelyard.review.jobs import Left

from support.evidence import ARTIFACT, DRIFT, EVALUATION, SCAN, TRAINING
from support.pulls import MemoryEvidence, MemoryForge, MemoryGit, as_forge, memory_checkout
from support.yard import CONFIG, MODEL_YAML, write

POINTER = "data/rows.csv.dvc"
IMPORT = """\
md5: {stage}
frozen: true
deps:
- md5: {md5}
  size: {size}
  hash: md5
  path: s3://bucket/rows.csv
outs:
- md5: {md5}
  size: {size}
  hash: md5
  path: rows.csv
"""
BEFORE = IMPORT.format(stage="1" * 31 + "a", md5="2" * 31 + "b", size=10)
AFTER = IMPORT.format(stage="3" * 31 + "a", md5="4" * 31 + "b", size=12)
LOCK = "schema: '2.0'\nstages:\n  train:\n    cmd: x\n    outs:\n    - {{path: model.txt, md5: {md5}, size: 1}}\n"
PIPELINE = "stages:\n  train:\n    cmd: x\n    deps: [../../data/rows.csv]\n    outs: [model.txt]\n"
POLICY = (
    "name: standard\ndescription: d\nchecks:\n  - {id: auc-floor, kind: threshold, metric: auc, minimum: 0.7, why: w}\n"
)
FILES = {
    "modelyard.yaml": CONFIG,
    "policies/standard.yaml": POLICY,
    POINTER: BEFORE,
    **{f"models/{name}/model.yaml": MODEL_YAML.format(name=name) for name in ("churn", "fraud")},
    "models/churn/dvc.yaml": PIPELINE,
    "models/churn/dvc.lock": LOCK.format(md5="a"),
    "models/churn/src/train.py": "print('hello')\n",
    "models/fraud/dvc.yaml": PIPELINE.replace("rows.csv", "other.csv"),
}
RUN = TrainingRun(cause="schedule", seconds=60.0, reproduced=True, rows=1000, size=2048)
FIRST = replace(EVALUATION, champion=None)


@dataclass
class HandedOver:
    """The folder of a retraining of churn, which an attacker may write, and what the job that proposes has."""

    root: Path

    def __post_init__(self) -> None:
        self.git, self.forge, self.evidence = MemoryGit(), MemoryForge(), MemoryEvidence()
        self.base = self.git.head = self.git.add(FILES)
        self.git.remote_branches["refs/heads/main"] = self.base
        self.checkout = memory_checkout(self.root / "clone", self.git, self.evidence)
        self.folder = self.root / "retrained"
        self.say(RUN)
        self.measured(evaluation=FIRST, drift=DRIFT, artifact=SCAN, training=replace(TRAINING, commit=self.base))
        self.leave({"generated/dvc.lock": LOCK.format(md5="b"), f"imports/{POINTER}": AFTER})

    def say(self, run: TrainingRun | dict[str, Any], model: str = "churn", artifact: str = ARTIFACT) -> None:
        """Writes what the retraining says of itself."""
        self.leave({"run.json": write_statement("run", model, artifact, run).decode()})

    def measured(self, model: str = "churn", **evidence: Any) -> None:
        """Writes evidence."""
        for kind, value in evidence.items():
            self.leave({f"{kind}.json": write_statement(kind, model, ARTIFACT, value).decode()})  # type: ignore[arg-type]

    def leave(self, files: dict[str, str], model: str = "churn") -> None:
        """Writes files into the folder of a model."""
        write(self.folder / model, files)

    def propose(self, cause: Cause = "schedule", model: str = "churn") -> Refreshed:
        """What ``modelyard propose MODEL --from FOLDER`` decides and pushes."""
        view = self.checkout.model(model)
        return propose(view, as_forge(self.forge), cause, read_trained(view, Left(self.folder), cause))

    def pushed(self, model: str = "churn") -> dict[str, bytes | None]:
        """Path → content of what the proposal changes; nothing without one."""
        head = self.git.remote_branches.get(f"refs/heads/modelyard/retrain/{model}")
        if head is None:
            return {}
        return {path: self.git.file_at(head, path) for path in self.git.files_of(self.git.commit_info(head))}

    def records(self) -> list[RetrainingRecord]:
        """The runs that were filed."""
        return [
            read_statement(content, "retraining", RetrainingRecord).predicate
            for path, content in sorted(self.evidence.filed_files.items())
            if "/retrainings/" in path
        ]
