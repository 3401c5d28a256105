"""Changes of a policy by a pull request, and which of them loosen a rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from modelyard.manifests.check import Check
from modelyard.manifests.model import Model
from modelyard.manifests.policy import Policy

_LEVELS = ("advisory", "soft", "hard")

# Field → whether a larger value is looser. Any change of a field that is not listed counts as looser.
_LARGER_IS_LOOSER = {
    "minimum": False,
    "minimum_per_class": False,
    "maximum": True,
    "margin": True,
    "maximum_increase": True,
    "maximum_error": True,
    "maximum_single_input_auc": True,
    "maximum_overlap": True,
    "maximum_relabelled": True,
    "maximum_removed": True,
    "maximum_identical_share": True,
    "maximum_deviation": True,
    "maximum_alarm_share": True,
    "maximum_bytes": True,
    "maximum_row_milliseconds": True,
    "allow_added": True,
    "allow_removed": True,
    "maximum_distance": True,
    "maximum_fall": True,
    "maximum_milliseconds": True,
    "maximum_missing": True,
    "maximum_silent_days": True,
    "minimum_rows": False,
    "objective": False,
    "burn": True,
}

_MEASURED = ("precision", "quantile", "query", "at")
"""Fields of ``evaluation`` that change what a metric means."""

_WITHOUT_EFFECT = ("id", "why", "kind")


@dataclass(frozen=True)
class RuleChange:
    """One difference between two policies."""

    sentence: str
    loosens: bool


def policy_changes(before: Policy, after: Policy) -> tuple[RuleChange, ...]:
    """Every difference that can change a verdict. Texts are ignored."""
    old = {c.id: c for c in (*before.checks, *before.monitoring)}
    new = {c.id: c for c in (*after.checks, *after.monitoring)}
    found = [RuleChange(f"{name} is removed", old[name].level != "advisory") for name in old if name not in new]
    found += [RuleChange(f"{name} is added", False) for name in new if name not in old]
    for name in old:
        if name in new:
            found += _check_changes(old[name], new[name])
    budgets = before.false_alarms_a_year, after.false_alarms_a_year
    if budgets[0] != budgets[1]:
        sentence = f"false_alarms_a_year {budgets[0]:g} → {budgets[1]:g}"
        found.append(RuleChange(sentence, budgets[1] < budgets[0]))  # fewer false alarms find less
    if before.reproduced != after.reproduced:
        sentence = f"reproduced {before.reproduced} → {after.reproduced}"
        found.append(RuleChange(sentence, after.reproduced == "advisory"))
    one, two = before.maximum_waivers, after.maximum_waivers
    if one != two:
        looser = two is None or (one is not None and two > one)
        found.append(RuleChange(f"maximum_waivers {_shown(one)} → {_shown(two)}", looser))
    return tuple(found)


def evaluation_changes(known: Model, proposed: Model) -> tuple[RuleChange, ...]:
    """Every difference in how model.yaml evaluates the held-out rows. A slice that is not evaluated cannot fail."""
    before, after = known.evaluation, proposed.evaluation
    found = []
    for what, old, new in (("slice", before.slices, after.slices), ("group", before.groups, after.groups)):
        found += [RuleChange(f"{what} {name} is no longer evaluated", True) for name in old if name not in new]
    if known.files.folds and not proposed.files.folds:
        found.append(RuleChange("the folds are no longer evaluated", True))
    if known.task != proposed.task:  # other rules are for the other task
        found.append(RuleChange(f"task {known.task} → {proposed.task}", True))
    if after.minimum_support != before.minimum_support:
        found.append(
            RuleChange(
                f"minimum_support {before.minimum_support} → {after.minimum_support}",
                after.minimum_support > before.minimum_support,
            )
        )
    measured = [(f"evaluation.{name}", getattr(before, name), getattr(after, name)) for name in _MEASURED]
    measured += [(f"flavor.{field.name}", getattr(known.flavor, field.name), getattr(proposed.flavor, field.name))
                 for field in msgspec.structs.fields(known.flavor)]  # fmt: skip
    measured += [
        ("contract.label", known.contract.label, proposed.contract.label),
        ("files.holdout", known.files.holdout, proposed.files.holdout),
    ]
    if (known.trained, proposed.trained) == ("here", "elsewhere"):  # nothing of a training can be judged any more
        measured.append(("trained", known.trained, proposed.trained))
    found += [RuleChange(f"{what} {_shown(old)} → {_shown(new)}", True) for what, old, new in measured if old != new]
    if before.block != after.block:
        found.append(RuleChange(f"block {before.block or 'none'} → {after.block or 'none'}", True))
    return tuple(found)


def file_changes(model: str, own: Sequence[str], changed: Sequence[str]) -> tuple[RuleChange, ...]:
    """Changes of files that decide what is measured, where data come from and what is deployed to.

    ``own`` are the files of the model's scorer and of its requirements, below its folder.
    """
    watched = {"modelyard.yaml", ".dvc/config", *(f"models/{model}/{path}" for path in own)}
    return tuple(
        RuleChange(f"{path} is changed", True)
        for path in changed
        if path in watched or path.startswith("requirements/")
    )


def _check_changes(before: Check, after: Check) -> list[RuleChange]:
    if type(before) is not type(after):
        return [RuleChange(f"{before.id} is changed to another kind of check", True)]
    found = []
    for field in msgspec.structs.fields(before):
        name = field.name
        old, new = getattr(before, name), getattr(after, name)
        if name in _WITHOUT_EFFECT or old == new:
            continue
        empty = "all" if name == "tasks" else "none"
        shown = f"{_shown(old, empty)} → {_shown(new, empty)}"
        found.append(RuleChange(f"{before.id} {name} {shown}", _looser(name, old, new)))
    return found


def _looser(name: str, old: Any, new: Any) -> bool:
    if name == "level":
        return _LEVELS.index(new) < _LEVELS.index(old)
    if name == "require":
        return bool(set(old) - set(new))
    if name == "formats":
        return bool(set(new) - set(old))
    if name == "tasks":  # none named means all
        return bool(new and (not old or set(old) - set(new)))
    if name == "only_with":
        return bool(set(new) - set(old))
    if name not in _LARGER_IS_LOOSER:
        return True
    if old is None or new is None:  # a missing limit is the loosest one
        return new is None
    return bool((new > old) == _LARGER_IS_LOOSER[name])


def _shown(value: Any, empty: str = "none") -> str:
    return ", ".join(map(str, value)) or empty if isinstance(value, list) else empty if value is None else str(value)
