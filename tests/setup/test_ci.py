"""What doctor --ci says of repositories whose runs would fail, and of one whose runs would not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from modelyard.forges.ci import CI
from modelyard.forges.interface import VERDICT, ForgeEnvironment, ForgeSettings
from modelyard.git import Git
from modelyard.manifests.repository import ModelRepository
from modelyard.setup import ci
from modelyard.setup.ci import examine_ci
from modelyard.setup.finding import Finding
from modelyard.setup.remotes import examine_remotes
from support.pulls import MemoryForge
from support.yard import commit_all, git, tool, write


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new repository whose packages an index has."""
    monkeypatch.setattr(ci, "_install_fault", lambda folder, names: "")
    tool(tmp_path, "init", "yard", "--answer", "remote_url=s3://bucket/models")
    return tmp_path / "yard"


def findings(yard: Path) -> dict[str, Finding]:
    found = examine_ci(ModelRepository(yard))
    assert all(finding.remedy for finding in found if finding.state != "ok"), "each finding has its remedy"
    return {finding.what: finding for finding in found}


def remotes(yard: Path, ci: bool) -> dict[str, Finding]:
    found = examine_remotes(ModelRepository(yard), Git(yard), ci=ci)
    assert all(finding.remedy for finding in found if finding.state != "ok")
    return {finding.what: finding for finding in found}


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


ROLE = frozenset(["AWS_ROLE_ARN"])
MAIN = frozenset(["main"])


def test_static_keys_are_a_warning_where_a_role_is_possible(yard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = findings(yard)["credentials"]
    assert unknown.state == "warning" and "is not known" in unknown.found and "AWS_ROLE_ARN" in unknown.remedy
    forge = MemoryForge(known=replace(ASKED, variables=frozenset(), environments=()))
    monkeypatch.setattr(ci, "open_pull_forge", lambda repository, git: (forge, CI()))
    lacking = findings(yard)["credentials"]
    assert lacking.found == "static keys of S3, no role in measure, modelyard, staging, production"
    assert "repo:ORG/REPO:environment:NAME" in lacking.remedy
    entered = tuple(ForgeEnvironment(name, MAIN, variables=ROLE) for name in ("measure", "modelyard", "staging"))
    forge.known = replace(forge.known or ASKED, environments=entered)
    assert findings(yard)["credentials"].found == "static keys of S3, no role in production"
    entered += (ForgeEnvironment("production", MAIN, variables=ROLE),)
    forge.known = replace(forge.known, environments=entered)
    assert (
        findings(yard)["credentials"].found
        == "each job takes a role, and DVC_ACCESS_KEY_ID, DVC_SECRET_ACCESS_KEY is kept"
    )
    forge.known = replace(forge.known, secrets=frozenset())
    found = findings(yard)
    assert found["credentials"].state == found["secrets"].state == "ok", "no key is needed"


def test_a_store_of_ones_own_knows_no_roles(yard: Path) -> None:
    with (yard / ".dvc/config").open("a") as file:
        file.write("    endpointurl = https://s3.example.org\n")
    assert "credentials" not in findings(yard)


@pytest.mark.parametrize(
    ("scheme", "variable"), [("azure", "AZURE_CLIENT_ID"), ("gs", "GCP_WORKLOAD_IDENTITY_PROVIDER")]
)
def test_other_clouds_have_roles_and_no_keys(
    yard: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, variable: str
) -> None:
    edit(yard / ".dvc/config", "s3://", f"{scheme}://")
    forge = MemoryForge(known=replace(ASKED, variables=frozenset(), environments=()))
    monkeypatch.setattr(ci, "open_pull_forge", lambda repository, git: (forge, CI()))
    assert (found := findings(yard)["credentials"]).state == "missing" and "no role and no key in" in found.found
    forge.known = replace(ASKED, variables=frozenset([variable]), environments=(), secrets=frozenset())
    assert "has the same role" in findings(yard)["credentials"].found, "a variable of the repository reaches all jobs"
    own = ForgeEnvironment("measure", None, variables=frozenset([variable]))
    forge.known = replace(forge.known, environments=(own,))
    assert findings(yard)["credentials"].state == "ok"


def test_workflows_from_before_take_static_keys(yard: Path) -> None:
    for file in (yard / ".github/workflows").glob("*.yml"):
        text = (
            file.read_text()
            .replace("uses: ./.github/actions/credentials", "uses: ./own")
            .replace("id-token: write", "x: read")
        )
        file.write_text(text)
    assert "modelyard update" in findings(yard)["credentials"].remedy


def test_each_environment_of_the_forge_is_looked_at(yard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forge = MemoryForge(known=replace(ASKED, variables=ROLE, environments=()))
    monkeypatch.setattr(ci, "open_pull_forge", lambda repository, git: (forge, CI()))
    names = ("environment modelyard", "environment staging", "environment production")
    assert all("GitHub has none yet" in findings(yard)[name].found for name in names)
    forge.known = replace(forge.known or ASKED, environments=None)
    assert "may not list them" in findings(yard)["environments"].found


@pytest.mark.parametrize(
    ("file", "before", "after", "what"),
    [
        ("modelyard.yaml", "forge: github", "forge: gitlab", "forge"),
        ("modelyard.yaml", "default_branch: main", "default_branch: trunk", "default branch"),
        ("requirements/planning.txt", "--hash=", "# ", "requirements"),
    ],
)
def test_what_disagrees_is_missing(yard: Path, file: str, before: str, after: str, what: str) -> None:
    assert findings(yard)[what if what != "requirements" else "CI"].state == "ok"
    edit(yard / file, before, after)
    if what == "requirements":
        (yard / file).write_text("numpy==2.4.6\n")
    assert findings(yard)[what].state == "missing"


ASKED = ForgeSettings("main", frozenset([VERDICT]), frozenset(["DVC_ACCESS_KEY_ID", "DVC_SECRET_ACCESS_KEY"]), True)


def test_the_forge_is_asked(yard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forge = MemoryForge(known=ASKED)
    monkeypatch.setattr(ci, "open_pull_forge", lambda repository, git: (forge, CI()))
    found = findings(yard)
    assert found["default branch on github"].state == found["required status"].state == "ok"
    assert found["secrets"].found == "DVC_ACCESS_KEY_ID, DVC_SECRET_ACCESS_KEY"
    assert "nothing here needs them: ALERTS_URL" in found["optional secrets"].found
    forge.known = replace(ASKED, secrets=frozenset(["DVC_ACCESS_KEY_ID"]))
    assert "no DVC_SECRET_ACCESS_KEY" in findings(yard)["secrets"].found


def test_secrets_are_those_that_this_repository_needs(yard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ci, "open_pull_forge", lambda repository, git: (MemoryForge(known=ASKED), CI()))
    with (yard / "modelyard.yaml").open("a") as file:
        file.write("signing: {keys: [keys/a.pem]}\nsecrets: {allow: [{ref: 'env:ALERTS_URL', host: a.example}]}\n")
    absent = [f.found for f in examine_ci(ModelRepository(yard)) if f.state == "missing"]
    assert absent == ["github has no ALERTS_URL, MODELYARD_SIGNING_KEY"]


def test_a_trackers_token_that_no_workflow_hands_over_is_missing(yard: Path) -> None:
    with (yard / "modelyard.yaml").open("a") as file:
        file.write("trackers: [{type: mlflow, url: 'https://m.example', token: 'env:MLFLOW_TOKEN'}]\n")
    assert "trackers" not in findings(yard)
    edit(yard / "modelyard.yaml", "env:MLFLOW_TOKEN", "env:OWN_TOKEN")
    assert findings(yard)["trackers"].found == "no workflow hands over OWN_TOKEN"


def test_without_a_token_the_settings_are_not_known(yard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_TOKEN", "MODELYARD_TOKEN", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    git(yard, "remote", "add", "origin", "https://github.com/us/models")
    unknown = findings(yard)["settings of github"]
    assert unknown.state == "warning" and "The token for GitHub is missing" in unknown.found


def test_a_key_among_gitlabs_variables_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ci, "_install_fault", lambda folder, names: "")
    tool(tmp_path, "init", "yard", "--answer", "remote_url=s3://bucket/models", "--answer", "ci=gitlab")
    variables = frozenset(["MODELYARD_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
    known = replace(ASKED, secrets=variables)
    monkeypatch.setattr(ci, "open_pull_forge", lambda repository, git: (MemoryForge(known=known), CI()))
    found = findings(tmp_path / "yard")
    assert found["secrets"].state == "ok" and "AWS_SECRET_ACCESS_KEY" in found["credentials"].found


def test_a_role_among_gitlabs_variables_takes_the_place_of_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ci, "_install_fault", lambda folder, names: "")
    tool(tmp_path, "init", "yard", "--answer", "remote_url=s3://bucket/models", "--answer", "ci=gitlab")
    yard = tmp_path / "yard"
    assert (yard / ".gitlab/credentials.yml").is_file()
    with (yard / ".gitlab-ci.yml").open("a") as file:
        file.write("own:\n  extends: [.role-of-deploying]\n")
    forge = MemoryForge(known=replace(ASKED, secrets=frozenset(["MODELYARD_TOKEN", "AWS_ROLE_ARN"])))
    monkeypatch.setattr(ci, "open_pull_forge", lambda repository, git: (forge, CI()))
    found = findings(yard)
    assert found["credentials"].state == found["secrets"].state == "ok"
    forge.known = replace(ASKED, secrets=frozenset(["MODELYARD_TOKEN", "AWS_SECRET_ACCESS_KEY"]))
    assert "AWS_ROLE_ARN" in findings(yard)["credentials"].remedy


def test_a_remote_of_another_forge_is_seen(yard: Path) -> None:
    git(yard, "remote", "add", "origin", "git@gitlab.com:us/models.git")
    assert findings(yard)["forge"].remedy == "forge: gitlab"


def test_requirements_that_are_absent_or_cannot_be_installed(yard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ci, "_install_fault", lambda folder, names: "no version of dvc")
    assert findings(yard)["installation"].found == "no version of dvc"
    (yard / "requirements/measuring.txt").unlink()
    assert findings(yard)["requirements"].remedy == "modelyard update"


def test_folders_of_this_machine_are_no_remotes_for_ci(tmp_path: Path) -> None:
    tool(tmp_path, "init", "yard")
    yard = tmp_path / "yard"
    assert remotes(yard, True)["git remote"].found == "none" and remotes(yard, False)["git remote"].state == "warning"
    assert "folder of this machine" in remotes(yard, True)["DVC remote"].found
    assert "does not exist" in remotes(yard, False)["DVC remote"].found
    (tmp_path / "storage").mkdir()
    git(tmp_path, "init", "--quiet", "--bare", "origin.git")
    git(yard, "remote", "add", "origin", str(tmp_path / "origin.git"))
    assert "is empty" in remotes(yard, False)["git remote"].found
    git(yard, "push", "--quiet", "origin", "HEAD:refs/heads/main")
    assert {name: finding.state for name, finding in remotes(yard, False).items()} == {
        "git remote": "ok",
        "DVC remote": "ok",
    }
    assert list((tmp_path / "storage").rglob("modelyard-doctor-*")) == [], "nothing is left behind"
    git(tmp_path / "origin.git", "for-each-ref", "refs/heads/modelyard/doctor")
    assert git(tmp_path / "origin.git", "for-each-ref", "refs/heads/modelyard/doctor") == "", "nothing is pushed"
    git(yard, "remote", "set-url", "origin", str(tmp_path / "nowhere.git"))
    assert remotes(yard, False)["git remote"].state == "missing"


def test_a_remote_without_its_driver_is_one_sentence_from_every_command(tmp_path: Path) -> None:
    tool(tmp_path, "init", "yard", "--answer", "remote_url=gs://bucket/models")
    yard = tmp_path / "yard"
    assert remotes(yard, False)["DVC remote"].remedy == "pip install 'modelyard[gs]'"
    commit_all(yard, "x") if git(yard, "status", "--porcelain") else None
    for command in (["retrain", "flight-delay"], ["run", "flight-delay"]):
        said = tool(yard, *command, expect=4).stderr
        assert "modelyard[gs]" in said and "Traceback" not in said and "ImportError" not in said


@pytest.mark.parametrize(
    ("ci", "file"),
    [("github", ".github/workflows/propose.yml"), ("gitlab", ".gitlab-ci.yml"), ("jenkins", "Jenkinsfile")],
)
def test_the_remedy_for_a_repository_without_ci_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ci: str, file: str
) -> None:
    monkeypatch.setattr("modelyard.setup.ci._install_fault", lambda folder, names: "")
    yard = tmp_path / "yard"
    tool(tmp_path, "init", "yard", "--answer", "ci=none")
    assert findings(yard)["CI"].remedy == "modelyard update --ci github, or gitlab, or jenkins"
    own = yard / ".github/zizmor.yml"
    write(yard, {".github/zizmor.yml": "mine"})
    added = json.loads(tool(yard, "update", "--ci", ci, "--json").stdout)["changed"]
    assert {file, "requirements/install.sh", "requirements/planning.txt"} <= set(added) and own.read_text() == "mine"
    assert findings(yard)["CI"] == Finding("CI", "ok", ci)
    assert not [f for f in findings(yard).values() if "requirements" in f.what and f.state == "missing"]
    assert f'ci: "{ci}"' in (yard / ".copier-answers.yml").read_text()
    made = tmp_path / "made"
    tool(tmp_path, "init", "made", "--answer", f"ci={ci}", "--answer", "repository_name=yard")
    assert (yard / file).read_text() == (made / file).read_text(), "what init would have written"
    assert json.loads(tool(yard, "update", "--ci", ci, "--json").stdout)["changed"] == []


def test_the_command_ends_with_one_for_what_is_missing(tmp_path: Path) -> None:
    tool(tmp_path, "init", "yard", "--answer", "ci=none")
    shown = json.loads(tool(tmp_path / "yard", "doctor", "--ci", "--json", expect=1).stdout)
    assert {"what": "CI", "state": "missing"}.items() <= next(f for f in shown if f["what"] == "CI").items()
