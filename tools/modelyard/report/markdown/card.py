"""The model card: Markdown from evidence, with the front matter that Hugging Face reads.

Sections follow Mitchell et al., "Model Cards for Model Reporting" (2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from modelyard.evidence.bundle import Bundle
from modelyard.evidence.training import NOT_APPLICABLE
from modelyard.manifests.model import Model
from modelyard.metrics.evaluation import Evaluation
from modelyard.registry.lineage import Lineage
from modelyard.report.content import evaluation_sentence, number
from modelyard.report.markdown.safe import code, table, text
from modelyard.report.terminal.text import when

_LIBRARIES = {"lightgbm-text": "lightgbm", "xgboost-json": "xgboost", "xgboost-ubj": "xgboost", "onnx": "onnx",
              "safetensors": "safetensors", "skops": "sklearn"}  # fmt: skip

_TASKS = {"binary": "tabular-classification", "multiclass": "tabular-classification",
          "regression": "tabular-regression", "ranking": "text-ranking"}  # fmt: skip

_METRICS = {"auc": "roc_auc", "rmse": "rmse", "mae": "mae", "log_loss": "log_loss", "brier": "brier_score"}


@dataclass(frozen=True)
class Card:
    """The manifest, lineage and evidence behind a card."""

    model: Model
    lineage: Lineage
    bundle: Bundle

    @property
    def missing(self) -> tuple[str, ...]:
        """What a complete card would also have, one sentence each."""
        file = f"models/{self.model.name}/model.yaml"
        found = []
        for field, value in (("license", self.model.license), ("card", self.model.card),
                             ("limitations", self.model.limitations)):  # fmt: skip
            if not value.strip():
                found.append(f"{file} has no {field}.")
        evaluation = self.bundle.evaluation
        if evaluation is None:
            found.append(
                f"{self.lineage.version}: {self.bundle.faults.get('evaluation', 'The evaluation evidence is missing.')}"
            )
        else:
            if not evaluation.slices:
                found.append(f"{file} has no evaluation.slices, so the card shows averages only.")
            if not evaluation.fairness:
                found.append(f"{file} has no evaluation.groups, so the card compares no groups.")
        if self.lineage.elsewhere:
            found.append(NOT_APPLICABLE)
        elif not self.lineage.data:
            found.append("No training data are recorded.")
        if not self.lineage.approved_by:
            found.append("No approval is recorded.")
        return tuple(found)


def render_card(card: Card) -> str:
    """The card. Equal evidence gives equal bytes."""
    model, lineage = card.model, card.lineage
    front = yaml.safe_dump(_front_matter(card), sort_keys=False, allow_unicode=True, width=100)
    lines = [
        f"---\n{front}---",
        "",
        f"# {text(f'{model.name} {lineage.version}')}",
        "",
        text(model.description, 2000),
        "",
    ]
    lines += ["## Model details", ""]
    lines += table(["", ""], _details(card))
    lines += ["", "## Intended use", "", model.card.strip() or "_Not given._"]
    lines += ["", "## Limitations", "", model.limitations.strip() or "_Not given._", ""]
    lines += ["## Inputs and output", "", f"Output: {code(model.contract.output)}", ""]
    lines += table(
        ["input", "type", "range", "description"],
        [[code(c.name), c.type + (" or null" if c.nullable else ""), _range(c.minimum, c.maximum),
          text(c.description) or "–"] for c in model.contract.inputs],
    )  # fmt: skip
    lines += ["", "## Training data", ""]
    lines += table(
        ["data", "content (md5)", "last changed by"],
        [[code(s.path), code(s.md5), text(s.changed_by) or "–"] for s in lineage.data],
    )
    if card.bundle.evaluation:
        lines += ["", "## Evaluation", "", *_evaluation(card.bundle.evaluation)]
    lines += ["", "## Owners and approvals", "", f"Owners: {text(', '.join(model.owners))}. {_people(lineage)}"]
    if card.missing:
        lines += ["", "## Missing from this card", "", *(f"- {text(sentence)}" for sentence in card.missing)]
    return "\n".join(lines) + "\n"


def _front_matter(card: Card) -> dict[str, object]:
    model, evaluation = card.model, card.bundle.evaluation
    front: dict[str, object] = {}
    if model.license:
        front["license"] = model.license
    form = card.bundle.scan.format if card.bundle.scan else None
    if form in _LIBRARIES:
        front["library_name"] = _LIBRARIES[form]
    front["pipeline_tag"] = _TASKS[model.task]
    front["tags"] = ["modelyard", model.task, model.lifecycle]
    front["version"] = str(card.lineage.version)
    front["owners"] = list(model.owners)
    if evaluation:
        measured = [m for m in evaluation.metrics if m.candidate is not None]
        front["metrics"] = [_METRICS.get(m.name, m.name) for m in measured]
        result = {
            "task": {"type": _TASKS[model.task], "name": model.task},
            "dataset": {"type": "held-out", "name": f"{evaluation.rows} held-out rows"},
            "metrics": [
                {"type": _METRICS.get(m.name, m.name), "name": m.name, "value": round(m.candidate, 6)}
                for m in measured if m.candidate is not None
            ],
        }  # fmt: skip
        front["model-index"] = [{"name": model.name, "results": [result]}]
    return front


def _details(card: Card) -> list[list[str]]:
    lineage, scan = card.lineage, card.bundle.scan
    live = [f"{p.environment} since {when(p.since)}" for p in lineage.served if p.until is None]
    packages = ", ".join(f"{n} {v}" for n, v in lineage.packages.items())
    champion = f", against {lineage.champion}" if lineage.champion else ""
    return [
        ["version", text(f"{lineage.version}, registered {when(lineage.registered_at)} UTC")],
        ["lifecycle", text(card.model.lifecycle)],
        ["live in", text(", ".join(live)) or "no environment"],
        ["task", text(card.model.task)],
        ["artifact", f"sha256 {code(lineage.artifact)}"],
        ["format", text(f"{scan.format or 'unknown'}, {scan.bytes:,} bytes" if scan else "unknown")],
        ["code", f"commit {code(lineage.code)}"],
        ["packages", text(packages, 2000) or "unknown"],
        ["verdict", text(f"{lineage.verdict or 'none'}{champion}")],
        ["licence", text(card.model.license) or "not given"],
    ]


def _evaluation(evaluation: Evaluation) -> list[str]:
    lines = [text(evaluation_sentence(evaluation)), "", *table(
        ["metric", "better", "value"],
        [[text(m.name), "higher" if m.higher_is_better else "lower", number(m.candidate)] for m in evaluation.metrics],
    )]  # fmt: skip
    judged = [part for part in evaluation.slices if part.sufficient and part.metrics]
    if judged:
        name = text(judged[0].metrics[0].name)
        rows = [[f"{text(p.column)} = {text(p.level)}", f"{p.rows:,}", number(p.metrics[0].candidate)] for p in judged]
        lines += ["", f"### By slice: {name}", "", *table(["slice", "rows", name], rows)]
    for fairness in evaluation.fairness:
        rows = [[text(gap.measure.replace("_", " ")), number(gap.candidate)] for gap in fairness.gaps]
        lines += ["", f"### Gaps between groups of {text(fairness.column)}", "", *table(["gap", "value"], rows)]
    if evaluation.calibration:
        lines += ["", f"Calibration error: {number(evaluation.calibration.expected_error)}."]
    return lines


def _people(lineage: Lineage) -> str:
    pull = f" in pull request {lineage.pull}" if lineage.pull else ""
    approved = f"approved by {', '.join(lineage.approved_by)}" if lineage.approved_by else "no recorded approval"
    return f"Proposed by {text(lineage.proposed_by or 'unknown')}{pull}, {text(approved)}."


def _range(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return "–"
    return f"{'' if low is None else f'{low:g}'} … {'' if high is None else f'{high:g}'}".strip()
