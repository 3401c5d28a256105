"""Whether a rule of a policy is for a model, and whether it can ever be judged for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from modelyard.errors import near_match
from modelyard.manifests.check import METRIC_TASKS, Check, Task
from modelyard.manifests.document import Fault
from modelyard.manifests.model import Model, declared
from modelyard.manifests.policy import (
    AnyCheck,
    ArtifactCheck,
    FairnessCheck,
    Policy,
    SlicesCheck,
    StabilityCheck,
    ThresholdCheck,
)
from modelyard.manifests.watches import AnyWatch, InputsWatch

_CURVES = ("average_precision", "recall_at_precision")
"""Metrics of all held-out rows; they are not measured for parts of them."""


def applies(check: Check, task: str, declared: Collection[str]) -> bool:
    """Whether a rule applies to a model of a task that declares ``declared`` (groups, slices, folds)."""
    return (not check.tasks or task in check.tasks) and all(name in declared for name in check.only_with)


def checks_for(policy: Policy, model: Model) -> tuple[AnyCheck, ...]:
    """The checks of a policy that are for a model."""
    return tuple(check for check in policy.checks if applies(check, model.task, declared(model)))


def watches_for(policy: Policy, model: Model) -> tuple[AnyWatch, ...]:
    """The monitoring rules of a policy that are for a model."""
    return tuple(watch for watch in policy.monitoring if applies(watch, model.task, declared(model)))


def tasks_of(check: Check) -> tuple[Task, ...]:
    """The tasks for which a rule can be judged: those of its kind that its metric is measured for."""
    metric = str(getattr(check, "metric", ""))
    if isinstance(check, (SlicesCheck, StabilityCheck)) and metric in _CURVES:
        return ()
    return tuple(task for task in check.judges if not metric or task in METRIC_TASKS[metric])


def never_judged(check: Check, task: str, declared: Collection[str]) -> tuple[str, str] | None:
    """(reason, remedy) for a rule that applies to a model and can never be judged for it; else None."""
    if not applies(check, task, declared):
        return None
    kind, tasks = str(check.__struct_config__.tag), tasks_of(check)
    if task not in tasks:
        metric = str(getattr(check, "metric", "")) if task in check.judges else ""
        what = f"{metric} is not measured" if metric else f"a rule of the kind {kind} is not judged"
        remedy = (
            f"Add tasks: [{', '.join(tasks)}] to the rule, and a rule for {task} models."
            if metric
            else (f"Add tasks: [{', '.join(tasks)}] to the rule.")
        )
        return f"{what} for {task} models", remedy
    if check.reads and check.reads not in declared:
        place = "files.folds" if check.reads == "folds" else f"evaluation.{check.reads}"
        remedy = f"Declare {place} in model.yaml, or add only_with: [{check.reads}] to the rule."
        return f"model.yaml declares no {check.reads}", remedy
    return None


def model_faults(check: AnyCheck | AnyWatch, model: Model) -> Iterator[Fault]:
    """Why a model that uses the policy can never pass a rule; the place below the rule. ``{}`` stands for the model."""
    if judged := never_judged(check, model.task, declared(model)):
        why, remedy = judged
        yield (), f"the rule {check.id} can never be judged for {{}}: {why}.", remedy
    if not isinstance(check, ArtifactCheck) or not applies(check, model.task, declared(model)):
        return
    from modelyard.manifests.contract import flavor_in  # flavors bring NumPy, which judging does without

    flavor = flavor_in(model)
    if flavor is None:
        return
    if flavor.formats and set(flavor.formats).isdisjoint(check.formats):
        what = f"the rule {check.id} allows no format that {{}} can have: {', '.join(flavor.formats)}."
        yield ("formats",), what, "Add it to formats, or keep the model in a format that is allowed."
    if check.maximum_row_milliseconds is not None and not flavor.hosts:
        what = (
            f"the rule {check.id} can never be judged for {{}}: models of the flavor {flavor.name} score batches only."
        )
        yield ("maximum_row_milliseconds",), what, "Remove the limit, or write another rule for models that are served."


def rule_faults(check: AnyCheck | AnyWatch) -> Iterator[Fault]:
    """Fields of one rule that contradict each other, whatever the model."""
    tasks = tasks_of(check)
    for i, task in enumerate(check.tasks):
        if tasks and task not in tasks:
            what = f"{_subject(check)} is not measured for {task} models."
            yield ("tasks", i), what, f"It is for: {', '.join(tasks)}."
    if not tasks:
        what = f"{_subject(check)} is not measured for parts of the held-out rows."
        yield ("metric",), what, "Use auc, or a rule of the kind threshold or champion."
    if isinstance(check, ThresholdCheck) and check.minimum is None and check.maximum is None:
        yield (), "sets no limit, so every model passes.", "Add minimum or maximum."
    if isinstance(check, FairnessCheck) and check.maximum is check.maximum_increase is check.minimum is None:
        yield (), "sets no limit, so every model passes.", "Add maximum, maximum_increase or minimum."
    if isinstance(check, InputsWatch) and check.reference is not None:
        given = [check.reference.season, check.reference.rolling]
        if sum(value is not None for value in given) != 1:
            yield ("reference",), "names not one reference.", "Write {season: same-month} or {rolling: 28d}."
    if isinstance(check, ArtifactCheck):
        yield from _format_faults(check)


def _format_faults(check: ArtifactCheck) -> Iterator[Fault]:
    from modelyard.flavors.formats import known_formats  # it imports NumPy, which judging must not

    known = known_formats()
    for i, name in enumerate(check.formats):
        if name not in known:
            close = near_match(name, known)
            remedy = close if close.startswith("Did") else f"Known: {', '.join(known)}."
            yield ("formats", i), f"{name!r} is not a known format.", remedy


def _subject(check: Check) -> str:
    return str(getattr(check, "metric", "")) or f"A rule of the kind {check.__struct_config__.tag}"
