"""The Copier template of a new model repository."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from modelyard import __version__
from modelyard.errors import ModelyardError, UsageError, missing_extra, near_match
from modelyard.files import write_whole
from modelyard.git import Git
from modelyard.installation.jobs import FOLDER, write_requirements
from modelyard.installation.lock import shipped
from modelyard.installation.toolkit import checked_source, own_source, source_of
from modelyard.manifests.document import read_document
from modelyard.manifests.location import ANSWERS, CONFIG
from modelyard.manifests.repository import ModelRepository

QUESTIONS = (
    "repository_name", "ci", "forge", "cml", "cloud_runner", "owner", "remote_url", "policy", "example",
    "staging_port", "production_port", "toolkit",
)  # fmt: skip
CI_SYSTEMS = ("github", "gitlab", "jenkins")
EXAMPLES = ("flights", "digits", "none")
_BRANCH = {
    CONFIG: (b"default_branch: main",),
    ".github": (b"branches: [main]", b"origin/main"),
    "Jenkinsfile": (b"branch 'main'", b"BRANCH_NAME == 'main'"),
}
"""Where the template's files name the default branch."""
_DECISIONS = ("cml", "cloud_runner")
_YES_NO = {"yes": True, "true": True, "no": False, "false": False}
_OF_CI = (
    ".github/workflows",
    ".github/actions",
    ".github/zizmor.yml",
    ".gitlab-ci.yml",
    ".gitlab-ci.runners.yml",
    ".gitlab",
    "Jenkinsfile",
)


def write_repository(folder: Path, answers: Sequence[str], ask: bool) -> str:
    """Renders the template into a missing or empty folder, with git, DVC's settings and a first commit.

    The SHA of that commit. UsageError for a folder with files or an unknown answer. After any error the folder is as
    it was before.
    """
    if folder.exists() and any(folder.iterdir()):
        here = "is already a model repository" if (folder / CONFIG).exists() else "is not empty"
        raise UsageError(f"{folder} {here}.", "Choose a new or empty folder.")
    data = dict(_answer(text) for text in answers)
    data.setdefault("repository_name", folder.resolve().name)
    if "toolkit" in data:
        checked_source(str(data["toolkit"]))
    try:
        from copier import run_copy
        from copier.errors import CopierError
    except ImportError as error:
        raise missing_extra("init", "copier") from error
    place = folder.resolve()
    # The repository is made beside the folder and moved there at the end, so that a killed init leaves no half of it.
    beside = place.with_name(f".{place.name}.modelyard-init")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="modelyard-") as scratch:
            run_copy(
                str(_copied_template(shipped, Path(scratch))),
                str(beside),
                data={**data, "toolkit_version": __version__},
                user_defaults={"toolkit": own_source()},
                defaults=not ask,
                quiet=True,
                cleanup_on_error=False,
            )
        git = Git(beside)
        git.start()
        if _example(beside, data) == "digits":
            from modelyard.setup.digits import add_digits

            add_digits(beside)
        if (beside / FOLDER).is_dir():
            write_requirements(ModelRepository(beside), source_of(beside))
        commit = git.commit_all("A model repository, written by modelyard init")
        beside.replace(place)  # an empty folder may be there
    except (CopierError, ValueError, OSError, ModelyardError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        if isinstance(error, ModelyardError):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelyardError(
            f"The template cannot be rendered into {folder}: {reason}",
            "Correct the cause or the --answer, then run it again.",
        ) from error
    return commit


def _example(folder: Path, data: dict[str, str | int]) -> str:
    """The example that was chosen, also by an answer to a question."""
    answers = folder / ANSWERS
    if not answers.is_file():
        return str(data.get("example", EXAMPLES[0]))
    return str(read_document(folder, ANSWERS).value.get("example", EXAMPLES[0]))


def update_requirements(root: Path) -> list[str]:
    """Writes ``requirements/`` for this toolkit and for what the repository needs; returns the changed paths."""
    changed = write_requirements(ModelRepository(root), source_of(root))
    script = shipped("model-repo-template/requirements/install.sh").read_bytes()
    path = root / FOLDER / "install.sh"
    if not path.is_file() or path.read_bytes() != script:
        write_whole(path, script)
        changed.append(f"{FOLDER}/install.sh")
    return changed


def add_ci(root: Path, ci: str) -> list[str]:
    """Writes the workflows of a CI system as ``init`` does; returns the new paths. A file that is there is kept."""
    config = ModelRepository(root).config
    data = answers_of(root) | {"ci": ci, "forge": ci if ci in ("github", "gitlab") else config.forge}
    written = []
    for path, content in rendered(shipped, data, __version__, config.default_branch).items():
        place = root / path
        if any(path == name or path.startswith(f"{name}/") for name in _OF_CI) and not place.exists():
            write_whole(place, content)
            written.append(path)
    if (root / ANSWERS).is_file():
        text = (root / ANSWERS).read_text(encoding="utf-8")
        write_whole(root / ANSWERS, re.sub(r"(?m)^ci: .*$", f'ci: "{ci}"', text).encode())
    return written


def answers_of(root: Path) -> dict[str, object]:
    """The answers that a repository was written from; none where it has no file of them."""
    given = read_document(root, ANSWERS).value if (root / ANSWERS).is_file() else {}
    return {key: given[key] for key in QUESTIONS if key in given}


def rendered(
    place_of: Callable[[str], Path], data: Mapping[str, object], version: str, branch: str
) -> dict[str, bytes]:
    """Path → content of the template of one toolkit, which ``place_of`` finds, for answers and a default branch.

    It is what ``init`` writes except for the requirement files. ModelyardError when Copier cannot render it.
    """
    try:
        from copier import run_copy
        from copier.errors import CopierError
    except ImportError as error:
        raise missing_extra("init", "copier") from error
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        template, into = Path(scratch, "template"), Path(scratch, "rendered")
        template.mkdir()
        answers = {**data, "toolkit_version": version}
        try:
            run_copy(str(_copied_template(place_of, template)), str(into), data=answers, defaults=True, quiet=True)
        except (CopierError, ValueError, OSError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelyardError(
                f"The template of modelyard {version} cannot be rendered: {reason}",
                f"Correct the answers in {ANSWERS}.",
            ) from error
        files = sorted(path for path in into.rglob("*") if path.is_file() and not path.is_symlink())
        found = {path.relative_to(into).as_posix(): path.read_bytes() for path in files}
    return {path: for_branch(path, content, branch) for path, content in found.items()}


def for_branch(path: str, content: bytes, branch: str) -> bytes:
    """A file of the template with the repository's own default branch, which the template calls main."""
    for before in _BRANCH.get(path.partition("/workflows/")[0], ()):
        content = content.replace(before, before.replace(b"main", branch.encode()))
    return content


def _copied_template(place_of: Callable[[str], Path], into: Path) -> Path:
    """A copy: in a checkout of the toolkit, Copier would clone the whole checkout with its untracked files."""
    shutil.copyfile(place_of("copier.yml"), into / "copier.yml")
    for name in ("model-repo-template", "policies"):
        shutil.copytree(place_of(name), into / name)
    return into


def _answer(text: str) -> tuple[str, str | int | bool]:
    key, equals, value = text.partition("=")
    if not equals or key not in QUESTIONS:
        raise UsageError(f"--answer {text!r} is not KEY=VALUE with a known key.", near_match(key, QUESTIONS))
    if key in _DECISIONS and value.lower() not in _YES_NO:
        raise UsageError(f"--answer {text!r} is neither yes nor no.", f"Write {key}=yes or {key}=no.")
    if key in _DECISIONS:
        return key, _YES_NO[value.lower()]
    return key, int(value) if key.endswith("_port") and value.isdecimal() else value
