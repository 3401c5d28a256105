"""Checks of this machine and of this checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from modelyard.audit.mirror.writing import mirror_faults
from modelyard.checkout.checkout import Checkout
from modelyard.deployment.observation import protection
from modelyard.dvc import driver_extra
from modelyard.errors import ModelyardError, Refused
from modelyard.git import Git
from modelyard.installation.extras import packages_of_extras
from modelyard.installation.jobs import remote_urls
from modelyard.manifests.repository import ModelRepository
from modelyard.setup.ci import examine_ci
from modelyard.setup.finding import Finding, version_of
from modelyard.setup.remotes import examine_remotes

MINIMUM_FREE_BYTES = 2_000_000_000
_EXTRAS = ("train", "measure", "report", "serve", "sign", "init", "github", "gitlab", "example")


def examine(folder: Path, *, ci: bool = False) -> list[Finding]:
    """The findings about Python, git, the extras and the disk, and, inside a model repository, about the checkout.

    With ``ci`` those about its CI instead; UsageError outside of a model repository.
    """
    if ci:
        repository = ModelRepository.find(folder)
        return [*examine_remotes(repository, Git(repository.root), ci=True), *examine_ci(repository)]
    findings = [_python(), *_git(folder), *_extras(_EXTRAS), _disk(folder)]
    try:
        repository = ModelRepository.find(folder)
    except Refused as error:  # it was written for a newer toolkit
        return [*findings, Finding("model repository", "missing", error.problem, error.remedy)]
    except ModelyardError as error:
        return [
            *findings,
            Finding("model repository", "warning", "this folder is not in a model repository", error.remedy),
        ]
    return [*findings, *_extras(_own_extras(repository)), *_cml(repository), *_checkout(repository)]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", "ok", version)  # an older Python cannot install this package


def _git(folder: Path) -> list[Finding]:
    if not shutil.which("git"):
        return [Finding("git", "missing", "not on PATH", "Install git 2.38 or newer: apt-get install git")]
    findings = [Finding("git", "ok", _git_output(folder, "--version").removeprefix("git version "))]
    for key in ("user.name", "user.email"):
        # Not by Git, which needs a repository: the global settings count before there is one.
        if value := _git_output(folder, "config", "--get", key):
            findings.append(Finding(f"git {key}", "ok", value))
        else:
            findings.append(Finding(f"git {key}", "missing", "not set", f'git config --global {key} "…"'))
    return findings


def _git_output(folder: Path, *arguments: str) -> str:
    place = folder if folder.is_dir() else None
    done = subprocess.run(["git", *arguments], cwd=place, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _extras(extras: Iterable[str]) -> list[Finding]:
    packages = packages_of_extras()
    findings = []
    for extra in extras:
        versions = {name: version_of(name) for name in packages.get(extra, ())}
        absent = [name for name, version in versions.items() if not version]
        if absent:
            remedy = f"pip install 'modelyard[{extra}]'"
            findings.append(Finding(f"extra {extra}", "warning", f"missing: {', '.join(absent)}", remedy))
        else:
            found = ", ".join(f"{name} {version}" for name, version in list(versions.items())[:2])
            findings.append(Finding(f"extra {extra}", "ok", found))
    return findings


def _own_extras(repository: ModelRepository) -> list[str]:
    """The extras of this repository's remotes and models. A manifest with faults is validate's to report."""
    remotes = {driver_extra(url) for url in remote_urls(repository.root).values()} - {None}
    flavors = set()
    if version_of("numpy"):  # flavors import it; the extra measure, which brings it, is reported above
        from modelyard.scoring.signature import flavor_of

        for name in repository.model_names():
            with suppress(ModelyardError):
                flavors.add(flavor_of(repository.model(name)).extra)
    return sorted(extra for extra in {*remotes, *flavors} if extra and extra not in _EXTRAS)


def _cml(repository: ModelRepository) -> list[Finding]:
    """Of a repository whose reports CML posts: whether its workflows install it."""
    try:
        config = repository.config
    except ModelyardError:
        return []  # validate's to report
    if config.forge != "github" or not config.cml:
        return []
    if (repository.root / ".github/actions/cml/action.yml").is_file() or shutil.which("cml"):
        return [Finding("cml", "ok", "posts the reports")]
    remedy = "Add .github/actions/cml/action.yml, or write cml: false into modelyard.yaml. The API posts the reports."
    return [Finding("cml", "warning", "no workflow installs it", remedy)]


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder if folder.is_dir() else Path()).free
    if free >= MINIMUM_FREE_BYTES:
        return Finding("disk", "ok", f"{free / 1e9:.0f} GB free")
    return Finding("disk", "warning", f"{free / 1e9:.1f} GB free", "Free space: DVC keeps every version that it pulls.")


def _checkout(repository: ModelRepository) -> list[Finding]:
    git = Git(repository.root)
    findings = [Finding("model repository", "ok", str(repository.root))]
    if not git.has_commits():
        return [*findings, Finding("commits", "missing", "no commit yet", "Make the first commit.")]
    if git.is_shallow():
        remedy = "git fetch --unshallow --tags (in a workflow: fetch-depth: 0)"
        findings.append(Finding("history", "warning", "shallow clone", remedy))
    if unprotected := protection(git):
        remedy = "Add policies/approvals.yaml, and have every change of it reviewed."
        findings.append(Finding("approvals", "warning", unprotected, remedy))
    findings += _mirror(repository)
    branch = git.branch()
    if branch is None:
        findings.append(Finding("branch", "warning", "detached head", "Run git switch BRANCH before you commit."))
    if (repository.root / ".dvc" / "config").is_file():
        findings.append(Finding("DVC settings", "ok", ".dvc/config"))
        findings += examine_remotes(repository, git, ci=False)
    else:
        findings.append(Finding("DVC settings", "missing", "no .dvc/config", "dvc init"))
    return findings


def _mirror(repository: ModelRepository) -> list[Finding]:
    """Of a repository that has one: what its mirror lacks of this clone."""
    try:
        wanted = repository.config.mirror
    except ModelyardError:
        return []  # validate's to report
    if wanted is None:
        return []
    faults = mirror_faults(Checkout(repository.root))
    findings = [Finding("mirror", "warning", fault.sentence, fault.remedy) for fault in faults]
    return findings or [Finding("mirror", "ok", wanted.url)]
