"""A month of real flights through the whole loop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from modelyard.demo.months import Month, render_replay, replay_chart
from modelyard.demo.replay import months_of
from modelyard.errors import UsageError
from modelyard.predictions.layout import Layout
from modelyard.terminal import STYLES
from support.yard import git, tool

MONTHS = [
    Month("2013-04", 27564, "v1.0.0", 0.6336, 0.6336, (0.62, 0.64), ("quality-kept",), "", ("calibrated",), (), 20.0),
    Month("2013-05", 28128, "v1.0.0", 0.7124, 0.7124, (0.70, 0.72), (), "v1.1.0", (), (), 22.0),
    Month("2013-06", 27075, "v1.1.0", 0.68, 0.70, (0.69, 0.71), (), "v1.2.0", (), (), 24.0),
    Month("2013-07", 28293, "v1.2.0", 0.68, 0.72, (0.71, 0.73), (), "", (), ("groups-treated-alike",), 24.0),
]


def test_a_month_is_served_watched_learnt_from_and_judged(tmp_path: Path) -> None:
    folder = tmp_path / "replay"
    done = tool(tmp_path, "replay", str(folder), "--months", "6", "--json")
    [month] = json.loads(done.stdout)
    assert json.loads((folder / "replay.json").read_text()) == [month]
    assert (month["month"], month["version"], month["rows"]) == ("2013-06", "v1.0.0", 27_075)
    assert month["loop"] == pytest.approx(month["static"], abs=1e-9), "the log has every score the model gives"
    assert month["interval"][0] < month["loop"] < month["interval"][1]
    assert (month["candidate"], month["refused"]) == ("v1.1.0", [])
    repository = folder / "repository"
    assert git(repository, "branch", "--show-current") == "main" and git(repository, "status", "--porcelain") == ""
    status = json.loads(tool(repository, "status", "--json").stdout)
    assert {(line["environment"], line["live"]) for line in status} == {
        ("staging", "v1.1.0"),
        ("production", "v1.1.0"),
    }
    filed = git(repository, "ls-tree", "-r", "--name-only", "modelyard/evidence")
    assert "/monitoring/production/" in filed
    assert (folder / "replay.svg").read_text().startswith("<svg")
    assert not any(Layout.of(repository, name).server_is_up() for name in ("staging", "production"))


def test_the_table_says_what_became_of_each_candidate_in_80_columns() -> None:
    shown = render_replay(MONTHS).fit(80)
    assert max(map(len, STYLES.sub("", shown).splitlines())) <= 80
    assert "2013-04 refused by: calibrated" in shown and "2013-04 alarms: quality-kept" in shown
    assert "→ v1.1.0" in shown and "2 promotions, 1 refusal, 1 undecided" in shown
    assert "2013-07 undecided: groups-treated-alike" in shown
    chart = replay_chart(MONTHS).svg
    assert chart.count("<circle") == 2 * len(MONTHS) + 2 and "refused" in chart and "v1.2.0" in chart


@pytest.mark.parametrize("span", ["3..5", "4..13", "7..5", "spring", "4..", ""])
def test_months_that_are_none(span: str) -> None:
    with pytest.raises(UsageError, match="is not a valid span of months"):
        months_of(span)
    assert months_of("4..12") == range(4, 13) and months_of("7") == range(7, 8)
