"""Windows of production with real flights and scores, judged, and what can go wrong with logs and clocks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelyard.manifests.names import Version
from modelyard.predictions.writer import Entry, Privacy
from modelyard.production.monitoring.window import _since
from modelyard.registry.history import Assignment, ModelHistory
from msgspec.structs import replace
from support.logged import MODEL, START, Flights, write_ground_truth, write_log
from support.yard import commit_all, git, killed_after, tool

UNTIL = "2026-05-08T00:00"
SPREAD = np.random.default_rng(1).permutation(27_900).tolist()
ROWS = SPREAD[:9000]


@pytest.fixture(scope="module")
def flights(champion_template: Path) -> Flights:
    return Flights(champion_template)


def watched(yard: Path, *more: str, expect: int | None = None) -> dict[str, Any]:
    """The output of ``monitor --json``."""
    done = tool(yard, "monitor", MODEL, "--env", "production", "--until", UNTIL, "--json", *more, expect=expect)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def declare(yard: Path, text: str, old: str = "", new: str = "") -> None:
    """Adds a field to the model's manifest, and changes another."""
    manifest = yard / f"models/{MODEL}/model.yaml"
    manifest.write_text(manifest.read_text().replace(old, new, 1) + f"\n{text}\n")
    commit_all(yard, "Say more of the model")


def outcome(found: dict[str, Any], check: str) -> str:
    return next(str(c["outcome"]) for c in found["verdict"]["checks"] if c["id"] == check)


def sentence(found: dict[str, Any], check: str) -> str:
    return next(str(c["sentence"]) for c in found["verdict"]["checks"] if c["id"] == check)


def test_a_quiet_week_passes_and_its_quality_is_that_of_the_rows(champion: Path, flights: Flights) -> None:
    rows = SPREAD[:9000]
    write_log(champion, flights.entries(rows))
    ground_truth = write_ground_truth(champion, flights, rows)
    found = watched(champion, "--ground-truth", str(ground_truth), expect=0)
    assert found["monitoring"]["rows"] == len(rows)
    assert sum(day["rows"] for day in found["monitoring"]["days"]) == len(rows)
    assert [day["day"] for day in found["monitoring"]["days"]] == [f"2026-05-0{n}" for n in range(1, 8)]
    realised = found["monitoring"]["realised"]
    assert (realised["labelled"], realised["missing"]) == (len(rows), 0)
    right = sum((flights.scores[row] >= 0.35) == (flights.labels[row] == 1) for row in rows) / len(rows)
    accuracy = next(metric for metric in realised["metrics"] if metric["name"] == "accuracy")
    assert accuracy["candidate"] == pytest.approx(right)
    assert accuracy["champion"] is not None, "the baseline is shown beside it"


def test_ground_truth_that_model_yaml_declares_needs_no_option(champion: Path, flights: Flights) -> None:
    write_log(champion, flights.entries(ROWS))
    file = write_ground_truth(champion, flights, ROWS)
    expected = watched(champion, "--ground-truth", str(file))["monitoring"]
    declare(champion, f"ground_truth: {{uri: '{file}'}}")
    assert watched(champion)["monitoring"] == expected
    assert expected["realised"]["labelled"] == len(ROWS)


def test_a_log_of_digests_is_monitored_with_ground_truth_by_id(champion: Path, flights: Flights) -> None:
    file = write_ground_truth(champion, flights, ROWS)
    write_log(champion, flights.entries(ROWS))
    plain = watched(champion, "--ground-truth", str(file))["monitoring"]["realised"]
    declare(champion, f"ground_truth: {{uri: '{file}'}}", "  id: flight_id\n", "  id: flight_id\n  personal_id: hash\n")
    contract = replace(flights.model.contract, personal_id="hash")

    def digests(entry: Entry) -> Entry:
        return replace(entry, entities=Privacy(contract, b"canary-key").entities(entry.entities))

    entries = flights.entries(ROWS, change=digests)
    write_log(champion, entries)
    config = champion / "modelyard.yaml"
    config.write_text(
        config.read_text().replace("- name: production\n", "- name: production\n    log: {hash_key: env:KEY}\n")
    )
    commit_all(champion, "Ids are personal")
    done = tool(champion, "monitor", MODEL, "--env", "production", "--until", UNTIL, "--json", KEY="canary-key")
    assert json.loads(done.stdout)["monitoring"]["realised"] == plain
    when = ("--env", "production", "--window", "7d", "--until", UNTIL)
    id_ = flights.ids[ROWS[0]]
    [traced] = json.loads(
        tool(champion, "audit", "prediction", id_, "--model", MODEL, *when, "--json", KEY="canary-key").stdout
    )
    assert traced["id"] == f"{entries[0].id}/0" and id_ not in str(traced)


def test_without_ground_truth_the_estimate_is_compared_with_its_own_value_at_acceptance(
    champion: Path, flights: Flights
) -> None:
    write_log(champion, flights.entries(ROWS))
    found = watched(champion, expect=0)
    assert outcome(found, "quality-kept") == "pass"
    assert "estimated from the scores" in sentence(found, "quality-kept")

    def unsure(entry: Entry) -> Entry:
        return replace(entry, scores=[0.2 + entry.scores[0] / 10])

    write_log(champion, flights.entries(ROWS, change=unsure))
    found = watched(champion, expect=1)
    assert outcome(found, "quality-kept") == "fail"
    assert outcome(found, "score-drift") == "fail"


def test_inputs_that_drifted_are_named(champion: Path, flights: Flights) -> None:
    def hot(entry: Entry) -> Entry:
        inputs = {
            n: [v[0] and v[0] + 40] if n in ("temp", "dewp", "pressure", "humid") else v
            for n, v in entry.inputs.items()
        }
        return replace(entry, inputs=inputs | {"carrier": ["ZZ"]})

    write_log(champion, flights.entries(ROWS, change=hot))
    found = watched(champion, expect=1)
    assert outcome(found, "input-drift") == "fail"
    assert "carrier" in sentence(found, "input-drift")
    carrier = next(c for c in found["monitoring"]["drift"]["columns"] if c["name"] == "carrier")
    assert carrier["new_level_share"] == 1.0
    assert found["monitoring"]["outliers"]["rate"] > 0.5
    assert outcome(found, "outlier-rate") == "fail"


def test_a_thin_window_is_inconclusive_and_raises_no_alarm(champion: Path, flights: Flights) -> None:
    write_log(champion, flights.entries(SPREAD[:90]))
    found = watched(champion, expect=3)
    assert outcome(found, "input-drift") == "inconclusive"
    assert not any(c["outcome"] == "fail" for c in found["verdict"]["checks"])


def test_a_day_without_traffic_is_named_and_a_day_with_one_row_is_traffic(champion: Path, flights: Flights) -> None:
    quiet = flights.entries(SPREAD[:1000], day=0, days=2) + flights.entries([7], day=3, days=1)
    write_log(champion, quiet + flights.entries(SPREAD[1000:2000], day=4, days=3))
    found = watched(champion, expect=1)
    assert [day["rows"] for day in found["monitoring"]["days"]] == [500, 500, 0, 1, 333, 334, 333]
    assert "2026-05-03" in sentence(found, "has-traffic")
    assert "2026-05-04" not in sentence(found, "has-traffic")


def test_days_before_a_model_began_to_serve_are_not_without_traffic(champion: Path, flights: Flights) -> None:
    write_log(champion, flights.entries(ROWS, day=4, days=3))
    found = watched(champion)
    assert [day["day"] for day in found["monitoring"]["days"]] == ["2026-05-05", "2026-05-06", "2026-05-07"]
    assert outcome(found, "has-traffic") == "pass"
    begun = int(START.timestamp()) + 86400
    history = ModelHistory(MODEL, assignments=(Assignment("production", Version("v1.0.0"), "", begun, "", "", ""),))
    assert _since({}, history, "production") == begun, "a receipt without a row: silence since then"


def test_nothing_served_is_an_error_that_says_what_to_do(champion: Path) -> None:
    said = tool(champion, "monitor", MODEL, "--env", "production", expect=2).stderr
    assert "no prediction log of production" in said
    assert "predictions:" in said
    config = champion / "modelyard.yaml"
    config.write_text(config.read_text() + "  - name: lab\n")
    (champion / ".modelyard/local/lab/log").mkdir(parents=True)
    said = tool(champion, "monitor", MODEL, "--env", "lab", expect=2).stderr
    assert "ever served in lab" in said
    done = tool(champion, "monitor", MODEL, "--env", "lab", "--if-served", "--json", expect=0)
    assert (done.stdout, "ever served in lab" in done.stderr) == ("", True)
    said = tool(champion, "monitor", MODEL, "--env", "production", "--window", "soon", expect=2).stderr
    assert "--window soon" in said


def test_several_models_are_all_monitored_and_the_worst_counts(champion: Path, flights: Flights) -> None:
    for name in ("never", "broken"):
        shutil.copytree(champion / "models" / MODEL, champion / "models" / name)
        manifest = champion / f"models/{name}/model.yaml"
        manifest.write_text(manifest.read_text().replace(f"name: {MODEL}", f"name: {name}"))
    with manifest.open("a") as file:
        file.write("\nground_truth: {uri: nowhere}\n")
    write_log(champion, flights.entries(ROWS))
    page = champion / "pages/{model}.html"
    done = tool(champion, "monitor", "--all", "--env", "production", "--until", UNTIL, "--html", str(page), expect=4)
    assert "nowhere does not exist" in done.stderr and "No version of never ever served" in done.stderr
    assert f"{MODEL} v1.0.0 in production meets its monitoring rules" in done.stdout
    assert [path.name for path in page.parent.iterdir()] == [f"{MODEL}.html"]
    assert "No model is named" in tool(champion, "monitor", "--env", "production", expect=2).stderr
    shared = tool(champion, "monitor", "--all", "--env", "production", "--html", "page.html", expect=2).stderr
    assert "page.html is one file for 3 models" in shared and "{model}" in shared
    ground_truth = str(write_ground_truth(champion, flights, ROWS))
    said = tool(champion, "monitor", "--all", "--env", "production", "--ground-truth", ground_truth, expect=2).stderr
    assert "One source of labels is given for several models" in said
    assert "exclude each other" in tool(champion, "monitor", MODEL, "--all", "--env", "production", expect=2).stderr
    done = tool(champion, "feedback", "collect", "--all", "--env", "production", expect=4)
    assert "never: model.yaml names no ground_truth" in done.stderr and "nowhere does not exist" in done.stderr


def test_errors_burn_the_budget_only_while_they_last(champion: Path, flights: Flights) -> None:
    def failed(entry: Entry) -> Entry:
        return replace(entry, scores=[], error="it cannot be loaded")

    good = flights.entries(SPREAD[:3000], day=0, days=7)
    bad = flights.entries(SPREAD[:400], day=6.95, days=0.05, change=failed)
    write_log(champion, good + bad)
    found = watched(champion, expect=1)
    assert outcome(found, "availability-fast-burn") == "fail"
    assert found["monitoring"]["served"][0]["errors"] == 400
    write_log(champion, good + flights.entries(SPREAD[:400], day=2, days=0.05, change=failed))
    found = watched(champion)
    assert outcome(found, "availability-fast-burn") != "fail", "it is over"
    burn = next(b for b in found["monitoring"]["burns"] if b["id"] == "availability-fast-burn")
    assert burn["worst"] > 14.4


def test_two_variants_a_shadow_and_a_rollback_inside_the_window(champion: Path, flights: Flights) -> None:
    def other(entry: Entry) -> Entry:
        return replace(entry, scores=[min(1.0, entry.scores[0] + 0.3)])

    entries = flights.entries(SPREAD[0:900], day=0, days=2)
    entries += flights.entries(SPREAD[900:1200], day=1, days=1, version="v1.1.0", variant="candidate", change=other)
    entries += flights.entries(SPREAD[0:900], day=0, days=2, version="v1.1.0", variant="shadow", change=other)
    entries += flights.entries(SPREAD[1200:2000], day=2, days=2, version="v1.1.0", change=other)
    entries += flights.entries(SPREAD[2000:3500], day=4, days=3)
    write_log(champion, entries)
    said = watched(champion)
    found = said["monitoring"]
    assert found["version"] == "v1.0.0", "it was rolled back, and what answered last is watched"
    assert found["rows"] == 900 + 1500
    assert [day["others"] for day in found["days"]] == [0, 300, 400, 400, 0, 0, 0]
    assert outcome(said, "has-traffic") == "pass", "on the days between the other version answered"
    shares = {(s["version"], s["variant"]): (s["rows"], round(s["share"], 4)) for s in found["served"]}
    everybody = 900 + 300 + 800 + 1500
    assert shares[("v1.0.0", "champion")] == (2400, round(2400 / everybody, 4))
    assert shares[("v1.1.0", "champion")] == (800, round(800 / everybody, 4))
    assert shares[("v1.1.0", "candidate")] == (300, round(300 / everybody, 4))
    assert shares[("v1.1.0", "shadow")][0] == 900
    score = next(c for c in found["drift"]["columns"] if c["role"] == "score")
    assert not score["alarm"], "the other version's scores are not mixed in"
    assert any("v1.1.0" in note for note in found["notes"])


def test_a_record_that_was_cut_off_is_the_only_one_lost(champion: Path, flights: Flights) -> None:
    path = write_log(champion, flights.entries(ROWS))
    path.write_bytes(path.read_bytes()[:-40])
    assert watched(champion)["monitoring"]["rows"] == len(ROWS) - 1


def test_a_segment_written_after_the_clock_was_set_back_is_read(champion: Path, flights: Flights) -> None:
    path = write_log(champion, flights.entries(SPREAD[:500], day=1, days=1))
    begin = (START + timedelta(days=1)).timestamp()
    os.utime(path, (begin - 3600, begin - 3600))  # its last answers came by a clock that was an hour behind
    assert watched(champion, "--window", "6d")["monitoring"]["rows"] == 500
    os.utime(path, (begin - 86400, begin - 86400))
    assert watched(champion, "--window", "6d")["monitoring"]["rows"] == 0, "older segments are not opened"


def test_a_column_added_in_mid_window_is_missing_before(champion: Path, flights: Flights) -> None:
    def without(entry: Entry) -> Entry:
        return replace(entry, inputs={n: v for n, v in entry.inputs.items() if n != "visib"})

    write_log(champion, flights.entries(SPREAD[:1500], day=0, days=3, change=without), name="20260501T000000000000")
    write_log(champion, flights.entries(SPREAD[1500:3000], day=3, days=4), name="20260504T000000000000")
    found = watched(champion)["monitoring"]
    visib = next(c for c in found["drift"]["columns"] if c["name"] == "visib")
    assert found["rows"] == 3000
    assert visib["missing_current"] == pytest.approx(0.5, abs=0.01)
    assert visib["state"] == "drifted"


def test_files_with_other_names_zones_and_duplicates_give_the_same(champion: Path, flights: Flights) -> None:
    entries = flights.entries(ROWS)
    write_log(champion, entries)
    ours = watched(champion)["monitoring"]
    folder = champion.parent / "exported" / MODEL
    folder.mkdir(parents=True)
    lines = []
    for place, entry in enumerate(entries):
        when = START + timedelta(days=7 * (place + 0.5) / len(entries))
        zone = timedelta(hours=place % 3)  # the same times, written in three zones
        shown = (when + zone).replace(tzinfo=None).isoformat() + (f"+0{place % 3}:00" if place % 3 else "")
        line = {"request": entry.id, "flight": (entry.entities or [""])[0], "when": shown, "version": "v1.0.0",
                "p": entry.scores[0], "ms": entry.latency_ms} | {n: v[0] for n, v in entry.inputs.items()}  # fmt: skip
        lines.append(json.dumps(line))
    half = len(lines) // 2
    (folder / "a.jsonl").write_text("\n".join(lines[:half]) + "\n")
    (folder / "b.jsonl").write_text("\n".join(lines[half - len(lines) * 3 // 10 :]) + "\n")  # 30 % come twice
    config = champion / "modelyard.yaml"
    names = "{id: request, entity: flight, time: when, score: p, latency_ms: ms}"
    reader = f"predictions: {{reader: files, uri: '{champion.parent}/exported/{{model}}', columns: {names}}}"
    config.write_text(config.read_text().replace("- name: production\n", f"- name: production\n    {reader}\n"))
    commit_all(champion, "Predictions are kept elsewhere")
    assert watched(champion)["monitoring"] == ours


def test_the_same_window_is_filed_once_however_often_and_by_how_many(champion: Path, flights: Flights) -> None:
    write_log(champion, flights.entries(ROWS))
    command = [sys.executable, "-m", "modelyard", "monitor", MODEL, "--env", "production", "--until", UNTIL, "--file"]
    both = [subprocess.Popen(command, cwd=champion, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0], [one.communicate() for one in both]
    for one in both:
        one.communicate()
    tool(champion, "monitor", MODEL, "--env", "production", "--until", UNTIL, "--file")
    paths = [
        p
        for p in git(champion, "ls-tree", "-r", "--name-only", "modelyard/evidence").splitlines()
        if "/monitoring/" in p
    ]
    assert len(paths) == 1
    assert paths[0].endswith("/monitoring/production/20260501T000000Z-20260508T000000Z.json")
    document = json.loads(git(champion, "show", f"modelyard/evidence:{paths[0]}"))
    assert document["subject"][0]["digest"]["sha256"] == paths[0].split("/")[1]
    assert document["predicate"]["verdict"]["outcome"] == "pass"
    tool(champion, "audit", "check")


def test_a_page_of_the_window_opens_alone_and_shows_names_from_logs_as_text(champion: Path, flights: Flights) -> None:
    hostile = "<img src=x onerror=alert(1)>\x1b]0;owned\x07"
    entries = flights.entries(ROWS) + flights.entries(SPREAD[9000:9100], version=hostile, variant="candidate")
    write_log(champion, entries)
    page = champion / "window.html"
    done = tool(champion, "monitor", MODEL, "--env", "production", "--until", UNTIL, "--html", str(page),
                "--ground-truth", str(write_ground_truth(champion, flights, ROWS)))  # fmt: skip
    assert "\x1b]" not in done.stdout and "\x07" not in done.stdout
    content = page.read_text()
    assert "<img" not in content and "&lt;img src=x" in content
    assert "<script" not in content and "http" not in content.replace("http-equiv", "")
    for said in ("meets its monitoring rules", "2026-05-01T00:00:00Z to 2026-05-08T00:00:00Z", "quality-kept",
                 "Realised − baseline", "worst by auc", "carrier=UA", "9,000 predictions have a label"):  # fmt: skip
        assert said in content, said
    assert content.count('<rect class="current"') > 7, "a bar a day, and distributions"


def test_killed_at_any_moment_it_is_filed_once_and_whole(champion: Path, flights: Flights) -> None:
    write_log(champion, flights.entries(ROWS))
    command = ["monitor", MODEL, "--env", "production", "--until", UNTIL, "--file"]
    ended = [killed_after(champion, 0.2 + 0.15 * step, *command) for step in range(7)]
    assert -signal.SIGKILL in ended
    tool(champion, *command, expect=0)
    listed = git(champion, "ls-tree", "-r", "--name-only", "modelyard/evidence").splitlines()
    [path] = [name for name in listed if "/monitoring/" in name]
    assert json.loads(git(champion, "show", f"modelyard/evidence:{path}"))["predicate"]["monitoring"]["rows"] == 9000
    assert git(champion, "status", "--porcelain") == ""
    tool(champion, "audit", "check")


def test_personal_columns_are_not_measured(champion: Path, flights: Flights) -> None:
    manifest = champion / f"models/{MODEL}/model.yaml"
    manifest.write_text(
        manifest.read_text().replace("{name: carrier, type: string,", "{name: carrier, type: string, personal: hash,")
    )
    write_log(champion, flights.entries(ROWS))
    found = watched(champion)
    carrier = next(c for c in found["monitoring"]["drift"]["columns"] if c["name"] == "carrier")
    assert (carrier["state"], carrier["reason"]) == ("insufficient", "personal: the log does not hold it")
    assert outcome(found, "outlier-rate") == "inconclusive"


def _compared_with(yard: Path, reference: str) -> None:
    policy = yard / "policies/standard.yaml"
    text = policy.read_text()
    assert "    kind: inputs\n" in text
    policy.write_text(text.replace("    kind: inputs\n", f"    kind: inputs\n    reference: {reference}\n", 1))
    commit_all(yard, "Compare with earlier predictions")


def test_a_summer_is_compared_with_the_summer_before_and_a_new_season_is_no_alarm(
    champion: Path, flights: Flights
) -> None:
    def hot(entry: Entry) -> Entry:
        raised = ("temp", "dewp", "pressure", "humid")
        return replace(entry, inputs={n: [v[0] and v[0] + 40] if n in raised else v for n, v in entry.inputs.items()})

    write_log(champion, flights.entries(ROWS, change=hot))
    assert outcome(watched(champion, expect=1), "input-drift") == "fail"
    _compared_with(champion, "{season: same-month}")
    new = watched(champion)
    assert outcome(new, "input-drift") == "inconclusive"
    assert "May is new: the prediction log has 0 of the predictions of May in earlier years" in sentence(
        new, "input-drift"
    )
    columns = {c["name"]: c for c in new["monitoring"]["drift"]["columns"]}
    assert columns["temp"]["state"] == "drifted" and not columns["temp"]["alarm"]
    write_log(
        champion, flights.entries(SPREAD[9000:15000], day=-365.0, days=28.0, change=hot), name="20250501T000000000000"
    )
    known = watched(champion)
    assert outcome(known, "input-drift") == "pass", sentence(known, "input-drift")
    assert known["monitoring"]["drift"]["reference_rows"] == 6000
    assert "from the predictions of May in earlier years" in sentence(known, "input-drift")


def test_a_window_is_compared_with_the_four_weeks_before(champion: Path, flights: Flights) -> None:
    def new_carrier(entry: Entry) -> Entry:
        return replace(entry, inputs={**entry.inputs, "carrier": ["ZZ"]})

    _compared_with(champion, "{rolling: 28d}")
    before = flights.entries(SPREAD[9000:15000], day=-28.0, days=28.0)
    write_log(champion, flights.entries(ROWS), name="20260501T000000000000")
    write_log(champion, before, name="20260403T000000000000")
    assert outcome(watched(champion), "input-drift") == "pass"
    write_log(champion, flights.entries(ROWS, change=new_carrier), name="20260501T000000000000")
    drifted = watched(champion)
    carrier = next(c for c in drifted["monitoring"]["drift"]["columns"] if c["name"] == "carrier")
    assert carrier["alarm"] and "carrier" in sentence(drifted, "input-drift")
