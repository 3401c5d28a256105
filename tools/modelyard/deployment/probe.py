"""Versions on a target that must give their registered answers before traffic stays on them."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.checkout.artifacts import registered_probe
from modelyard.checkout.checkout import ModelView, version_of
from modelyard.errors import ModelyardError
from modelyard.rollout.plan import Action, Live, Traffic
from modelyard.scoring.probe import Probed, require_same
from modelyard.targets.interface import Target


def move_traffic(view: ModelView, target: Target, action: Action, live: Live) -> tuple[str, ...]:
    """Carries out a ``route``; a line for each version that the target could be asked about, such as "probe 100/100".

    A version that gains traffic is asked for its probe rows before, and where the target answers for it only then,
    right after. ModelyardError when it gives other scores; traffic is then as it was.
    """
    found: dict[str, Probed] = {}
    waiting = {version: registered_probe(view, version_of(view.history, version)) for version in _gaining(action, live)}
    for version, probe in waiting.items():
        answered = target.probe(view.name, version, probe) if probe else None
        if answered:
            _require_same(view, version, answered)
            found[version] = answered
    target.apply(view.name, action, None)
    try:
        for version, probe in waiting.items():
            answered = target.probe(view.name, version, probe) if probe and version not in found else None
            if answered:
                found[version] = answered
                _require_same(view, version, answered)
    except ModelyardError:
        target.apply(view.name, Action("route", action.version, live.traffic or Traffic("")), None)
        raise
    return tuple(_line(version, found.get(version), probe is not None) for version, probe in waiting.items())


def _gaining(action: Action, live: Live) -> Sequence[str]:
    """The versions that get requests, or copies of them, and did not before."""
    before, after = live.traffic or Traffic(""), action.traffic or Traffic("")
    served = {before.stable, before.candidate} if before.stable else set()
    return [version for version in (after.stable, after.candidate) if version and version not in served]


def _require_same(view: ModelView, version: str, found: Probed) -> None:
    require_same(found, f"{view.name} {version} on its target")


def _line(version: str, found: Probed | None, registered: bool) -> str:
    if found:
        return f"{version}: {found}"
    why = "the target cannot be asked" if registered else "the version was registered without probe rows"
    return f"{version}: probe not asked, {why}"
