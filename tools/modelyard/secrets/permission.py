"""Which secrets may be sent to which hosts: what modelyard.yaml on the default branch says, never the checkout's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from modelyard.errors import ModelyardError
from modelyard.git import Git
from modelyard.manifests.configuration import Repository
from modelyard.manifests.conversion import parse
from modelyard.manifests.location import CONFIG
from modelyard.secrets.interface import Secrets

NOT_LIVE = "it is asked only with --live, because asking sends a secret"


def open_secrets(git: Git, environ: Mapping[str, str] | None = None, *, live: bool = True) -> Secrets:
    """The secrets of a clone. One is sent to a host only if the default branch allows it; without ``live``, never."""

    def why_not(reference: str, url: str) -> str:
        if not live:
            return NOT_LIVE
        host = _host(url)
        allowed = reviewed(git).secrets.allow
        if any(rule.ref == reference and rule.host.lower() == host for rule in allowed):
            return ""
        return f"{CONFIG} on the default branch does not allow {reference} for the host {host or url!r}"

    return Secrets(os.environ if environ is None else environ, why_not)


def reviewed(git: Git) -> Repository:
    """modelyard.yaml as the default branch of the remote has it; without a remote, the local default branch."""
    remote = git.remote()
    if remote is None:
        revisions = ["refs/heads/main", "refs/heads/master", "HEAD"]
    else:
        revisions = [f"refs/remotes/{remote}/{name}" for name in ("HEAD", "main", "master")]
    for revision in revisions:
        content = git.file_at(revision, CONFIG)
        if content is not None:
            return parse(Repository, content, f"{revision}:{CONFIG}")
    raise ModelyardError(
        f"This clone has no default branch with {CONFIG}, so no secret is sent anywhere.",
        "Fetch it: git fetch origin && git remote set-head origin --auto",
    )


def _host(url: str) -> str:
    try:
        return (urlsplit(url if "://" in url else f"https://{url}").hostname or "").lower()
    except ValueError:
        return ""
