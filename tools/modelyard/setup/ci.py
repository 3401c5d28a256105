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
from modelyard.forges.discovery import open_pull_forge
from modelyard.forges.interface import ForgeSettings
from modelyard.git import Git
from modelyard.installation.environments import said_by_uv
from modelyard.installation.jobs import FOLDER, TOOLKIT, remote_urls, requirement_files
from modelyard.installation.toolkit import source_of
from modelyard.manifests.location import CONFIG
from modelyard.manifests.repository import ModelRepository
from modelyard.setup.finding import Finding
from modelyard.setup.forge_environments import ROLES, examine_environments, is_shared, without_role
from modelyard.setup.forge_settings import examine_settings, of_github, of_gitlab

_FILES = {"github": ".github/workflows/propose.yml", "gitlab": ".gitlab-ci.yml", "jenkins": "Jenkinsfile"}
_S3 = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_STATIC_KEYS = {
    "s3": "AWS_SECRET_ACCESS_KEY", "azure": "AZURE_STORAGE_KEY", "gs": "GOOGLE_APPLICATION_CREDENTIALS_DATA",
}  # fmt: skip
"""Driver of a DVC remote → the variable with a key that has no end."""
_ACTION = "uses: ./.github/actions/credentials"
_GITLABS_ROLES = r"extends: [^\n]*\.role-of-"
"""How a job of GitLab names the token of .gitlab/credentials.yml."""
_SIGNING = "MODELYARD_SIGNING_KEY"
_SECONDS = 300
_UPDATE = "modelyard update"


def examine_ci(repository: ModelRepository) -> list[Finding]:
    """The findings about CI: its files, the forge, the default branch, credentials and requirements."""
    root = repository.root
    systems = [name for name, file in _FILES.items() if (root / file).is_file()]
    if not systems:
        remedy = "modelyard update --ci github, or gitlab, or jenkins"
        return [Finding("CI", "missing", "no workflow files", remedy)]
    settings, unknown = _asked(repository)
    findings = [Finding("CI", "ok", ", ".join(systems)), *_forge(repository, systems), *_branch(repository, systems)]
    if settings:
        findings += _settings(repository, systems, settings)
    findings += _trackers(repository, systems)
    return [*findings, *unknown, *_credentials(repository, settings), *_requirements(repository)]


def _asked(repository: ModelRepository) -> tuple[ForgeSettings | None, list[Finding]]:
    """What the forge is set to, or why that is not known, which is no failure."""
    forge = repository.config.forge
    if forge == "git":
        return None, []
    try:
        adapter, _ = open_pull_forge(repository, Git(repository.root))
        return adapter.settings(), []
    except ModelyardError as error:
        found = f"not known: {error.problem}"
        return None, [Finding(f"settings of {forge}", "warning", found, error.remedy)]


def _settings(repository: ModelRepository, systems: list[str], settings: ForgeSettings) -> list[Finding]:
    forge, root = repository.config.forge, repository.root
    texts = _workflows(root)
    models = (root / f"models/{name}/model.yaml" for name in repository.model_names())
    manifests = "\n".join(file.read_text(encoding="utf-8") for file in (root / CONFIG, *models))
    needed = set(re.findall(r"\benv:([A-Z_][A-Z0-9_]*)", manifests))
    if _is_s3(root) and (_is_own_store(root) or not _by_role(repository, settings, "s3")):
        needed |= set(_S3)
    if repository.config.signing and repository.config.signing.keys:
        needed.add(_SIGNING)
    wanted = None  # Jenkins has the secrets itself
    if forge in systems:
        wanted = of_github(texts, needed) if forge == "github" else of_gitlab(needed)
    findings = examine_settings(settings, forge, repository.config.default_branch, wanted)
    if forge == "github" and "github" in systems:
        findings += examine_environments(settings, _deployed(repository))
    return findings


def _trackers(repository: ModelRepository, systems: list[str]) -> list[Finding]:
    """GitHub hands a job only the secrets that its file names; GitLab and Jenkins are set up there."""
    if "github" not in systems:
        return []
    texts = _workflows(repository.root)
    tokens = (tracker.token or "" for tracker in repository.config.trackers)
    names = sorted({token.removeprefix("env:") for token in tokens if token.startswith("env:")})
    absent = [name for name in names if not re.search(rf"\b{name}: \$\{{\{{ *secrets\.", texts)]
    if not absent:
        return []
    remedy = "Add them to env of the steps comment, register and deploy, where MLFLOW_TOKEN stands."
    return [Finding("trackers", "missing", f"no workflow hands over {', '.join(absent)}", remedy)]


def _workflows(root: Path) -> str:
    files = [*(root / ".github/workflows").glob("*.yml"), root / ".gitlab-ci.yml", root / "Jenkinsfile"]
    return "\n".join(file.read_text(encoding="utf-8") for file in files if file.is_file())


def _takes_roles(workflows: str) -> bool:
    """Whether jobs get credentials by their OpenID token."""
    return "id-token: write" in workflows or "id_tokens:" in workflows


def _by_role(repository: ModelRepository, settings: ForgeSettings, extra: str) -> bool:
    """Whether every job has a role for a driver's storage, so that it needs no key."""
    texts = _workflows(repository.root)
    if _ACTION in texts:
        return without_role(settings, extra, _deployed(repository)) == []
    if re.search(_GITLABS_ROLES, texts):
        return ROLES[extra] in settings.secrets
    return _takes_roles(texts)


def _is_s3(root: Path) -> bool:
    return any(driver_extra(url) == "s3" for url in list(remote_urls(root).values())[:1])


def _is_own_store(root: Path) -> bool:
    """Whether the DVC remote is a server of one's own that speaks S3, which knows no roles."""
    config = root / ".dvc" / "config"
    return config.is_file() and "endpointurl" in config.read_text(encoding="utf-8")


def _deployed(repository: ModelRepository) -> list[str]:
    return [environment.name for environment in repository.config.environments]


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


def _credentials(repository: ModelRepository, settings: ForgeSettings | None) -> list[Finding]:
    """What the jobs get for the DVC remote: roles where they may take them, static keys as the fallback."""
    root = repository.root
    name, url = next(iter(remote_urls(root).items()), ("", ""))
    extra = driver_extra(url) or ""
    texts = _workflows(root)
    key = _STATIC_KEYS.get(extra)
    if key is None or (extra == "s3" and _is_own_store(root)):
        return []
    if _ACTION in texts:
        lacking = without_role(settings, extra, _deployed(repository)) if settings else None
        if lacking or lacking is None:
            return [_keys_of_github(extra, lacking)]
        if settings and is_shared(settings, extra):
            said = f"{ROLES[extra]} is a variable of the repository, so what runs a model's code has the same role"
            remedy = f"Set it in each environment, with a role of its own: gh variable set {ROLES[extra]} --env NAME"
            return [Finding("credentials", "warning", said, remedy)]
        if kept := sorted(of_github(texts, _S3).needed & settings.secrets) if settings else []:
            said = f"each job takes a role, and {', '.join(kept)} is kept"
            return [Finding("credentials", "warning", said, "Remove it: gh secret delete NAME, also with --env NAME.")]
        return [Finding("credentials", "ok", f"each job takes a role ({ROLES[extra]})")]
    if _takes_roles(texts):
        return []
    if settings and key not in settings.secrets and _by_role(repository, settings, extra):
        return [Finding("credentials", "ok", f"each job takes a role ({ROLES[extra]})")]
    by_gitlab = (root / _FILES["gitlab"]).is_file()  # its jobs get the project's variables, and name none
    known = settings.secrets if settings and by_gitlab else frozenset[str]()
    if key in known or re.search(rf"\b{key}: \$\{{\{{|\$\{{?{key}\b|credentials\('{key}'", texts):
        remedy = (
            "Let the CI take a role by its OpenID token (modelyard update brings the action credentials of GitHub, and"
            f" .gitlab/credentials.yml, which reads {ROLES[extra]}), and remove the key."
        )
        return [Finding("credentials", "warning", f"a static key of {extra} ({key}) in the workflows", remedy)]
    if extra == "s3" or (by_gitlab and (settings is None or not settings.every_secret)):
        return []  # S3's drivers find roles of the runner; what GitLab's jobs get is not known
    remedy = f"Give the jobs credentials of {url.partition('://')[0]}, best by the CI's OpenID token."
    return [Finding("credentials", "missing", f"the workflows have none for the remote {name}", remedy)]


def _keys_of_github(extra: str, lacking: list[str] | None) -> Finding:
    """What is said where not every environment of GitHub has a role; None: the variables are not known."""
    variable = ROLES[extra]
    remedy = (
        f"Set {variable} (gh variable set {variable} --env NAME) to a role that trusts repo:ORG/REPO:environment:NAME,"
        " and remove the key: docs/systems/github-actions.md."
    )
    if lacking is None:
        found = f"whether {variable} is set is not known; without it the jobs use static keys"
        return Finding("credentials", "warning", found, remedy)
    if extra != "s3":  # the workflows hand over keys of S3 only
        return Finding("credentials", "missing", f"no role and no key in {', '.join(lacking)}", remedy)
    return Finding("credentials", "warning", f"static keys of S3, no role in {', '.join(lacking)}", remedy)


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
    return " ".join(said_by_uv(done.stderr)[:3]) if done.returncode else ""


def _host(url: str) -> str:
    if "://" in url:
        return urlsplit(url).hostname or ""
    return url.partition(":")[0].rpartition("@")[2] if ":" in url else ""
