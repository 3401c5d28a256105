"""Finds what a candidate changes: its training evidence against the champion's tag, its files against the base."""

from __future__ import annotations

from modelyard.evidence.bundle import Bundle
from modelyard.evidence.training import Changes, differences
from modelyard.git import Git
from modelyard.manifests.names import Version
from modelyard.registry.history import read_registry
from modelyard.registry.tags import model_patterns


def changes_between(git: Git, bundle: Bundle, base: str | None, head: str) -> Changes:
    """The champion is the one the evaluation names; without a base there is no file list."""
    files = tuple(git.changed_files(base, head)) if base else ()
    training, evaluation = bundle.training, bundle.evaluation
    number = Version.parse(evaluation.champion) if evaluation and evaluation.champion else None
    if training is None or number is None:
        return Changes(files=files)
    history = read_registry(git.tags(*model_patterns(bundle.model))).history(bundle.model)
    champion = history.version(number)
    if champion is None or champion.record is None:
        return Changes(str(number), files=files)
    return Changes(
        str(number),
        differences(champion.record.data, {entry.path: entry.md5 for entry in training.inputs}),
        differences(champion.record.params, training.params),
        files,
    )
