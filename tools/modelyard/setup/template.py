"""The Copier template of a new model repository."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from modelyard import __version__
from modelyard.errors import ModelyardError, UsageError, missing_extra, near_match
from modelyard.files import write_whole
from modelyard.git import Git
from modelyard.installation.jobs import FOLDER, write_requirements
from modelyard.installation.lock import shipped
from modelyard.installation.toolkit import checked_source, own_source, source_of
from modelyard.manifests.location import CONFIG
from modelyard.manifests.repository import ModelRepository

QUESTIONS = (
    "repository_name", "ci", "forge", "owner", "remote_url", "policy", "staging_port", "production_port", "toolkit",
)  # fmt: skip


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
    existed = folder.exists()
    try:
        with TemporaryDirectory(prefix="modelyard-") as scratch:
            # From a copy: in a checkout of the toolkit, Copier would clone the whole checkout with its untracked files.
            template = _copied_template(Path(scratch))
            run_copy(
                str(template),
                str(folder),
                data={**data, "toolkit_version": __version__},
                user_defaults={"toolkit": own_source()},
                defaults=not ask,
                quiet=True,
                cleanup_on_error=False,
            )
        if (folder / FOLDER).is_dir():
            write_requirements(ModelRepository(folder), source_of(folder))
        git = Git(folder)
        git.start()
        return git.commit_all("A model repository, written by modelyard init")
    except (CopierError, ValueError, OSError, ModelyardError) as error:
        # The folder becomes empty or missing again, as before.
        shutil.rmtree(folder, ignore_errors=True)
        if existed:
            folder.mkdir()
        if isinstance(error, ModelyardError):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelyardError(
            f"The template cannot be rendered into {folder}: {reason}",
            "Correct the cause or the --answer, then run it again.",
        ) from error


def update_requirements(root: Path) -> list[str]:
    """Writes ``requirements/`` for this toolkit and for what the repository needs; returns the changed paths."""
    changed = write_requirements(ModelRepository(root), source_of(root))
    script = shipped("model-repo-template/requirements/install.sh").read_bytes()
    path = root / FOLDER / "install.sh"
    if not path.is_file() or path.read_bytes() != script:
        write_whole(path, script)
        changed.append(f"{FOLDER}/install.sh")
    return changed


def _copied_template(into: Path) -> Path:
    shutil.copyfile(shipped("copier.yml"), into / "copier.yml")
    for name in ("model-repo-template", "policies"):
        shutil.copytree(shipped(name), into / name)
    return into


def _answer(text: str) -> tuple[str, str | int]:
    key, equals, value = text.partition("=")
    if not equals or key not in QUESTIONS:
        raise UsageError(f"--answer {text!r} is not KEY=VALUE with a known key.", near_match(key, QUESTIONS))
    return key, int(value) if key.endswith("_port") and value.isdecimal() else value
