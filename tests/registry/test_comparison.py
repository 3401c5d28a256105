"""Differences of two versions: values of different held-out rows are never subtracted."""

from __future__ import annotations

import re
from typing import Any

from modelyard.manifests.check import METRIC_TASKS, arrow
from modelyard.manifests.names import Version
from modelyard.metrics.scores import TASKS
from modelyard.registry.comparison import VersionDifference, compare_versions
from modelyard.registry.history import RegisteredVersion
from modelyard.registry.tags import VersionRecord, write_record
from modelyard.report.html.site_pictures import metric_chart
from modelyard.report.terminal.registry import render_version_difference
from report import samples

ONE, TWO = "1" * 64, "2" * 64
FIRST = VersionRecord("a", metrics={"log_loss": 0.41, "auc": 0.70}, held_out=ONE, held_out_name="9 rows, day 1 to 3")
# On its own, newer rows everything looks worse; on the same rows the log loss is better.
SECOND = VersionRecord(
    "b", metrics={"log_loss": 0.452, "auc": 0.72, "f1": 0.5}, held_out=TWO, held_out_name="8 rows, day 4 to 6",
    champion="v1.0.0", against={"log_loss": (-0.047, -0.073, -0.023), "auc": (0.01, -0.005, 0.025)},
)  # fmt: skip


def version(number: str, record: VersionRecord | None) -> RegisteredVersion:
    message = write_record("headline", record) if record else "by hand"
    return RegisteredVersion(Version(number), "c" * 40, samples.AT, "ada", message)


def differ(before: VersionRecord | None, after: VersionRecord | None, later: str = "v1.1.0") -> VersionDifference:
    return compare_versions("m", version("v1.0.0", before), version(later, after), None, ({}, {}), ())


def shown(found: VersionDifference) -> dict[str, tuple[Any, ...]]:
    return {m.name: (m.before, m.after, m.difference, m.interval) for m in found.metrics}


def test_the_comparison_that_was_filed_is_shown_with_its_interval() -> None:
    found = differ(FIRST, SECOND)
    assert shown(found) == {
        "log_loss": (0.499, 0.452, -0.047, (-0.073, -0.023)),
        "auc": (0.71, 0.72, 0.01, (-0.005, 0.025)),
        "f1": (None, 0.5, None, None),
    }
    assert found.measured.startswith("Both were measured on the same rows when v1.1.0 was registered (8 rows, day 4 to")
    text = str(render_version_difference(found).fit(100))
    assert "log_loss ↓" in text and "-0.0470 [-0.0730, -0.0230]" in text and "+0.042" not in text


def test_the_other_way_round_it_has_the_other_sign() -> None:
    found = compare_versions("m", version("v1.1.0", SECOND), version("v1.0.0", FIRST), None, ({}, {}), ())
    assert shown(found)["log_loss"] == (0.452, 0.499, 0.047, (0.023, 0.073))


def test_values_of_different_rows_are_named_and_not_subtracted() -> None:
    third = VersionRecord("c", metrics={"log_loss": 0.5}, held_out=TWO, held_out_name="8 rows, day 4 to 6")
    found = differ(FIRST, third)
    assert shown(found) == {"log_loss": (0.41, 0.5, None, None), "auc": (0.70, None, None, None)}
    assert found.measured == (
        "v1.0.0 was measured on 9 rows, day 1 to 3, v1.1.0 on 8 rows, day 4 to 6. These are different rows, so the"
        " values are not subtracted."
    )
    unknown = differ(VersionRecord("a", metrics={"auc": 0.7}), VersionRecord("b", metrics={"auc": 0.8}))
    assert shown(unknown)["auc"] == (0.7, 0.8, None, None), "not known to be the same is not the same"
    assert "the rows held out for v1.0.0" in unknown.measured


def test_the_same_rows_are_subtracted_without_an_interval() -> None:
    found = differ(FIRST, VersionRecord("b", metrics={"auc": 0.75}, held_out=ONE))
    assert shown(found) == {"log_loss": (0.41, None, None, None), "auc": (0.7, 0.75, 0.05, None)}
    assert differ(None, None).metrics == () and differ(None, None).measured == ""


def test_no_line_joins_values_of_different_rows() -> None:
    points = [("v1", 0.7, ONE), ("v2", 0.71, ONE), ("v3", 0.6, TWO), ("v4", 0.5, ""), ("v5", 0.4, "")]
    drawn = metric_chart("log_loss", points)
    assert drawn.svg.count('<polyline class="after"') == 1 and drawn.svg.count("<circle") == 5
    assert drawn.caption == ("log_loss ↓: 0.4000 in v5, lower is better; dashed: the best of the last ten")


def test_the_direction_of_every_metric() -> None:
    for task in TASKS.values():
        for metric in task.metrics:
            assert arrow(metric.name) == ("↑" if metric.higher_is_better else "↓"), metric.name
    assert {arrow(name) for name in METRIC_TASKS} == {"↑", "↓"} and arrow("latency") == ""


def test_a_slow_slide_falls_away_from_the_line_of_the_best() -> None:
    points = [(f"v1.{i}.0", value, "a" * 64) for i, value in enumerate([0.80, 0.82, 0.81, 0.80, 0.79])]
    drawn = metric_chart("auc", points)
    [line] = re.findall(r'<polyline class="before dashed" points="([^"]+)"', drawn.svg)
    heights = [float(corner.split(",")[1]) for corner in line.split()]
    assert heights[0] > heights[1] and len(set(heights[1:])) == 1, "it rises to the best, and stays there"
    assert "best of the last ten" in drawn.caption
    apart = metric_chart("auc", [(name, value, name) for name, value, _ in points])
    assert "before" not in apart.svg and "best" not in apart.caption, "other rows do not compare"
