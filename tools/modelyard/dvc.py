"""The one door to DVC: pulls, runs and pushes one model's pipeline, and finds pinned bytes in its cache."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from msgspec import Struct

from modelyard.errors import ModelyardError, missing_extra

_REMEDY_REMOTE = "Check the remote with: dvc remote list, and your access to it."


class Stored(Struct, frozen=True):
    """Bytes that DVC stores: how many, and since when in seconds since 1970; None where the storage does not say."""

    size: int
    since: float | None


class Dvc:
    """DVC in one checkout, in process (its own command costs about a second a call)."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def has_remote(self) -> bool:
        """Whether a default remote is configured."""
        with self._repository() as repo:
            return bool(repo.config["core"].get("remote"))

    def pull(self, pipeline: str) -> None:
        """Brings what the remote has of a pipeline's data and outputs; what was never pushed is left to the run."""
        from dvc.exceptions import DvcException

        with self._repository() as repo:
            if not repo.config["core"].get("remote"):
                return
            try:
                self._check_remote(repo)
                repo.pull(targets=[pipeline], with_deps=True, allow_missing=True)
            except DvcException as error:
                raise _failed("pull", error, _REMEDY_REMOTE) from error

    def reproduce(self, pipeline: str, *, force: bool = False) -> bool:
        """Runs the stages of a pipeline whose inputs changed; whether any ran."""
        from dvc.exceptions import DvcException

        with self._repository() as repo, _tool_path(), _stdout_to_stderr():
            try:
                stages = repo.reproduce(targets=[pipeline], force=force)
            except DvcException as error:
                raise _failed("repro", error, "The stage's own message stands above.") from error
            return any(stage for stage in stages)

    def push(self, pipeline: str) -> int:
        """Sends a pipeline's data and outputs to the remote; how many files went."""
        from dvc.exceptions import DvcException

        with self._repository() as repo:
            try:
                self._check_remote(repo)
                return int(repo.push(targets=[pipeline], with_deps=True) or 0)
            except DvcException as error:
                raise _failed("push", error, _REMEDY_REMOTE) from error

    def update(self, pointers: list[str]) -> None:
        """Asks the sources of imported data for news, and brings what is new."""
        from dvc.exceptions import DvcException

        with self._repository() as repo:
            try:
                repo.update(targets=pointers)
            except DvcException as error:
                raise _failed("update", error, "Check the source that the .dvc file names.") from error

    def add(self, path: Path) -> None:
        """Tracks a file or folder, and makes the pointer that git keeps."""
        from dvc.exceptions import DvcException

        with self._repository() as repo, contextlib.chdir(self.root):
            try:
                repo.add(str(path.relative_to(self.root)))
                if repo.config["core"].get("remote"):
                    repo.push(targets=[str(path.relative_to(self.root))])
            except DvcException as error:
                raise _failed("add", error, "Look at DVC's message.") from error

    def scratch(self) -> TemporaryDirectory[str]:
        """A folder of its own on the checkout's disk, which git does not see; gone when it is left."""
        folder = self.root / ".dvc" / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        return TemporaryDirectory(prefix="modelyard-", dir=folder)

    def share_with(self, worktree: Path) -> None:
        """Lets another worktree of this repository use the same cache, remotes and credentials."""
        with self._repository() as repo:
            remotes = {name: dict(settings) for name, settings in repo.config["remote"].items()}
            cache = Path(repo.cache.local.path).parents[1]
        local = self.root / ".dvc" / "config.local"
        lines = [local.read_text(encoding="utf-8")] if local.is_file() else []
        lines.append(f"[cache]\n    dir = {cache}\n")
        for name, settings in remotes.items():
            url = str(settings.get("url", ""))
            if "://" not in url:  # DVC takes a relative path from the worktree's own folder
                lines.append(f"['remote \"{name}\"']\n    url = {(self.root / '.dvc' / url).resolve()}\n")
        (worktree / ".dvc" / "config.local").write_text("\n".join(lines), encoding="utf-8")

    def stored(self, where: Literal["cache", "remote"]) -> dict[str, Stored]:
        """Everything that lies in the cache or on the default remote, by md5."""
        found = {}
        with self._repository() as repo:
            store = self._store(repo, where)
            for md5 in store.all():
                info = store.fs.info(store.oid_to_path(md5))
                found[md5] = Stored(int(info.get("size") or 0), _seconds(info))
        return found

    def members(self, md5: str) -> list[str]:
        """The md5s of the files in a folder that DVC tracks as one; ModelyardError when its list is nowhere."""
        with TemporaryDirectory(prefix="modelyard-") as scratch:
            listed = self.fetch(md5, "The list of a data folder", Path(scratch) / "list.json")
            return [str(entry["md5"]) for entry in json.loads(listed.read_bytes())]

    def remove(self, where: Literal["cache", "remote"], md5s: Sequence[str]) -> None:
        """Deletes stored bytes for good."""
        with self._repository() as repo:
            store = self._store(repo, where)
            store.fs.remove([store.oid_to_path(md5) for md5 in md5s])

    def _store(self, repo: Any, where: str) -> Any:
        if where == "cache":
            return repo.cache.local
        if not repo.config["core"].get("remote"):
            raise ModelyardError("There is no default DVC remote.", "Name one: dvc remote add --default …")
        self._check_remote(repo)
        return repo.cloud.get_remote_odb()

    def fetch(self, md5: str, name: str, into: Path) -> Path:
        """Copies the bytes with an md5 out of the cache, or from the remote, to ``into``; DVC proves the md5.

        ``name`` is what an error calls them.
        """
        # The default cache answers without the half second that importing DVC costs.
        cached = self.root / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
        if not cached.is_file():
            cached = self._fetch_into_cache(md5, name)
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(cached, into)
        return into

    def _fetch_into_cache(self, md5: str, name: str) -> Path:
        with self._repository() as repo:
            from dvc_data.hashfile.hash_info import HashInfo

            cached = Path(repo.cache.local.oid_to_path(md5))
            if not cached.is_file():
                if repo.config["core"].get("remote"):
                    self._check_remote(repo)
                    with contextlib.suppress(Exception):  # DVC raises as many kinds as it has filesystems
                        repo.cloud.pull([HashInfo("md5", md5)])
                if not cached.is_file():
                    raise ModelyardError(
                        f"{name} (md5 {md5[:12]}) is neither in the DVC cache nor on its remote.",
                        "Push it from where it was made (dvc push --all-commits), or check the remote: dvc remote list",
                    )
            return cached

    def _check_remote(self, repo: Any) -> None:
        """DVC takes a missing local remote for an empty one, and loses time and words on it."""
        name = repo.config["core"]["remote"]
        url = repo.config["remote"].get(name, {}).get("url", "")
        if "://" not in url and not (path := Path(repo.root_dir, ".dvc", url)).exists():
            raise ModelyardError(f"The DVC remote {name!r} is gone: {path.resolve()} does not exist.", _REMEDY_REMOTE)

    @contextlib.contextmanager
    def _repository(self) -> Iterator[Any]:
        try:
            from dvc.exceptions import DvcException
            from dvc.repo import Repo
        except ImportError as error:
            raise missing_extra("train", "dvc") from error
        # After the import, which sets DVC's own level: its warnings about outputs not made yet are no news here.
        logging.getLogger("dvc").setLevel(logging.ERROR)
        os.environ.setdefault("DVC_NO_ANALYTICS", "1")
        try:
            repo = Repo(str(self.root))
        except DvcException as error:
            raise ModelyardError(f"{self.root} cannot be opened by DVC: {error}.", "Run there: dvc init") from error
        with repo, contextlib.chdir(self.root):
            yield repo


def _seconds(info: dict[str, Any]) -> float | None:
    for key in ("mtime", "LastModified", "last_modified", "updated", "created"):
        value = info.get(key)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
    return None


@contextlib.contextmanager
def _tool_path() -> Iterator[None]:
    """Lets stages say ``python`` and get this environment's, activated or not."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{before}"
    try:
        yield
    finally:
        os.environ["PATH"] = before


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Stages print where they like; our standard output carries results only."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _failed(what: str, error: Exception, remedy: str) -> ModelyardError:
    cause = error
    while cause.__cause__ is not None and isinstance(cause.__cause__, Exception):
        cause = cause.__cause__
    said = (str(error).strip() or str(cause).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    return ModelyardError(f"dvc {what} failed: {said}.", remedy)
