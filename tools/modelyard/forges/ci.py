"""The CI system that runs this process, by its environment variables."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from modelyard.errors import ModelyardError, UsageError
from modelyard.git import Git

TIMEOUT = "MODELYARD_FORGE_TIMEOUT"
REGISTERING, MEASURING = "modelyard", "measure"
JOB_ENVIRONMENTS = (REGISTERING, MEASURING, "cloud-runner")
"""Environments of GitHub whose jobs deploy nothing: they register and watch, run models' code, start machines."""
_DEFAULT_SECONDS = 30.0
_EVENT_LIMIT = 5_000_000


@dataclass(frozen=True)
class CI:
    """The forge of this run, and how to reach it. Unknown values are empty."""

    server: str = ""
    """Base URL, such as https://github.com."""
    api: str = ""
    """Base URL of the API."""
    repository: str = ""
    """owner/name; on GitLab the path of the project."""
    token: str = ""
    user: str = ""
    """The user name for the token over HTTPS."""
    run: str = ""
    """URL of the page of this run."""
    pipeline: str = ""
    """The number of this pipeline; of GitLab only."""
    event: Path | None = None
    """The file with the event that started the run."""
    timeout: float = _DEFAULT_SECONDS
    """Seconds for one request."""

    def git_settings(self) -> dict[str, str]:
        """Environment variables with which git sends the token. The token is in no command line and in no file."""
        if not (self.token and self.server.startswith("https://")):
            return {}
        secret = base64.b64encode(f"{self.user}:{self.token}".encode()).decode()
        return {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{self.server}/.extraheader",
            "GIT_CONFIG_VALUE_0": f"AUTHORIZATION: basic {secret}",
        }


def read_ci(environ: Mapping[str, str]) -> CI:
    """The CI system of an environment. ``MODELYARD_TOKEN`` takes precedence over the CI system's own token."""
    timeout = _timeout(environ.get(TIMEOUT, ""))
    own = environ.get("MODELYARD_TOKEN", "")
    if environ.get("CI_SERVER_URL"):
        return CI(
            server=environ["CI_SERVER_URL"].rstrip("/"),
            api=environ.get("CI_API_V4_URL", "").removesuffix("/api/v4"),
            repository=environ.get("CI_PROJECT_PATH", ""),
            token=own or environ.get("GITLAB_TOKEN", ""),
            user="oauth2",
            run=environ.get("CI_PIPELINE_URL", "") or environ.get("BUILD_URL", ""),
            pipeline=environ.get("CI_PIPELINE_ID", ""),
            timeout=timeout,
        )
    server = environ.get("GITHUB_SERVER_URL", "").rstrip("/")
    repository = environ.get("GITHUB_REPOSITORY", "")
    run = environ.get("GITHUB_RUN_ID", "")
    event = environ.get("GITHUB_EVENT_PATH", "")
    return CI(
        server=server,
        api=environ.get("GITHUB_API_URL", "").rstrip("/"),
        repository=repository,
        token=own or environ.get("GITHUB_TOKEN", ""),
        user="x-access-token",
        run=f"{server}/{repository}/actions/runs/{run}" if run else environ.get("BUILD_URL", ""),
        event=Path(event) if event else None,
        timeout=timeout,
    )


def repository_of(url: str) -> tuple[str, str]:
    """Server and owner/name in a remote's URL: https, ssh or scp-like. Empty strings for a local path, or
    an invalid URL.
    """
    if "://" in url:
        try:
            parts = urlsplit(url)
            number = parts.port
        except ValueError:  # not a valid address or port
            return "", ""
        if not parts.hostname or parts.scheme == "file":
            return "", ""
        port = f":{number}" if number and parts.scheme == "https" else ""
        return f"https://{parts.hostname}{port}", parts.path.strip("/").removesuffix(".git")
    host, colon, path = url.partition(":")
    if not colon or "/" in host:
        return "", ""
    return f"https://{host.rpartition('@')[2]}", path.strip("/").removesuffix(".git")


def place_of(ci: CI, git: Git, public: str, variable: str) -> tuple[str, str]:
    """Server and owner/name of the forge: those of this run of CI, else those of the remote; owner/name may be ''.

    UsageError for a server that neither is ``public`` nor was named by the environment: whoever writes a repository's
    address would get the token.
    """
    server, repository = ci.server, ci.repository
    if not repository:
        remote = git.remote()
        server, repository = repository_of(git.remote_url(remote) if remote else "")
    if server not in ("", public, ci.server):
        raise UsageError(
            f"The remote is on {server}, and the token is sent only to {public}.",
            f"If that server is yours, say so: export {variable}={server}",
        )
    return server or public, repository


def read_event(path: Path | None) -> dict[str, Any]:
    """The event that started a workflow; UsageError without an event."""
    if path is None:
        raise UsageError(
            "GITHUB_EVENT_PATH is not set, so there is no workflow event.", "Give the pull request: --pull NUMBER."
        )
    try:
        if path.stat().st_size > _EVENT_LIMIT:
            raise ModelyardError(f"The event in {path} has more than {_EVENT_LIMIT:,} bytes.", "Run the job again.")
        event = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelyardError(f"The event in {path} cannot be read: {error}.", "Run the job again.") from error
    if not isinstance(event, dict):
        raise ModelyardError(f"The event in {path} is not a JSON object.", "Run the job again.")
    return event


def _timeout(text: str) -> float:
    try:
        seconds = float(text) if text else _DEFAULT_SECONDS
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 600:
        raise UsageError(f"{TIMEOUT} is {text!r}.", "Set it to a number of seconds from 1 to 600, or unset it.")
    return seconds
