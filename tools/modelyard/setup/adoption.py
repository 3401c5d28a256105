"""An existing git or DVC repository as a model repository: files that are added, files that stay, models found."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from modelyard.checkout.trust import sniff_file
from modelyard.errors import ModelyardError, UsageError
from modelyard.files import small_files
from modelyard.flavors.discovery import every_flavor
from modelyard.flavors.formats import PICKLE
from modelyard.git import Git
from modelyard.manifests.location import CONFIG
from modelyard.manifests.names import is_name
from modelyard.manifests.pipeline import Stage, read_pipeline
from modelyard.setup.template import for_branch, write_repository
from modelyard.setup.tree_change import TreeChange, carry_out, require_committed

_POINTER = b"version https://git-lfs.github.com/spec/v1"
_UNSAFE = {".pkl", ".pickle", ".joblib", ".pt", ".pth", ".h5", ".keras"}
_AMBIGUOUS = {".txt", ".json"}
"""Endings that other files have too: only the content says that one is a model."""
_TABLES = (".csv", ".parquet")
_HELD_OUT = re.compile(r"hold.?out|test|valid|eval", re.IGNORECASE)
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
_IGNORED = ".modelyard/.gitignore"
_ADVICE = {
    ".gitignore": "what modelyard writes is ignored by .modelyard/.gitignore",
    ".dvcignore": "yours stays",
    "data/.gitignore": "yours stays",
    ".dvc/config": "DVC keeps its own remote",
    "README.md": "yours stays",
    "dvc.yaml": "your stages stay; models that are added stand in models/NAME/dvc.yaml",
}
_OTHERWISE = "compare it with that of a new repository: modelyard init FOLDER"


@dataclass(frozen=True)
class FoundModel:
    """A file of the repository that looks like a model."""

    file: str
    origin: str
    """How it was found, such as ``an output of the stage train in dvc.yaml``."""
    name: str
    """A name for it, from its path."""
    holdout: str
    """A table that its name calls held out, among those that the stages read; '' where there is none."""
    problem: str
    """Why it cannot be added as it is; '' where it can."""

    @property
    def command(self) -> str:
        """The command that adds it, with a place to fill in where no table is known; '' where it cannot be added."""
        if self.problem:
            return ""
        table = shlex.quote(self.holdout) if self.holdout else "TABLE"
        return f"modelyard add {self.name} --artifact {shlex.quote(self.file)} --holdout {table}"


@dataclass(frozen=True)
class Adoption:
    """What an adoption adds, what it leaves as it is, and the models that are there."""

    change: TreeChange
    kept: tuple[tuple[str, str], ...]
    """Files that are there with another content, and what to do about each."""
    models: tuple[FoundModel, ...]


def plan_adoption(root: Path, answers: Sequence[str]) -> Adoption:
    """The plan for a checkout; nothing is written.

    UsageError for a folder that is no git checkout with a commit, has changes, or is a model repository already, and
    where a link stands in the way of a file.
    """
    root = root.resolve()
    if not (root / ".git").exists():
        raise UsageError(
            f"{root} is not the top folder of a git repository.", "Go there, or make one: git init, and a first commit."
        )
    if (root / CONFIG).exists():
        raise UsageError(f"{root} is a model repository already.", "Add models to it: modelyard add NAME …")
    git = Git(root)
    if not git.has_commits():
        raise UsageError(f"{root} has no commit.", "Commit what is there first, so that nothing can be lost.")
    require_committed(git, "adoption")
    if any(answer.startswith("example=") for answer in answers):
        raise UsageError("An adopted repository gets no example.", "Leave --answer example=… out.")
    writes, kept = _files(root, git, answers)
    for path in writes:
        _require_no_link(root, path)
    if hidden := git.ignored(*sorted(writes), "models/NAME/model.yaml"):
        kept.append((".gitignore", f"it hides {', '.join(hidden)}, so change it, or git add --all leaves them out"))
    kept += _bare_folders(root)
    return Adoption(TreeChange(writes), tuple(kept), tuple(found_models(root, git)))


def adopt(root: Path, adoption: Adoption) -> None:
    """Adds the planned files, all or none."""
    carry_out(root, adoption.change)


def found_models(root: Path, git: Git) -> Iterator[FoundModel]:
    """The outputs of DVC's stages and the files that git tracks which look like models, each once, sorted by path."""
    stages = _all_stages(root, git)
    origins: dict[str, str] = {}
    for file, stage in stages:
        for path in stage.writes:
            origins.setdefault(path, f"an output of the stage {stage.name} in {file}")
    for path in git.tracked():
        origins.setdefault(path, "kept by git")
    tables = sorted({path for _, stage in stages for path in stage.reads if path.endswith(_TABLES)})
    tracked = [path.removesuffix(".dvc") for path in origins]
    tables += [path for path in tracked if path.endswith(_TABLES) and path not in tables]
    holdout = next((path for path in tables if _HELD_OUT.search(PurePosixPath(path).name)), "")
    names: set[str] = set()
    endings = {ending for flavor in every_flavor() for ending in flavor.endings} | _UNSAFE
    for path, origin in sorted(origins.items()):
        if PurePosixPath(path).suffix.lower() not in endings or ".." in PurePosixPath(path).parts:
            continue
        looked = _looked_at(root, path)
        if looked is None:
            continue
        lfs, problem = looked
        name = _name(root, path, names)
        names.add(name)
        yield FoundModel(path, "kept by Git LFS" if lfs else origin, name, holdout, problem)


def writer_of(root: Path, git: Git, path: str) -> str:
    """The stage outside ``models/`` that writes a path, as ``the stage train in dvc.yaml``; '' for none."""
    written = (
        f"the stage {stage.name} in {file}"
        for file, stage in _all_stages(root, git)
        if path in stage.writes and not file.startswith("models/")
    )
    return next(written, "")


def _files(root: Path, git: Git, answers: Sequence[str]) -> tuple[dict[str, bytes | Path], list[tuple[str, str]]]:
    """What ``init`` would write and is not there, and what is there with another content."""
    writes: dict[str, bytes | Path] = {}
    kept = []
    branch = git.branch() or "main"
    if not _PLAIN.fullmatch(branch):
        raise UsageError(
            f"The branch {branch!r} cannot be named in workflow files.",
            "Adopt on a branch of letters and digits.",
        )
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        name = root.name if is_name(root.name) else "models"
        rendered = Path(scratch) / name
        write_repository(rendered, [*answers, "example=none"], ask=False)
        for path in sorted(path for path in rendered.rglob("*") if path.is_file() and not path.is_symlink()):
            place = path.relative_to(rendered).as_posix()
            if place.startswith(".git/"):
                continue
            content = path.read_bytes()
            content = for_branch(place, content, branch)
            if not os.path.lexists(root / place):
                writes[place] = content
            elif not (root / place).is_file() or (root / place).read_bytes() != content:
                kept.append((place, _ADVICE.get(place, _OTHERWISE)))
    if ".gitignore" not in writes and not os.path.lexists(root / _IGNORED):
        writes[_IGNORED] = b"/evidence/\n/local/\n/trackers/\n"
    return writes, kept


def _bare_folders(root: Path) -> Iterator[tuple[str, str]]:
    """Folders below ``models/`` that are no models of ours, which ``validate`` would report."""
    folder = root / "models"
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        if entry.is_dir() and not (entry / "model.yaml").is_file():
            yield f"models/{entry.name}", "validate wants model.yaml in it; move the folder, or write one"


def _require_no_link(root: Path, path: str) -> None:
    for parent in PurePosixPath(path).parents:
        if (root / parent).is_symlink():
            raise UsageError(
                f"{parent} is a symbolic link, and {path} would be written through it.", "Replace it with a folder."
            )


def _all_stages(root: Path, git: Git) -> list[tuple[str, Stage]]:
    return [stage for file in _pipelines(git) for stage in _stages(root, file)]


def _pipelines(git: Git) -> list[str]:
    return [path for path in git.tracked() if PurePosixPath(path).name == "dvc.yaml"]


def _stages(root: Path, file: str) -> list[tuple[str, Stage]]:
    read = small_files(root)
    content = read(file)
    try:
        return [(file, stage) for stage in read_pipeline(content, file, read).stages] if content is not None else []
    except ModelyardError:  # what DVC itself cannot read is for DVC to say
        return []


def _looked_at(root: Path, path: str) -> tuple[bool, str] | None:
    """Whether a file is kept by Git LFS, and why it cannot be added; None for what is no model."""
    suffix = PurePosixPath(path).suffix.lower()
    pickled = "a pickle can run code when it is loaded: save it with its library or with skops, or export it as ONNX"
    place = root / path
    if place.is_symlink() or not place.is_file():
        if suffix in _UNSAFE:
            return False, pickled
        # A name alone says too little where other files have the ending too.
        named = suffix not in _AMBIGUOUS or "model" in PurePosixPath(path).name.lower()
        return (False, "it is not in this checkout: dvc pull") if named else None
    with place.open("rb") as file:
        if file.read(len(_POINTER)) == _POINTER:
            return True, "only its pointer is here: git lfs install, then git lfs pull"
    form = sniff_file(place)
    if form == PICKLE or suffix in _UNSAFE:
        return False, pickled
    return (False, "") if any(form in flavor.formats for flavor in every_flavor()) else None


def _name(root: Path, path: str, taken: set[str]) -> str:
    """A name from the file's own, or from its folder where the file's says nothing; unlike those that are taken."""
    pure = PurePosixPath(path)
    general = {"model", "models", "artifact", "artifacts", "output", "outputs", "out", "build", "best", ""}
    candidates = [pure.stem, *(parent.name for parent in pure.parents), root.name]
    chosen = next((text for text in candidates if text.lower() not in general), "model")
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", chosen).strip("-_")[:60] or "model"
    number, name = 1, plain
    while name in taken:
        number += 1
        name = f"{plain}-{number}"
    return name
