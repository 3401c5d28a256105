"""The flavor of an artifact, found by what model.yaml names."""

from __future__ import annotations

from pathlib import Path

from modelyard.flavors.command import CommandScorer
from modelyard.flavors.interface import TableScorer
from modelyard.flavors.lightgbm import LightGBMScorer
from modelyard.manifests.model import Model


def load_scorer(model: Model, artifact: Path, folder: Path) -> TableScorer:
    """The scorer of an artifact, after its content was checked against the format that model.yaml names.

    ``folder`` is the model's folder, where a scoring command is run.
    """
    if model.scorer.type == "command":
        return CommandScorer(model, artifact, folder)
    return LightGBMScorer.load(model, artifact)
