"""Checks of the remotes of git and DVC: whether they are there, can be written to, and can be reached from CI."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from modelyard.dvc import driver_extra
from modelyard.errors import ModelyardError
from modelyard.git import Git
from modelyard.installation.extras import packages_of_extras
from modelyard.installation.jobs import remote_urls
from modelyard.manifests.repository import ModelRepository
from modelyard.setup.finding import Finding, version_of

_ADD_REMOTE = "git remote add origin URL, and push the default branch."
_ADD_STORAGE = "dvc remote add --default NAME s3://… (or gs://, azure://, ssh://)"


def examine_remotes(repository: ModelRepository, git: Git, *, ci: bool) -> list[Finding]:
    """The findings about the default remotes. With ``ci``, one that only this machine can reach is missing."""
    return [*_git(repository, git, ci), *_dvc(repository.root, ci)]


def _git(repository: ModelRepository, git: Git, ci: bool) -> list[Finding]:
    absent: Literal["missing", "warning"] = "missing" if ci else "warning"
    remote = git.remote()
    if remote is None:
        return [Finding("git remote", absent, "none", _ADD_REMOTE)]
    url = git.remote_url(remote)
    if ci and _is_local(url):
        return [Finding("git remote", "missing", "a folder of this machine", f"git remote set-url {remote} URL")]
    try:
        refs = git.remote_refs(remote, "HEAD", "refs/heads/*")
    except ModelyardError as error:
        return [Finding("git remote", "missing", f"{remote} does not answer", error.remedy)]
    if not refs:
        found = Finding("git remote", absent, f"{remote} is empty", f"git push {remote} HEAD")
        return [found]
    default = repository.config.default_branch
    if f"refs/heads/{default}" not in refs:
        remedy = f"git push {remote} {default}, or correct default_branch in modelyard.yaml."
        return [Finding("git remote", absent, f"{remote} has no branch {default}", remedy)]
    if fault := git.push_fault(remote):
        remedy = "Check the credentials of this machine and its permission to push."
        return [Finding("git remote", absent, f"{remote} accepts no push: {fault}", remedy)]
    return [Finding("git remote", "ok", f"{remote}, writable")]


def _dvc(root: Path, ci: bool) -> list[Finding]:
    absent: Literal["missing", "warning"] = "missing" if ci else "warning"
    urls = remote_urls(root)
    if not urls:
        return [Finding("DVC remote", absent, "none", _ADD_STORAGE)]
    name, url = next(iter(urls.items()))
    if ci and _is_local(url):
        remedy = f"dvc remote modify {name} url s3://… (or gs://, azure://, ssh://), then modelyard update."
        return [Finding("DVC remote", "missing", f"{name} is a folder of this machine, which CI does not have", remedy)]
    extra = driver_extra(url)
    if extra and (lacking := [p for p in packages_of_extras().get(extra, ()) if not version_of(p)]):
        remedy = f"pip install 'modelyard[{extra}]'"
        return [Finding("DVC remote", "missing", f"{name} needs {', '.join(lacking)}", remedy)]
    if not version_of("dvc"):
        return []  # the extra, which brings it, is reported
    from modelyard.dvc import Dvc

    try:
        Dvc(root).try_remote()
    except ModelyardError as error:
        return [Finding("DVC remote", absent, error.problem, error.remedy)]
    return [Finding("DVC remote", "ok", f"{name}, writable")]


def _is_local(url: str) -> bool:
    """Whether a URL names a folder: ``../storage``, ``/srv/data``, ``file:///srv/data``, but not ``host:path``."""
    before, colon, _ = url.partition(":")
    return url.startswith("file://") or not colon or "/" in before
