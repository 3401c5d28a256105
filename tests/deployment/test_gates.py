"""What delays or stops a deployment: order, bake time, freezes, manual gates, waivers, labels, an unreachable target."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from modelyard.deployment.desired_state import require_waivers
from modelyard.errors import Refused
from modelyard.evidence.statement import read_statement, write_statement
from modelyard.evidence.verdict import Verdict
from modelyard.manifests.repository import ModelRepository
from modelyard.registry.tags import VersionRecord
from msgspec.structs import replace
from support.server import request, serving
from support.versions import opened
from support.yard import commit_all, git, tool

MODEL = "flight-delay"
FILE = f"deployments/production/{MODEL}.yaml"
APPROVED = "Approved-by: Grace Reviewer <grace@example.org>"
BRANCH = f"modelyard/promote/production/{MODEL}"


def environment(yard: Path, name: str, setting: str) -> None:
    """Adds a setting to an environment, on main."""
    config = yard / "modelyard.yaml"
    config.write_text(config.read_text().replace(f"- name: {name}\n", f"- name: {name}\n    {setting}\n"))
    commit_all(yard, f"{name}: {setting}\n\n{APPROVED}")


def want(yard: Path, version: str, rollout: str = "") -> None:
    (yard / FILE).write_text(f"model: {MODEL}\nversion: {version}\n{rollout}")
    commit_all(yard, f"Promote {version}\n\n{APPROVED}")


def branches(yard: Path) -> str:
    return git(yard, "branch", "--list", "modelyard/*", "--format=%(refname:short)")


def test_what_staging_serves_is_proposed_for_production(rival: Path) -> None:
    said = tool(rival, "promote", MODEL, "--to", "production", "--why", "a month without complaints").stdout.strip()
    assert said in branches(rival).split()
    assert "version: v1.1.0" in git(rival, "show", f"{said}:{FILE}")
    assert "a month without complaints" in git(rival, "log", "-1", "--format=%B", said)
    assert (
        tool(rival, "promote", MODEL, "--to", "production", "--why", "a month without complaints").stdout == said + "\n"
    )


def test_the_order_of_environments_is_kept(champion: Path) -> None:
    (champion / f"deployments/staging/{MODEL}.yaml").unlink()
    environment(champion, "staging", "freezes: []")
    git(champion, "tag", "--delete", f"{MODEL}#staging#1")
    refused = tool(champion, "promote", MODEL, "--to", "production", "--version", "v1.0.0", expect=1).stderr
    assert "v1.0.0 has never served in staging, which comes before production" in refused


def test_a_version_is_held_until_the_end_of_its_bake_time(rival: Path) -> None:
    environment(rival, "production", "bake: 2d")
    refused = tool(rival, "promote", MODEL, "--to", "production", expect=1).stderr
    assert re.search(r"v1\.1\.0 has served for 0\.\d h in staging; production requires 2d", refused)
    assert not git(rival, "branch", "--list", BRANCH)
    want(rival, "v1.1.0")
    held = json.loads(tool(rival, "deploy", "--env", "production", "--json").stdout)[0]
    assert "production requires 2d" in held["skipped"] and held["live"] == "v1.0.0", "nor by editing the file"


def test_a_freeze_stops_promotion_but_not_rollback(rival: Path) -> None:
    want(rival, "v1.1.0")
    tool(rival, "deploy", "--env", "production")
    environment(
        rival, "production", f'freezes: [{{why: stocktaking, last: "{datetime.now(UTC).date() + timedelta(9)}"}}]'
    )
    assert "production is frozen until" in tool(rival, "promote", MODEL, "--to", "production", expect=1).stderr
    want(rival, "v1.0.0")
    back = json.loads(tool(rival, "deploy", "--env", "production", "--json").stdout)[0]
    assert back["live"] == "v1.0.0", "an older version that served there"
    want(rival, "v1.1.0", "")
    held = json.loads(tool(rival, "deploy", "--env", "production", "--json").stdout)[0]
    assert "frozen" in held["skipped"] and "stocktaking" in held["skipped"] and held["live"] == "v1.0.0"


def test_a_manual_gate_waits_for_a_reviewed_change(rival: Path) -> None:
    want(rival, "v1.1.0", "rollout:\n  strategy: canary\n  steps: [{weight: 20, gate: manual}, {weight: 50}]\n")
    tool(rival, "deploy", "--env", "production")
    held = json.loads(tool(rival, "deploy", "--env", "production", "--json").stdout)[0]
    assert "waits at the manual gate of 20 %" in held["rollout"] and held["actions"] == []
    said = tool(rival, "promote", MODEL, "--to", "production", "--clear", "20").stdout.strip()
    git(rival, "merge", "--quiet", "--ff-only", said)
    commit = git(rival, "log", "-1", "--format=%s")
    assert "20 %" in commit
    git(rival, "commit", "--quiet", "--amend", "-m", f"{commit}\n\n{APPROVED}")
    moved = json.loads(tool(rival, "deploy", "--env", "production", "--json").stdout)[0]
    assert "50 % to v1.1.0" in moved["actions"][-1]


def test_an_expired_waiver_stops_its_version(rival: Path) -> None:
    door = opened(rival)
    version = door.history(MODEL).latest
    assert version and version.record
    artifact = version.record.artifact
    verdict = read_statement(door.evidence.documents(MODEL, artifact)["verdict"], "verdict", Verdict).predicate
    file = f"waivers/{MODEL}-{verdict.checks[0].id}-{artifact[:8]}.yaml"
    checks = (dataclasses.replace(verdict.checks[0], outcome="waived", waiver=file), *verdict.checks[1:])
    waived = write_statement("verdict", MODEL, artifact, dataclasses.replace(verdict, outcome="waived", checks=checks))
    record = VersionRecord(artifact=artifact, verdict="waived")
    version = replace(version, message=version.message.replace('"verdict":"pass"', '"verdict":"waived"'))
    assert version.record and version.record.verdict == record.verdict

    def refusal(today: date) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(door.evidence, "documents", lambda *_: {"verdict": waived})
            try:
                require_waivers(door.model(MODEL), version, today)
            except Refused as refused:
                return refused.problem
        return ""

    assert f"by {file}, which was removed" in refusal(date(2026, 11, 1))
    (rival / file).parent.mkdir(exist_ok=True)
    (rival / file).write_text(
        f"model: {MODEL}\ncheck: {verdict.checks[0].id}\nartifact: {artifact}\nreason: known\nrequested_by: ada\n"
        'approved_by: grace\nexpires: "2026-11-30"\n'
    )
    assert refusal(date(2026, 11, 30)) == ""
    assert "which ended on 2026-11-30" in refusal(date(2026, 12, 1))


@pytest.mark.parametrize("said", ["on the command line", "in model.yaml"])
def test_ground_truth_decides_a_step(rival: Path, tmp_path: Path, said: str) -> None:
    rule = "analysis: {minimum_samples: 30, ground_truth: {margin: 0.05}}"
    want(rival, "v1.1.0", f"rollout: {{strategy: canary, steps: [{{weight: 50}}], key: carrier, {rule}}}\n")
    ground_truth, contract = tmp_path / "ground_truth.csv", ModelRepository(rival).model(MODEL).contract
    option = ["--ground-truth", str(ground_truth)]
    if said == "in model.yaml":
        manifest, option = rival / f"models/{MODEL}/model.yaml", []
        manifest.write_text(
            manifest.read_text() + f"\nground_truth: {{uri: '{ground_truth.parent}/ground_truth.csv'}}\n"
        )
        commit_all(rival, "Declare ground truth")
    with serving(rival, "production") as server:
        tool(rival, "deploy", "--env", "production")
        answered = {}
        for n in range(300):
            body = request(carrier=f"C{n}")
            body["inputs"].append({"name": contract.id, "shape": [1], "datatype": "BYTES", "data": [f"F{n}"]})
            answer = server.call("POST", f"/v2/models/{MODEL}/infer", body)[1]
            answered[f"F{n}"] = (answer["model_version"], answer["outputs"][0]["data"][0])
        unsure = json.loads(tool(rival, "deploy", "--env", "production", "--json").stdout)[0]
        assert "ground_truth" in unsure["rollout"] and unsure["actions"] == [], "without labels the step holds"
        assert ("ground_truth.csv does not exist" in unsure["rollout"]) is (said == "in model.yaml")
        with ground_truth.open("w") as file:
            table = csv.writer(file)
            table.writerow([contract.id, contract.label])
            for name, (version, score) in answered.items():
                right = score >= 0.5
                table.writerow([name, int(right if version == "v1.0.0" else not right)])
        done = tool(rival, "deploy", "--env", "production", *option, expect=1)
        assert "ground_truth: mean loss" in done.stderr and "margin 0.05" in done.stderr
    line = json.loads(tool(rival, "status", "--env", "production", "--json").stdout)[0]
    assert line["sync"] == "rolled back" and line["live"] == "v1.0.0"


def test_an_unreachable_target_is_reported_and_stops_only_its_own_deployments(rival: Path) -> None:
    environment(rival, "production", 'target: mlserver\n    settings: {url: "http://127.0.0.1:9"}')
    config = rival / "modelyard.yaml"
    config.write_text(config.read_text().replace("    target: local\n    port: 8080\n", "    port: 8080\n", 1))
    want(rival, "v1.1.0")
    done = tool(rival, "deploy", "--json", expect=2)
    staging, production = json.loads(done.stdout)
    assert staging["live"] == "v1.1.0" and "failed: " in production["skipped"]
    lines = {line["environment"]: line for line in json.loads(tool(rival, "status", "--json").stdout)}
    assert lines["staging"]["sync"] == "in sync" and lines["production"]["sync"] == "unknown"
