"""The limit of each kind of check, with its unit, as the tables of reports show it."""

from __future__ import annotations

from modelyard.manifests.policy import (
    AnyCheck,
    ArtifactCheck,
    CalibrationCheck,
    ChampionCheck,
    ContractCheck,
    DriftCheck,
    FairnessCheck,
    HoldoutCheck,
    LeakageCheck,
    RowsCheck,
    SlicesCheck,
    StabilityCheck,
    ThresholdCheck,
)


def limit_of(check: AnyCheck) -> str:
    """What the check allows: ``≤ 0.85``, ``margin 0.01``, ``≥ 1,000 rows``; '' where the limit is no number."""
    match check:
        case ArtifactCheck():
            speed = check.maximum_row_milliseconds
            return _joined([_at_most(check.maximum_bytes, " bytes"), _at_most(speed, " ms a row")])
        case RowsCheck():
            each = f"≥ {check.minimum_per_class:,} of each class" if check.minimum_per_class else ""
            return _joined([f"≥ {check.minimum:,} rows", each])
        case ThresholdCheck():
            return _joined([_at_least(check.minimum), _at_most(check.maximum)])
        case ChampionCheck() | SlicesCheck():
            return f"margin {check.margin * 100:g} %" if check.relative else f"margin {check.margin:g}"
        case FairnessCheck():
            grown = f"growth ≤ {check.maximum_increase:g}" if check.maximum_increase is not None else ""
            return _joined([_at_most(check.maximum), _at_least(check.minimum), grown])
        case CalibrationCheck():
            return _at_most(check.maximum_error)
        case HoldoutCheck():
            if not check.maximum_relabelled and not check.maximum_removed:
                return "no row relabelled or removed"
            return f"≤ {check.maximum_relabelled:,} relabelled, ≤ {check.maximum_removed:,} removed"
        case LeakageCheck():
            share = check.maximum_identical_share
            equal = f"≤ {share * 100:g} % equal rows" if share is not None else ""
            auc = f"AUC ≤ {check.maximum_single_input_auc:g}"
            shared = _at_most(check.maximum_overlap, " shared rows") if check.maximum_overlap else "no shared row"
            return _joined([auc, shared, equal])
        case StabilityCheck():
            return f"deviation ≤ {check.maximum_deviation:g}"
        case ContractCheck():
            kept = [word for word, free in (("added", check.allow_added), ("removed", check.allow_removed)) if not free]
            return f"no input {' or '.join(kept)}" if kept else ""
        case DriftCheck():
            return f"≤ {check.maximum_alarm_share * 100:g} % of columns"
        case _:
            return ""


def _at_least(value: float | None) -> str:
    return "" if value is None else f"≥ {value:g}"


def _at_most(value: float | None, unit: str = "") -> str:
    if value is None:
        return ""
    return f"≤ {value:,}{unit}" if isinstance(value, int) else f"≤ {value:g}{unit}"


def _joined(parts: list[str]) -> str:
    return ", ".join(part for part in parts if part)
