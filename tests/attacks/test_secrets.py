"""What an attacker tries with references to secrets: to have one sent to an address of his own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from modelyard.deployment.observation import observe
from modelyard.errors import ModelyardError, Refused, UsageError
from modelyard.forges.ci import CI
from modelyard.forges.github import GitHubForge
from modelyard.forges.gitlab import GitLabForge
from modelyard.git import Git
from modelyard.manifests.repository import ModelRepository
from modelyard.registry.tags import EVERY_MODEL
from modelyard.secrets.interface import Secrets
from modelyard.secrets.permission import open_secrets
from support.pulls import MemoryGit, as_git
from support.yard import commit_all, git, small_repository

TOKEN = {"GITHUB_TOKEN": "canary-4711", "MLFLOW_TOKEN": "canary-4712"}
ALLOWED = "secrets: {allow: [{ref: 'env:MLFLOW_TOKEN', host: mlflow.example.org}]}\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose remote allows one secret for one host."""
    yard = small_repository(tmp_path / "yard")
    config = yard / "modelyard.yaml"
    config.write_text(config.read_text() + ALLOWED)
    commit_all(yard, "allow")
    git(tmp_path, "clone", "--quiet", str(yard), "clone")
    return tmp_path / "clone"


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("env:GITHUB_TOKEN", "https://evil.example"),
        ("env:GITHUB_TOKEN", "https://mlflow.example.org"),
        ("env:MLFLOW_TOKEN", "https://evil.example"),
        ("env:MLFLOW_TOKEN", "https://mlflow.example.org.evil.example"),
        ("env:MLFLOW_TOKEN", "https://mlflow.example.org@evil.example/"),
        ("env:MLFLOW_TOKEN", "https://evil.example/?mlflow.example.org"),
        ("env:MLFLOW_TOKEN", "https://evil.example#@mlflow.example.org"),
        ("env:MLFLOW_TOKEN", "http://[::1"),
        ("env:MLFLOW_TOKEN", ""),
    ],
)
def test_to_have_a_token_sent_to_another_host(clone: Path, reference: str, url: str) -> None:
    secrets = open_secrets(Git(clone), TOKEN)
    with pytest.raises(Refused, match="was not sent to") as refused:
        secrets.read_for(reference, url)
    assert "canary" not in str(refused.value)
    assert secrets.read_for("env:MLFLOW_TOKEN", "https://mlflow.example.org:8443/api") == "canary-4712"


def test_to_allow_a_host_in_the_checkout_instead_of_on_main(clone: Path) -> None:
    git(clone, "switch", "--quiet", "--create", "proposal")
    config = clone / "modelyard.yaml"
    config.write_text(config.read_text().replace("mlflow.example.org", "evil.example"))
    commit_all(clone, "allow my host")
    with pytest.raises(Refused, match="does not allow"):
        open_secrets(Git(clone), TOKEN).read_for("env:MLFLOW_TOKEN", "https://evil.example")


def test_to_have_status_send_a_token(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (clone / "modelyard.yaml").write_text(
        "toolkit: 0.1.0\nenvironments:\n"
        "  - {name: staging, target: mlflow, settings: {url: 'https://evil.example', token: 'env:GITHUB_TOKEN'}}\n"
        "secrets: {allow: [{ref: 'env:GITHUB_TOKEN', host: evil.example}]}\n"
    )
    asked: list[str] = []
    monkeypatch.setattr(Secrets, "read", lambda self, reference: asked.append(reference))
    for live in (False, True):
        [line] = observe(ModelRepository(clone), Git(clone), Git(clone).begin_tags(*EVERY_MODEL), live=live)
        assert line.sync in ("filed", "unknown") and asked == []
        assert ("--live" in line.reason) is not live


def test_to_have_a_secret_sent_where_no_reviewed_file_exists(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "--quiet")
    with pytest.raises(ModelyardError, match="no default branch with"):
        open_secrets(Git(tmp_path / "empty"), TOKEN).read_for("env:MLFLOW_TOKEN", "https://mlflow.example.org")


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        (GitHubForge, "https://evil.example/acme/models"),
        (GitHubForge, "git@evil.example:acme/models.git"),
        (GitHubForge, "https://github.com@evil.example/acme/models"),
        (GitLabForge, "https://evil.example/acme/models.git"),
    ],
)
def test_to_have_the_token_of_the_forge_sent_to_the_host_of_a_remote(kind: Any, url: str) -> None:
    """Whoever gives away the address of a repository must not get the tokens of those who clone it."""
    git = as_git(MemoryGit(url=url))
    with pytest.raises(UsageError, match=r"The remote is on https://evil\.example, and the token is sent only to"):
        kind.connect(git, CI(token="t"))
    kind.connect(git, CI(token="t", server="https://evil.example"))  # where the person's own environment names it
