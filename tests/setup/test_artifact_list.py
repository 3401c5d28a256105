"""Entries of the root's dvc.yaml, added and removed as text."""

from __future__ import annotations

import pytest
import yaml
from modelyard.setup.artifact_list import with_artifact, without_artifact

FILES = [
    "# ours\nartifacts:\n  flight-delay: # late\n    path: models/flight-delay/model.txt\n    type: model\n\nstages: {}\n",
    "stages: {}\nartifacts: {} # none yet\n",
    "artifacts:\n",
    "artifacts:\n    a:\n        path: x\n    b: {path: y}\n# end\n",
]


@pytest.mark.parametrize("text", FILES)
def test_an_entry_comes_and_goes_and_the_rest_stays(text: str) -> None:
    added = with_artifact(text.encode(), "churn", "models/churn/model.txt", 'Will it: "yes"?')
    assert added is not None
    before, after = yaml.safe_load(text), yaml.safe_load(added)
    entry = {"path": "models/churn/model.txt", "type": "model", "desc": 'Will it: "yes"?'}
    assert after["artifacts"] == {**(before["artifacts"] or {}), "churn": entry}
    assert text.count("#") == added.count(b"#")
    removed = without_artifact(added, "churn")
    assert removed is not None and yaml.safe_load(removed) == before | {"artifacts": before["artifacts"] or {}}


@pytest.mark.parametrize("text", ["stages: {}\n", "artifacts: {a: {path: x}}\n", "- a\n", "artifacts: [\n"])
def test_what_is_no_such_section_is_left_alone(text: str) -> None:
    assert with_artifact(text.encode(), "churn", "x", "y") is None
    assert without_artifact(text.encode(), "churn") is None
    assert without_artifact(text.encode(), "a") is None


def test_every_entry_can_be_taken_out() -> None:
    for text in FILES:
        for name in yaml.safe_load(text)["artifacts"] or {}:
            removed = without_artifact(text.encode(), name)
            assert removed is not None and name not in yaml.safe_load(removed)["artifacts"]
