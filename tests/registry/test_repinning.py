"""A lock that pins other outputs for the same inputs."""

from __future__ import annotations

import pytest
from modelyard.manifests.pipeline import locked_stages
from modelyard.registry.repinning import repinned

LOCK = """\
schema: "2.0"
stages:
  featurize:
    cmd: python features.py
    deps: [{path: raw, md5: r1, size: 3}, {path: features.py, md5: f1}]
    params: {params.yaml: {split.a: 1, split.b: 2}}
    outs: [{path: data, md5: d1}]
  train:
    cmd: python train.py
    deps: [{path: data, md5: d1}]
    outs: [{path: model, md5: m1}, {path: metrics.json, md5: q1}]
  score@north:
    cmd: score north
    deps: [{path: model, md5: m1}]
    outs: [{path: north, md5: n1}]
  check:
    cmd: check
"""


def stages(*changes: tuple[str, str]) -> dict[str, object]:
    text = LOCK
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return locked_stages(text.encode(), "dvc.lock")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], ()),
        ([("md5: m1", "md5: m2")], ("train",)),
        ([("md5: d1", "md5: d2")], ("featurize",)),
        ([("md5: n1", "md5: n2")], ("score@north",)),
        ([("md5: m1", "md5: m2"), ("cmd: python train.py", "cmd: python train.py -v")], ()),
        ([("md5: m1", "md5: m2"), ("split.a: 1", "split.a: 3")], ("train",)),
        ([("md5: d1", "md5: d2"), ("split.a: 1", "split.a: 3")], ()),
        ([("md5: d1", "md5: d2"), ("split.a: 1, split.b: 2", "split.b: 2, split.a: 1")], ("featurize",)),
        ([("md5: d1", "md5: d2"), ("{path: raw, md5: r1, size: 3}, {path: features.py, md5: f1}",
                                   "{path: features.py, md5: f1}, {path: raw, md5: r1}")], ("featurize",)),
    ],
)  # fmt: skip
def test_only_outputs_that_the_inputs_do_not_explain(changes: list[tuple[str, str]], expected: tuple[str, ...]) -> None:
    assert repinned([stages()], stages(*changes)) == expected


def test_what_any_registered_version_had_is_known() -> None:
    second = stages(("md5: m1", "md5: m2"))
    assert repinned([stages(), second], second) == () and repinned([], second) == ()
    assert repinned([stages(), second], stages(("md5: m1", "md5: m3"))) == ("train",)
