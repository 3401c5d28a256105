"""The toolkit's newer template, brought into a repository: what changes, and what stays because it is the team's."""

from __future__ import annotations

import difflib
import fnmatch
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from modelyard import __version__
from modelyard.checkout.checkout import Checkout
from modelyard.errors import ModelyardError, UsageError, missing_extra
from modelyard.forges.discovery import open_pull_forge
from modelyard.git import Git
from modelyard.installation.environments import said_by_uv
from modelyard.installation.jobs import FOLDER, TOOLKIT, requirement_files
from modelyard.installation.lock import shipped
from modelyard.installation.toolkit import INDEX, checked_source, own_source, source_of
from modelyard.manifests.location import ANSWERS, CONFIG
from modelyard.manifests.repository import ModelRepository
from modelyard.report.markdown.safe import code, code_line, fold, text
from modelyard.review.pull_requests import Proposed, open_proposed, pull_body, push_proposed
from modelyard.setup.template import answers_of, rendered
from modelyard.setup.tree_change import TreeChange, require_committed

BRANCH = "modelyard/update"
_SECONDS = 300
_LINES = 120
"""Lines of one difference that the pull request shows; a forge takes about 65,000 characters."""
_SHOWN = 20
"""Files whose difference it shows."""


@dataclass(frozen=True)
class TemplateUpdate:
    """The files of a newer template as they are to be in one repository."""

    before: str
    after: str
    """Versions of the toolkit."""
    files: Mapping[str, bytes | None]
    """Path → content; None where the newer template has no such file any more."""
    merged: tuple[str, ...]
    """Files that the team changed too, in other lines."""
    kept: Mapping[str, str]
    """Files that stay as the team has them, because both sides changed the same lines → the template's change."""

    @property
    def change(self) -> TreeChange:
        """The files as a change of the checkout."""
        writes: dict[str, bytes | Path] = {path: content for path, content in self.files.items() if content is not None}
        return TreeChange(writes, tuple(path for path, content in self.files.items() if content is None))

    @property
    def proposed(self) -> Proposed:
        """The files as a pull request."""
        title = f"Update the template from modelyard {self.before} to {self.after}"
        return Proposed(BRANCH, title, _body(self, title), self.files)


@dataclass(frozen=True)
class OpenedUpdate:
    """Where an update is reviewed: its branch, and the number of its pull request where the forge has such."""

    branch: str
    number: int | None


def plan_update(
    repository: ModelRepository, git: Git, toolkit: str = "", ci: str | None = None
) -> TemplateUpdate | None:
    """The update of a clean checkout to this toolkit's template; None where the repository has that version already.

    The base of the merge is the template of the version that the repository was written for. It comes from where CI
    installs the toolkit from. ``toolkit`` is where CI shall install the newer one from; '' for what this one was
    installed from. ModelyardError when the older toolkit cannot be had; UsageError for changes that are not committed.
    """
    root, before = repository.root, repository.config.toolkit
    if before == __version__:  # a newer one is refused where the repository is found
        return None
    if ci:
        raise UsageError(
            f"The repository is of modelyard {before}, so workflows of {__version__} do not fit it.",
            "Run modelyard update first, merge it, and repeat.",
        )
    answers = answers_of(root)
    _require_ours(root, git)
    old_source = source_of(root)
    source = _newer_source(old_source, toolkit)
    branch = repository.config.default_branch
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        older = _older_toolkit(root, old_source, before, Path(scratch))
        base = rendered(lambda name: older / name, answers, before, branch)
    answers |= {"toolkit": source} if "toolkit" in answers else {}
    theirs = rendered(shipped, answers, __version__, branch)
    examples = yaml.safe_load(shipped("copier.yml").read_bytes())["_skip_if_exists"]
    merges = _Merges(root, git, examples)
    for path in sorted(base.keys() | theirs.keys()):
        merges.add(path, base.get(path), theirs.get(path))
    merges.files[ANSWERS] = theirs[ANSWERS]
    ours = merges.files.get(CONFIG) or (root / CONFIG).read_bytes()
    merges.files[CONFIG] = re.sub(rb"(?m)^toolkit:[^\n#]*", f'toolkit: "{__version__}"'.encode(), ours, count=1)
    if (root / FOLDER).is_dir():
        for name, content in requirement_files(repository, source).items():
            merges.files[f"{FOLDER}/{name}"] = content.encode()
    changed = {path: content for path, content in merges.files.items() if content != _content(root, path)}
    return TemplateUpdate(before, __version__, changed, tuple(merges.merged), merges.kept)


def propose_update(checkout: Checkout, update: TemplateUpdate) -> OpenedUpdate:
    """Pushes the update on a branch and opens or refreshes its pull request; in plain git, the branch is all.

    UsageError on another branch than the default one.
    """
    git, config = checkout.git, checkout.repository.config
    base, on = git.commit_of("HEAD"), git.branch()
    if on and on != config.default_branch:
        raise UsageError(
            f"This checkout is on {on}, and the update belongs on {config.default_branch}.",
            f"git switch {config.default_branch}; or give --here.",
        )
    if config.forge == "git":
        push_proposed(git, base, update.proposed)
        return OpenedUpdate(BRANCH, None)
    forge, _ = open_pull_forge(checkout.repository, git)
    pull, _, _ = open_proposed(git, forge, config.default_branch, base, update.proposed)
    return OpenedUpdate(BRANCH, pull.number)


class _Merges:
    """The three-way merges of an update, file by file."""

    def __init__(self, root: Path, git: Git, examples: Sequence[str]) -> None:
        self._root, self._git, self._examples = root, git, examples
        self.files: dict[str, bytes | None] = {}
        self.merged: list[str] = []
        self.kept: dict[str, str] = {}

    def add(self, path: str, base: bytes | None, theirs: bytes | None) -> None:
        """Decides one file from what the older and the newer template have; None for no such file."""
        ours = _content(self._root, path)
        is_example = any(fnmatch.fnmatch(path, pattern) for pattern in self._examples)
        if base == theirs or ours == theirs or (is_example and (ours or base) is not None):
            return  # an example is the team's, once it is written
        if ours == base:
            self.files[path] = theirs
        elif ours is None:
            return  # the team removed it
        elif (both := _merged(self._git, ours, base, theirs)) is not None:
            self.files[path] = both
            self.merged.append(path)
        else:
            self.kept[path] = _difference(path, base, theirs)


def _content(root: Path, path: str) -> bytes | None:
    """What a checkout has there. A link counts as other content, for nothing is written through it."""
    place = root / path
    if place.is_symlink():
        return b"\0link"
    return place.read_bytes() if place.is_file() else None


def _merged(git: Git, ours: bytes, base: bytes | None, theirs: bytes | None) -> bytes | None:
    """Both changes of a text; None where they touch the same lines, or one of the three is no text or is absent."""
    if base is None or theirs is None or any(b"\0" in content for content in (ours, base, theirs)):
        return None
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        places = [Path(scratch, name) for name in ("ours", "base", "theirs")]
        for place, content in zip(places, (ours, base, theirs), strict=True):
            place.write_bytes(content)
        return places[0].read_bytes() if git.merge_text(*places) else None


def _difference(path: str, base: bytes | None, theirs: bytes | None) -> str:
    one, other = ((content or b"").decode(errors="replace").splitlines() for content in (base, theirs))
    return "\n".join(difflib.unified_diff(one, other, f"a/{path}", f"b/{path}", lineterm=""))


def _require_ours(root: Path, git: Git) -> None:
    require_committed(git, "update")
    answers = root / ANSWERS
    if not answers.is_file():
        raise UsageError(
            f"{ANSWERS} is missing, so it is not known what the template was asked.",
            "Bring it back from git's history.",
        )
    if copied := re.search(r"(?m)^_src_path: *(\S.*)$", answers.read_text(encoding="utf-8")):
        raise UsageError(
            f"This repository was copied by Copier from {copied[1]}.",
            "Run copier update, and modelyard update after it.",
        )


def _newer_source(before: str, given: str) -> str:
    if given:
        return checked_source(given)
    if before == INDEX:
        return INDEX
    if (own := own_source()) != INDEX:
        return own
    raise UsageError(
        f"CI installs the toolkit from Git ({before}), and this modelyard does not know its own commit.",
        "Name the commit of the newer one: --toolkit git+https://…@COMMIT",
    )


def _older_toolkit(root: Path, source: str, version: str, into: Path) -> Path:
    """The folder of the template in the toolkit of an older version, unpacked from where CI installs it from."""
    pinned = root / FOLDER / TOOLKIT
    wanted = pinned.read_text(encoding="utf-8") if pinned.is_file() else ""
    if f"modelyard=={version}" not in wanted and source not in wanted:
        wanted = f"modelyard=={version}" if source == INDEX else f"modelyard @ {source}"
    requirement = into / "toolkit.txt"
    requirement.write_text(wanted, encoding="utf-8")
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", str(into / "older")]
    try:
        done = subprocess.run(
            [*command, "--requirement", str(requirement)], capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise _unreachable(version, f"no answer within {_SECONDS} seconds") from error
    if "No module named uv" in done.stderr:
        raise missing_extra("init", "uv")
    found = into / "older" / "modelyard" / "shipped"
    if done.returncode or not (found / "copier.yml").is_file():
        raise _unreachable(version, " ".join(said_by_uv(done.stderr)[:3]) or "it ships no template")
    return found


def _unreachable(version: str, why: str) -> ModelyardError:
    return ModelyardError(
        f"The template of modelyard {version}, which this repository was written from, cannot be had: {why}",
        "Let uv reach where CI installs the toolkit from (UV_DEFAULT_INDEX), then repeat.",
    )


def _body(update: TemplateUpdate, title: str) -> str:
    removed = [path for path, content in update.files.items() if content is None]
    facts = [
        f"- {len(update.files) - len(removed)} files are written, {len(removed)} removed.",
        *([f"- Changed by both in different lines, and merged: {_list(update.merged)}"] if update.merged else []),
        *([f"- **Changed by both in the same lines, and left as they are: {_list(list(update.kept))}**"]
          if update.kept else []),
        *([""] if update.kept else []),
    ]  # fmt: skip
    for path, difference in list(update.kept.items())[:_SHOWN]:
        shown = [code_line(line) for line in difference.splitlines()]
        more = [f"… {len(shown) - _LINES} more lines"] if len(shown) > _LINES else []
        facts += fold(f"What the newer template changes in {path}", ["```diff", *shown[:_LINES], *more, "```"])
    return pull_body(
        text(title),
        "The workflows, schemas, policies and requirement files are those of the newer toolkit. What the team changed"
        " stays.",
        facts,
        "CI runs with the newer toolkit.",
        "CI keeps the toolkit that it has.",
    )


def _list(paths: Sequence[str]) -> str:
    return ", ".join(code(path) for path in paths)
