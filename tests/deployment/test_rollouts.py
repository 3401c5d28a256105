"""Rollouts and rollbacks with a real server, git and registered versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from modelyard.predictions.layout import Layout
from support.server import Server, request, serving
from support.waiting import wait_for
from support.yard import commit_all, git, tool

MODEL = "flight-delay"
INFER = f"/v2/models/{MODEL}/infer"
FILE = f"deployments/production/{MODEL}.yaml"
APPROVED = "Approved-by: Grace Reviewer <grace@example.org>"
CANARY = """\
rollout:
  strategy: canary
  steps:
    - {weight: 20}
    - {weight: 50}
  key: carrier
"""
STRICT = CANARY + "  analysis: {minimum_samples: 20, latency: {quantile: 0.5, maximum_milliseconds: 0.000001}}\n"


def want(yard: Path, version: str, rollout: str = "", subject: str = "") -> str:
    (yard / FILE).write_text(f"model: {MODEL}\nversion: {version}\n{rollout}")
    return commit_all(yard, f"{subject or f'Promote {version}'}\n\n{APPROVED}")


def deploy(yard: Path, *options: str, expect: int = 0) -> dict[str, Any]:
    done = tool(yard, "deploy", "--env", "production", "--json", *options, expect=expect)
    found: dict[str, Any] = json.loads(done.stdout)[0]
    return found


def status(yard: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tool(yard, "status", "--env", "production", "--json").stdout)[0]
    return found


def ask(server: Server, count: int, **changes: Any) -> dict[str, int]:
    """Sends requests; version → how many it answered."""
    seen: dict[str, int] = {}
    for _ in range(count):
        code, answer = server.call("POST", INFER, request(**changes))
        assert code == 200, answer
        seen[answer["model_version"]] = seen.get(answer["model_version"], 0) + 1
    return seen


def stages(yard: Path) -> list[str]:
    return git(yard, "tag", "--list", f"{MODEL}#production#*").split()


def test_a_canary_takes_one_step_per_run_and_callers_stay_with_one_version(rival: Path) -> None:
    want(rival, "v1.1.0", CANARY)
    before = stages(rival)
    with serving(rival, "production") as server:
        assert "20 % to v1.1.0" in deploy(rival)["actions"][-1]
        assert (status(rival)["sync"], status(rival)["live"]) == ("rolling out", "v1.0.0")
        assert stages(rival) == before, "no receipt before the candidate serves"
        carriers = [f"C{n}" for n in range(60)]
        first = {carrier: ask(server, 3, carrier=carrier) for carrier in carriers}
        assert all(len(versions) == 1 for versions in first.values()), "a carrier stays with one version"
        chosen = {carrier for carrier, versions in first.items() if "v1.1.0" in versions}
        assert 3 <= len(chosen) <= 25
        deploy(rival)
        second = {carrier for carrier in carriers if "v1.1.0" in ask(server, 1, carrier=carrier)}
        assert chosen < second, "callers of the candidate at 20 % stay with it at 50 %"
        done = deploy(rival)
        assert done["live"] == "v1.1.0" and done["tag"] == stages(rival)[-1]
        assert ask(server, 5) == {"v1.1.0": 5}
        assert deploy(rival)["actions"] == [] and status(rival)["sync"] == "in sync"


def test_a_request_of_many_callers_is_divided_and_names_the_versions(rival: Path) -> None:
    want(rival, "v1.1.0", CANARY)
    with serving(rival, "production") as server:
        deploy(rival)
        body = request(200)
        body["inputs"][0]["data"] = [f"C{n}" for n in range(200)]
        answer = server.call("POST", INFER, body)[1]
        versions = answer["parameters"]["versions"]
        assert set(versions) == {"v1.0.0", "v1.1.0"} and len(versions) == 200
        for version in ("v1.0.0", "v1.1.0"):
            rows = [n for n, name in enumerate(versions) if name == version]
            part = request(len(rows))
            part["inputs"][0]["data"] = [f"C{n}" for n in rows]
            alone = server.call("POST", f"/v2/models/{MODEL}/versions/{version}/infer", part)[1]
            assert alone["outputs"][0]["data"] == [answer["outputs"][0]["data"][n] for n in rows]


def test_a_failed_canary_is_rolled_back_recorded_and_blocked(rival: Path) -> None:
    want(rival, "v1.1.0", STRICT)
    with serving(rival, "production") as server:
        deploy(rival)
        for n in range(200):
            ask(server, 1, carrier=f"C{n}")
        back = tool(rival, "deploy", "--env", "production", expect=1)
        assert "latency" in back.stderr and "route all to v1.0.0" in back.stderr
        assert set(ask(server, 30)) == {"v1.0.0"}
        line = status(rival)
        assert (line["desired"], line["live"], line["sync"]) == ("v1.1.0", "v1.0.0", "rolled back")
        assert "desired v1.1.0, live v1.0.0" in line["rollout"] and "latency" in line["rollout"]
        assert "rolled back" in tool(rival, "status").stdout
        receipt = stages(rival)[-1]
        branch = f"modelyard/rollback/production/{MODEL}"
        assert "version: v1.0.0" in git(rival, "show", f"{branch}:{FILE}")
        told = git(rival, "log", "-1", "--format=%B", branch)
        assert "was rolled back: latency" in told and "20 % to v1.1.0" in told, "the pull request has the timeline"
        again = deploy(rival, expect=1)
        assert again["actions"] == [] and stages(rival)[-1] == receipt, (
            "the next run changes nothing and reports the same"
        )
        (rival / FILE).write_text(f"model: {MODEL}\nversion: v1.0.0\n")
        commit_all(rival, "main asks for v1.0.0 again\n\n" + APPROVED)
        refused = tool(rival, "promote", MODEL, "--to", "production", expect=1).stderr
        assert "was rolled back in production" in refused and receipt in refused
        assert deploy(rival)["live"] == "v1.0.0" and status(rival)["sync"] == "in sync"
        want(rival, "v1.1.0", CANARY + f"readmit: ['{receipt}']\n", "Try again")
        assert "20 % to v1.1.0" in deploy(rival)["actions"][-1]


def test_a_manual_rollback_moves_traffic_and_is_recorded(rival: Path) -> None:
    want(rival, "v1.1.0")
    deploy(rival)
    with serving(rival, "production") as server:
        assert set(ask(server, 3)) == {"v1.1.0"}
        said = tool(rival, "rollback", MODEL, "--env", "production", "--why", "wrong in Boston")
        assert set(ask(server, 3)) == {"v1.0.0"} and "route all to v1.0.0" in said.stdout
    assert status(rival)["sync"] == "rolled back" and "wrong in Boston" in status(rival)["why"]
    assert f"modelyard/rollback/production/{MODEL}" in git(rival, "branch")
    assert deploy(rival, expect=1)["live"] == "v1.0.0"
    again = tool(rival, "rollback", MODEL, "--env", "production", "--to", "v1.0.0")
    assert "Already done" in again.stderr
    latest = json.loads(tool(rival, "deploy", "--env", "staging", "--json").stdout)[0]
    assert latest["desired"] == "v1.0.0", "latest skips artifacts that were rolled back"


def test_a_shadow_gets_copies_and_serves_no_caller(rival: Path) -> None:
    want(
        rival,
        "v1.1.0",
        "rollout: {strategy: shadow, steps: [{hold: 0s}], analysis: {minimum_samples: 20, errors: {}}}\n",
    )
    with serving(rival, "production") as server:
        deploy(rival)
        assert ask(server, 40) == {"v1.0.0": 40}
        counter = 'modelyard_requests_total{environment="production",model="flight-delay",variant="shadow"'
        wait_for(lambda: counter in metrics(server), "a request to the shadow")
        assert 'version="v1.1.0"' in metrics(server)
    from modelyard.predictions.segments import read_predictions

    rows = [r for t in read_predictions(Layout.of(rival, "production").logs / MODEL) for r in t.to_pylist()]
    assert {row["version"] for row in rows if row["variant"] == "shadow"} == {"v1.1.0"}
    assert len([row for row in rows if row["variant"] == "shadow"]) == 40
    assert status(rival)["sync"] == "rolling out" and "a copy" in status(rival)["rollout"]


def metrics(server: Server) -> str:
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        text: str = answer.read().decode()
    return text


@pytest.mark.parametrize("strategy", ["blue-green", "all-at-once"])
def test_the_first_deployment_has_nothing_to_compare_with(champion: Path, strategy: str) -> None:
    (champion / f"deployments/staging/{MODEL}.yaml").unlink()
    commit_all(champion, f"Take it off staging\n\n{APPROVED}")
    gone = json.loads(tool(champion, "deploy", "--env", "staging", "--json").stdout)[0]
    assert gone["live"] is None and gone["tag"] == f"{MODEL}#staging!#3"
    assert Layout.of(champion, "staging").read_state().models == {}
    assert json.loads(tool(champion, "deploy", "--env", "staging", "--json").stdout) in (
        [],
        [gone | {"actions": [], "tag": None}],
    )
    (champion / f"deployments/staging/{MODEL}.yaml").write_text(
        f"model: {MODEL}\nversion: v1.0.0\nrollout: {{strategy: {strategy}, keep: 0s}}\n"
    )
    commit_all(champion, f"And on again\n\n{APPROVED}")
    again = json.loads(tool(champion, "deploy", "--env", "staging", "--json").stdout)[0]
    assert again["live"] == "v1.0.0" and again["tag"] == f"{MODEL}#staging#4"
