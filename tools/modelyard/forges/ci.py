"""The CI system around this process, as its environment variables describe it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from modelyard.errors import ModelyardError, UsageError

TIMEOUT = "MODELYARD_FORGE_TIMEOUT"
_DEFAULT_SECONDS = 30.0
_EVENT_LIMIT = 5_000_000


@dataclass(frozen=True)
class CI:
    """Where a forge is, how it is asked, and what this run is about. Empty where the environment says nothing."""

    server: str = ""
    """Such as https://github.com."""
    api: str = ""
    repository: str = ""
    """owner/name; on GitLab the project's path."""
    token: str = ""
    user: str = ""
    """The user name that goes with the token over HTTPS."""
    run: str = ""
    """The page of this run."""
    event: Path | None = None
    timeout: float = _DEFAULT_SECONDS

    def git_settings(self) -> dict[str, str]:
        """Environment variables that let git push with the token; they reach no process list and no file."""
        if not (self.token and self.server.startswith("https://")):
            return {}
        secret = base64.b64encode(f"{self.user}:{self.token}".encode()).decode()
        return {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{self.server}/.extraheader",
            "GIT_CONFIG_VALUE_0": f"AUTHORIZATION: basic {secret}",
        }


def read_ci(environ: Mapping[str, str]) -> CI:
    """What the environment says. ``MODELYARD_TOKEN`` comes before the CI system's own token."""
    timeout = _timeout(environ.get(TIMEOUT, ""))
    own = environ.get("MODELYARD_TOKEN", "")
    if environ.get("CI_SERVER_URL"):
        return CI(
            environ["CI_SERVER_URL"].rstrip("/"),
            environ.get("CI_API_V4_URL", "").removesuffix("/api/v4"),
            environ.get("CI_PROJECT_PATH", ""),
            own or environ.get("GITLAB_TOKEN", ""),
            "oauth2",
            environ.get("CI_PIPELINE_URL", ""),
            None,
            timeout,
        )
    server = environ.get("GITHUB_SERVER_URL", "").rstrip("/")
    repository = environ.get("GITHUB_REPOSITORY", "")
    run = environ.get("GITHUB_RUN_ID", "")
    event = environ.get("GITHUB_EVENT_PATH", "")
    return CI(
        server,
        environ.get("GITHUB_API_URL", "").rstrip("/"),
        repository,
        own or environ.get("GITHUB_TOKEN", ""),
        "x-access-token",
        f"{server}/{repository}/actions/runs/{run}" if run else environ.get("BUILD_URL", ""),
        Path(event) if event else None,
        timeout,
    )


def repository_of(url: str) -> tuple[str, str]:
    """Server and owner/name in a remote's URL: https, ssh or scp-like; empty strings when it names no server."""
    if "://" in url:
        parts = urlsplit(url)
        if not parts.hostname or parts.scheme == "file":
            return "", ""
        port = f":{parts.port}" if parts.port and parts.scheme == "https" else ""
        return f"https://{parts.hostname}{port}", parts.path.strip("/").removesuffix(".git")
    host, colon, path = url.partition(":")
    if not colon or "/" in host:
        return "", ""
    return f"https://{host.rpartition('@')[2]}", path.strip("/").removesuffix(".git")


def read_event(path: Path | None) -> dict[str, Any]:
    """The event that started a workflow; a UsageError when there is none to read."""
    if path is None:
        raise UsageError("There is no workflow event here.", "Name the pull request with --pull NUMBER.")
    try:
        if path.stat().st_size > _EVENT_LIMIT:
            raise ModelyardError(f"The event in {path} is larger than {_EVENT_LIMIT:,} bytes.", "Run the job again.")
        event = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelyardError(f"The event in {path} cannot be read: {error}.", "Run the job again.") from error
    if not isinstance(event, dict):
        raise ModelyardError(f"The event in {path} is no object.", "Run the job again.")
    return event


def _timeout(text: str) -> float:
    try:
        seconds = float(text) if text else _DEFAULT_SECONDS
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 600:
        raise UsageError(f"{TIMEOUT} is {text!r}.", "Set it to a number of seconds from 1 to 600, or not at all.")
    return seconds
