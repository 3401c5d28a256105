"""Two small real versions of one model, and targets driven the way deploy drives them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from modelyard.flavors.lightgbm import import_lightgbm
from modelyard.manifests.configuration import Environment
from modelyard.rollout.plan import Action, Live, Traffic, plan, removal
from modelyard.secrets.interface import Secrets
from modelyard.targets.discovery import open_target
from modelyard.targets.interface import Package, Target

MANIFEST = """\
name: churn
description: A small one.
owners: ["@team"]
task: regression
policy: standard
files: {artifact: model.txt}
contract:
  id: id
  label: label
  inputs:
    - {name: x, type: float}
    - {name: y, type: float, nullable: true}
"""
ROWS = np.random.default_rng(0).normal(size=(200, 2))


@dataclass(frozen=True)
class Made:
    """One version's package, and the booster it was saved from."""

    package: Package
    booster: Any

    def score(self, rows: np.ndarray[Any, Any]) -> list[float]:
        """What this version says of rows (rows, 2)."""
        found: list[float] = self.booster.predict(rows).tolist()
        return found


def versions(folder: Path) -> dict[str, Made]:
    """v1.0.0 and v1.1.0 of churn, which score differently."""
    lightgbm = import_lightgbm()
    made = {}
    for version, sign in (("v1.0.0", 1.0), ("v1.1.0", -1.0)):
        data = lightgbm.Dataset(ROWS, label=sign * ROWS[:, 0] + 2, feature_name=["x", "y"])
        booster = lightgbm.train({"verbosity": -1, "num_leaves": 7, "objective": "regression"}, data, 10)
        path = folder / f"{version}.txt"
        booster.save_model(str(path))
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        made[version] = Made(Package("churn", version, path, sha256, MANIFEST.encode()), booster)
    return made


def target_of(
    kind: str, root: Path, folder: str = "", *, secrets: dict[str, str] | None = None, **settings: Any
) -> Target:
    """The target of an environment named production."""
    environment = Environment(name="production", target=kind, folder=folder, settings=settings)
    return open_target(environment, root, Secrets(secrets or {}))


def carry(target: Target, made: dict[str, Made], wanted: Traffic, keep: frozenset[str] = frozenset()) -> list[Action]:
    """Plans and applies until the target reports what is wanted; it must then be at rest, and doing it again too."""
    artifacts = {version: one.package.sha256 for version, one in made.items()}
    live = target.observe().get("churn", Live())
    actions = plan(wanted, artifacts, live, keep)
    for action in actions:
        package = made[action.version].package if action.do == "install" else None
        target.apply("churn", action, package)
        target.apply("churn", action, package)
    found = target.observe()["churn"]
    assert found.traffic == wanted, found
    assert plan(wanted, artifacts, found, keep) == (), found
    return list(actions)


def take_off(target: Target) -> None:
    """Takes the model off the target, and looks whether anything is left."""
    for action in removal(target.observe()["churn"]):
        target.apply("churn", action, None)
    left = target.observe().get("churn", Live())
    assert (left.traffic, left.installed) == (None, {})
