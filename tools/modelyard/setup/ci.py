"""Whether a run in CI would work: what ``modelyard doctor --ci`` looks at before one is tried."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from modelyard.dvc import driver_extra
from modelyard.errors import ModelyardError
from modelyard.git import Git
from modelyard.installation.jobs import FOLDER, TOOLKIT, remote_urls, requirement_files
from modelyard.installation.toolkit import source_of
from modelyard.manifests.repository import ModelRepository
from modelyard.setup.finding import Finding

_FILES = {"github": ".github/workflows/propose.yml", "gitlab": ".gitlab-ci.yml", "jenkins": "Jenkinsfile"}
_KEYS = ("AWS_SECRET_ACCESS_KEY", "DVC_SECRET_ACCESS_KEY", "AZURE_STORAGE_KEY", "GOOGLE_APPLICATION_CREDENTIALS_DATA")
_SECONDS = 300
_UPDATE = "modelyard update"


def examine_ci(repository: ModelRepository) -> list[Finding]:
    """The findings about CI: its files, the forge, the default branch, credentials and requirements."""
    root = repository.root
    systems = [name for name, file in _FILES.items() if (root / file).is_file()]
    if not systems:
        return [
            Finding("CI", "missing", "no workflow files", "modelyard init with --answer ci=github, gitlab or jenkins")
        ]
    return [
        Finding("CI", "ok", ", ".join(systems)),
        *_forge(repository, systems),
        *_branch(repository, systems),
        *_credentials(root),
        *_requirements(repository),
    ]


def _forge(repository: ModelRepository, systems: list[str]) -> list[Finding]:
    forge = repository.config.forge
    other = next((name for name in systems if name in ("github", "gitlab") and name != forge), None)
    if other:
        remedy = f"forge: {other} in modelyard.yaml, or remove {_FILES[other]}."
        return [Finding("forge", "missing", f"modelyard.yaml says {forge}, the workflows are of {other}", remedy)]
    git = Git(repository.root)
    remote = git.remote()
    host = _host(git.remote_url(remote)) if remote else ""
    known = next((name for name in ("github", "gitlab") if host == f"{name}.com"), forge)
    if known != forge:
        return [Finding("forge", "missing", f"modelyard.yaml says {forge}, the remote is {host}", f"forge: {known}")]
    return [Finding("forge", "ok", forge)]


def _branch(repository: ModelRepository, systems: list[str]) -> list[Finding]:
    """The workflows of GitHub and Jenkins name the branch; GitLab knows its default branch."""
    default = repository.config.default_branch
    if "github" not in systems and "jenkins" not in systems:
        return []
    file = _FILES["github" if "github" in systems else "jenkins"]
    text = (repository.root / file).read_text(encoding="utf-8")
    found = re.search(r"branches: \[([^\]]+)\]|when \{ branch '([^']+)'", text)
    named = (found[1] or found[2]) if found else ""
    if named != default:
        what = f"modelyard.yaml says {default}, {file} says {named or 'none'}"
        return [
            Finding("default branch", "missing", what, "Write the same branch in both, and in the other workflows.")
        ]
    return [Finding("default branch", "ok", default)]


def _credentials(root: Path) -> list[Finding]:
    urls = remote_urls(root)
    if not urls:
        return []
    name, url = next(iter(urls.items()))
    extra = driver_extra(url)
    files = [*(root / ".github/workflows").glob("*.yml"), root / ".gitlab-ci.yml", root / "Jenkinsfile"]
    texts = "\n".join(file.read_text(encoding="utf-8") for file in files if file.is_file())
    static = [key for key in _KEYS if re.search(rf"secrets\.{key}\b|\${{?{key}\b|credentials\('{key}'", texts)]
    oidc = "id-token: write" in texts or "id_tokens:" in texts
    config = (root / ".dvc" / "config").read_text(encoding="utf-8")
    if extra == "s3" and static and not oidc and "endpointurl" not in config:
        remedy = (
            "Let the CI take a role by its OpenID token (permission id-token: write and"
            " aws-actions/configure-aws-credentials; GitLab: id_tokens), and remove the keys."
        )
        return [Finding("credentials", "warning", f"static keys of S3 ({', '.join(static)}) in the workflows", remedy)]
    if extra in ("gs", "azure") and not oidc and not any(key in texts for key in _KEYS[2:]):
        remedy = f"Give the jobs credentials of {url.partition('://')[0]}, best by the CI's OpenID token."
        return [Finding("credentials", "missing", f"the workflows have none for the remote {name}", remedy)]
    return []


def _requirements(repository: ModelRepository) -> list[Finding]:
    folder = repository.root / FOLDER
    try:
        wanted = requirement_files(repository, source_of(repository.root))
    except ModelyardError as error:
        return [Finding(FOLDER, "missing", error.problem, error.remedy)]
    absent = [name for name in [*wanted, "install.sh"] if not (folder / name).is_file()]
    if absent:
        return [Finding(FOLDER, "missing", f"without {', '.join(absent)}", _UPDATE)]
    findings = []
    locks = {name: (folder / name).read_text(encoding="utf-8") for name in wanted}
    unlocked = [name for name, text in locks.items() if name != TOOLKIT and not _is_locked(text)]
    if unlocked:
        findings.append(Finding(FOLDER, "missing", f"without hashes: {', '.join(unlocked)}", _UPDATE))
    other = [name for name, text in locks.items() if name != TOOLKIT and name not in unlocked and text != wanted[name]]
    if other:
        found = f"not what this repository needs: {', '.join(other)}"
        findings.append(Finding(FOLDER, "warning", found, _UPDATE))
    if not re.search(r"--hash=sha256:[0-9a-f]{64}|@[0-9a-f]{40}\s*$", locks[TOOLKIT]):
        remedy = "Run modelyard update with a modelyard that came from an index, or name a commit of Git."
        findings.append(Finding(f"{FOLDER}/{TOOLKIT}", "warning", "the toolkit has no hash and no commit", remedy))
    if fault := _install_fault(folder, sorted(locks)):
        remedy = "Let CI's index have these packages (UV_DEFAULT_INDEX), or change where the toolkit comes from."
        findings.append(Finding("installation", "missing", fault, remedy))
    return findings or [Finding(FOLDER, "ok", "locked, can be installed")]


def _is_locked(text: str) -> bool:
    pins = re.findall(r"^[A-Za-z0-9].*", text, re.MULTILINE)
    return all("==" in pin and pin.endswith("\\") for pin in pins)


def _install_fault(folder: Path, names: list[str]) -> str:
    """What uv says when it cannot find the packages of the requirement files; '' when it can. Installs nothing."""
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        command = [sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--quiet", "--no-deps"]
        command += ["--target", scratch, *(part for name in names for part in ("--requirement", str(folder / name)))]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            return f"the index did not answer within {_SECONDS} seconds"
    said = [line.strip(" ×╰─▶│├") for line in done.stderr.splitlines() if line.strip()]
    return " ".join(said[:3]) if done.returncode else ""


def _host(url: str) -> str:
    if "://" in url:
        return urlsplit(url).hostname or ""
    return url.partition(":")[0].rpartition("@")[2] if ":" in url else ""
