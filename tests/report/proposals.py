"""The kinds of pull request that a reviewer sees, as reports with the notes that the poster adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from modelyard.evidence.bundle import Bundle
from modelyard.evidence.training import Changes, Difference
from modelyard.gate.backtest import Backtest, BacktestedVersion
from modelyard.gate.judge import judge
from modelyard.gate.rule_changes import RuleChange
from modelyard.manifests.approvals import Waiver
from modelyard.manifests.conversion import convert, parse
from modelyard.manifests.document import parse_document
from modelyard.manifests.model import Model
from modelyard.manifests.names import Version
from modelyard.manifests.policy import Policy
from modelyard.metrics.evaluation import MetricResult
from modelyard.metrics.intervals import Interval
from modelyard.metrics.leakage import InputStrength
from modelyard.registry.numbering import Numbering
from modelyard.report.content import Report
from support.evidence import ARTIFACT, EVALUATION, bundle
from support.yard import MODEL_YAML, POLICIES

MODEL = parse(Model, MODEL_YAML.format(name="churn").encode(), "model.yaml")
_NEXT = Numbering(Version("v1.1.0"), ("the training data changed",))


def report(
    found: Bundle | None = None, waivers: Sequence[tuple[str, Waiver]] = (), notes: Sequence[str] = ()
) -> Report:
    """The report on evidence by the standard policy, on a fixed day."""
    document = parse_document((POLICIES / "standard.yaml").read_bytes(), "policies/standard.yaml")
    found = found or bundle()
    verdict = judge(convert(Policy, document), document, found, waivers, date(2026, 5, 3), notes, known=MODEL)
    return Report(verdict, found, "c" * 40, ("@team",))


def _moved(names: Sequence[str], share: float, reach: float) -> Bundle:
    """Evidence in which the named metrics are worse than the champion's by a share, give or take ``reach`` of it."""

    def worse(metric: MetricResult) -> MetricResult:
        if metric.name not in names or metric.champion is None:
            return metric
        difference = -share * metric.champion if metric.higher_is_better else share * metric.champion
        half = reach * metric.champion
        return replace(
            metric, candidate=metric.champion + difference, difference=difference,
            interval=Interval(difference - half, difference + half),
        )  # fmt: skip

    metrics = tuple(worse(metric) for metric in EVALUATION.metrics)
    baselines = tuple(replace(one, metrics=metrics) for one in EVALUATION.baselines)
    return bundle(evaluation=replace(EVALUATION, metrics=metrics, baselines=baselines))


def _first() -> Bundle:
    alone = tuple(replace(m, champion=None, difference=None, interval=None) for m in EVALUATION.metrics)
    slices = tuple(
        replace(part, metrics=tuple(replace(m, champion=None, difference=None, interval=None) for m in part.metrics))
        for part in EVALUATION.slices
    )
    fairness = tuple(
        replace(f, gaps=tuple(replace(g, champion=None, change=None, change_interval=None) for g in f.gaps))
        for f in EVALUATION.fairness
    )
    return bundle(
        evaluation=replace(
            EVALUATION, champion=None, metrics=alone, slices=slices, champion_calibration=None, flips=None,
            baselines=(), fairness=fairness,
        )
    )  # fmt: skip


def _rules() -> Report:
    same = bundle(evaluation=replace(EVALUATION, identical_bytes=True))
    versions = tuple(
        BacktestedVersion("churn", f"v1.{n}.0", n, "pass", "fail" if n == 3 else "pass", ("no-leak",) if n == 3 else ())
        for n in reversed(range(10))
    )
    changes = (
        RuleChange("auc-floor minimum 0.7 → 0.6", True),
        RuleChange("auc-against-champion margin 0.01 → 0.02", True),
        RuleChange("no-leak maximum_single_input_auc 0.9 → 0.85", False),
    )
    return replace(
        report(same), backtest=Backtest("standard", versions, changes), approvers=("2 of risk (@grace, @acme/risk)",)
    )


def _data() -> Report:
    changes = Changes("v1.0.0", (Difference("data/flights", "a" * 32, "e" * 32),), (), ("data/flights.dvc", "dvc.lock"))
    return replace(report(_moved(("log_loss",), 0.004, 0.002)), changes=changes, numbering=_NEXT)


_LEAKY = replace(
    EVALUATION,
    leakage=replace(EVALUATION.leakage, inputs=(InputStrength("dep_delay", 0.919), *EVALUATION.leakage.inputs)),
)
LEAKED = bundle(evaluation=replace(EVALUATION, leakage=replace(EVALUATION.leakage, overlap=3)))
_WORSE = _moved(("auc", "log_loss", "brier"), 0.08, 0.01)
_WAIVERS = tuple(
    (
        f"waivers/{check}.yaml",
        Waiver(model="churn", check=check, artifact=ARTIFACT, reason="The old data are gone.", requested_by="ada",
               approved_by="grace", expires="2026-05-31"),
    )
    for check in ("auc-floor", "auc-against-champion", "log-loss-against-champion", "no-slow-slide")
)  # fmt: skip

FORK = (
    "The evidence is from a fork's run, without this repository's secrets. After the merge, main evaluates the model"
    " again and registers only that result."
)
"""Name → the report, and the notes at its top."""
KINDS: dict[str, tuple[Report, tuple[str, ...]]] = {
    "good": (replace(report(), numbering=_NEXT), ()),
    "worse": (report(_WORSE), ()),
    "leaked": (report(bundle(evaluation=_LEAKY)), ()),
    "first_version": (replace(report(_first()), numbering=replace(_NEXT, reasons=("first version",))), ()),
    "rules_changed": (_rules(), ()),
    "data_only": (_data(), ()),
    "fork": (report(), (FORK,)),
    "undecided": (report(_moved(("auc",), 0.005, 0.02)), ()),
    "waived": (report(_WORSE, _WAIVERS), ()),
    "bare": (report(bundle(evaluation=None, drift=None)), ()),
}
