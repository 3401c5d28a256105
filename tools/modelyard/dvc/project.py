"""One DVC repository: pipelines pulled, reproduced and pushed; its cache and its remote."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from msgspec import Struct

from modelyard.dvc.drivers import driver_extra
from modelyard.dvc.plots import PlotData, plots_of
from modelyard.dvc.stages import (
    failed,
    interrupted,
    output_of_stages,
    remedy_of_run,
    stages_told_to,
    stdout_to_stderr,
    tool_path,
)
from modelyard.errors import ModelyardError, missing_extra
from modelyard.files import md5_of

_OLD_SECONDS = 24 * 3600
_REMEDY_REMOTE = "Check the remote with: dvc remote list, and your access to it."


class Stored(Struct, frozen=True):
    """One stored object: ``size`` in bytes, ``since`` in seconds since 1970 (None if not recorded)."""

    size: int
    since: float | None


class Dvc:
    """DVC in one checkout, in process: its command line takes about a second per call."""

    def __init__(self, root: Path, *, stage_output: bool = False) -> None:
        self.root, self.stage_output = root, stage_output

    def has_remote(self) -> bool:
        """Whether DVC has a default remote."""
        with self._repository() as repo:
            return bool(repo.config["core"].get("remote"))

    def pull(self, pipeline: str) -> None:
        """Pulls a pipeline's data and outputs from the default remote; objects that were never pushed are skipped."""
        from dvc.exceptions import DvcException

        with self._repository() as repo:
            if not repo.config["core"].get("remote"):
                return
            try:
                self._check_remote(repo)
                repo.pull(targets=[pipeline], with_deps=True, allow_missing=True)
            except DvcException as error:
                raise failed("pull", error, _REMEDY_REMOTE) from error

    def reproduce(self, pipeline: str, *, force: bool = False, say: Callable[[str], None] = lambda text: None) -> bool:
        """Runs the stages of a pipeline whose inputs changed (all with ``force``); returns whether any ran.

        Each stage that runs is told to ``say``. KeyboardInterrupt when a stage was stopped from the keyboard.
        """
        from dvc.exceptions import DvcException

        with self._repository() as repo, tool_path(), output_of_stages(self.stage_output), stages_told_to(say):
            try:
                stages = repo.reproduce(targets=[pipeline], force=force)
            except DvcException as error:
                if interrupted(error):
                    raise KeyboardInterrupt from error
                raise failed("repro", error, remedy_of_run(error)) from error
            return any(stage for stage in stages)

    def resume(self, stages: Sequence[str], *, push: bool = True) -> bool:
        """Runs stages (``dvc.yaml:name``) and what they need; returns whether any command ran or result was restored.

        Results that another clone pushed are restored from the remote's run cache, and new ones are pushed with it.
        """
        from dvc.exceptions import DvcException

        with self._repository() as repo:
            remote = bool(repo.config["core"].get("remote"))
            if remote:
                try:
                    self._check_remote(repo)
                    repo.pull(targets=list(stages), with_deps=True, allow_missing=True, run_cache=True)
                except DvcException as error:
                    raise failed("pull", error, _REMEDY_REMOTE) from error
            with tool_path(), output_of_stages(self.stage_output):
                try:
                    ran = repo.reproduce(targets=list(stages), pull=remote)
                except DvcException as error:
                    if interrupted(error):
                        raise KeyboardInterrupt from error
                    raise failed("repro", error, remedy_of_run(error)) from error
            if remote and push:
                try:
                    repo.push(targets=list(stages), with_deps=True)
                    # DVC's own push of the run cache leaves out the files that git keeps (``cache: false``), without
                    # which another clone cannot restore the stage.
                    kept = repo.stage_cache.get_used_objs(repo.stage_cache.push(None))
                    for objects in kept.values():
                        repo.cloud.push(objects)
                except DvcException as error:
                    raise failed("push", error, _REMEDY_REMOTE) from error
            return bool(ran)

    def push(self, pipeline: str) -> int:
        """Pushes a pipeline's data and outputs to the default remote; returns the number of files."""
        from dvc.exceptions import DvcException

        with self._repository() as repo:
            try:
                self._check_remote(repo)
                return int(repo.push(targets=[pipeline], with_deps=True) or 0)
            except DvcException as error:
                raise failed("push", error, _REMEDY_REMOTE) from error

    def plots(self, folder: str, revision: str | None) -> list[PlotData]:
        """The plots of a folder's dvc.yaml, in the checkout and at a revision. Data that are not here are pulled."""
        with self._repository() as repo, stdout_to_stderr():
            return plots_of(repo, folder, revision)

    def update(self, pointers: list[str]) -> None:
        """Updates imported data (``.dvc`` files of ``dvc import``) from their sources."""
        from dvc.exceptions import DvcException

        with self._repository() as repo:
            try:
                repo.update(targets=pointers)
            except DvcException as error:
                raise failed("update", error, "Check the source that the .dvc file names.") from error

    def add(self, path: Path) -> None:
        """Tracks a file or folder with a ``.dvc`` pointer, and pushes it if there is a default remote."""
        from dvc.exceptions import DvcException

        with self._repository() as repo, contextlib.chdir(self.root):
            try:
                repo.add(str(path.relative_to(self.root)))
                if repo.config["core"].get("remote"):
                    repo.push(targets=[str(path.relative_to(self.root))])
            except DvcException as error:
                raise failed("add", error, "See the message of DVC.") from error

    def has(self, md5: str) -> bool:
        """Whether the cache has an object."""
        with self._repository() as repo:
            return bool(repo.cache.local.exists(md5))

    def keep(self, file: Path) -> str:
        """Copies a file into the cache, so that a pointer may name it; its md5."""
        md5 = md5_of(file)
        with self._repository() as repo:
            from dvc_objects.fs.local import localfs

            repo.cache.local.add(str(file), localfs, md5)
        return md5

    def scratch(self) -> TemporaryDirectory[str]:
        """A temporary folder on the checkout's file system, ignored by git. Those of killed runs are removed."""
        folder = self.root / ".dvc" / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("modelyard-*"):
            if time.time() - old.stat().st_mtime > _OLD_SECONDS:  # a running one is younger
                shutil.rmtree(old, ignore_errors=True)
        return TemporaryDirectory(prefix="modelyard-", dir=folder)

    def share_with(self, worktree: Path) -> None:
        """Configures another worktree of this repository to use the same cache, remotes and credentials."""
        with self._repository() as repo:
            remotes = {name: dict(settings) for name, settings in repo.config["remote"].items()}
            cache = Path(repo.cache.local.path).parents[1]
        local = self.root / ".dvc" / "config.local"
        lines = [local.read_text(encoding="utf-8")] if local.is_file() else []
        lines.append(f"[cache]\n    dir = {cache}\n")
        for name, settings in remotes.items():
            url = str(settings.get("url", ""))
            if "://" not in url:  # DVC resolves a relative path from the worktree's own folder
                lines.append(f"['remote \"{name}\"']\n    url = {(self.root / '.dvc' / url).resolve()}\n")
        (worktree / ".dvc" / "config.local").write_text("\n".join(lines), encoding="utf-8")

    def stored(self, where: Literal["cache", "remote"]) -> dict[str, Stored]:
        """md5 → object, for everything in the cache or on the default remote."""
        found = {}
        with self._repository() as repo:
            store = self._store(repo, where)
            for md5 in store.all():
                info = store.fs.info(store.oid_to_path(md5))
                found[md5] = Stored(int(info.get("size") or 0), _seconds(info))
        return found

    def on_remote(self, md5: str) -> bool:
        """Whether the default remote has an object."""
        with self._repository() as repo:
            store = self._store(repo, "remote")
            return bool(store.exists(md5))

    def try_remote(self) -> None:
        """Writes a small file to the default remote and removes it; ModelyardError when that fails."""
        with self._repository() as repo:
            try:
                store = self._store(repo, "remote")
                path = store.fs.join(store.path, f"modelyard-doctor-{uuid.uuid4().hex}")
                store.fs.makedirs(store.path, exist_ok=True)
                with store.fs.open(path, "wb") as file:
                    file.write(b"modelyard doctor\n")
                store.fs.remove(path)
            except ModelyardError:
                raise
            except Exception as error:  # each filesystem of DVC raises its own exceptions
                raise failed("remote", error, _REMEDY_REMOTE) from error

    def members(self, md5: str) -> dict[str, str]:
        """Path below a tracked folder → md5 of the file; ModelyardError when its list is not stored."""
        with TemporaryDirectory(prefix="modelyard-") as scratch:
            listed = self.fetch(md5, "The file list of a data folder", Path(scratch) / "list.json")
            return {str(entry["relpath"]): str(entry["md5"]) for entry in json.loads(listed.read_bytes())}

    def remove(self, where: Literal["cache", "remote"], md5s: Sequence[str]) -> None:
        """Deletes stored objects permanently."""
        with self._repository() as repo:
            store = self._store(repo, where)
            store.fs.remove([store.oid_to_path(md5) for md5 in md5s])

    def _store(self, repo: Any, where: str) -> Any:
        if where == "cache":
            return repo.cache.local
        if not repo.config["core"].get("remote"):
            raise ModelyardError("DVC has no default remote.", "Add one: dvc remote add --default NAME URL")
        self._check_remote(repo)
        return repo.cloud.get_remote_odb()

    def fetch(self, md5: str, name: str, into: Path) -> Path:
        """Copies the object with an md5 from the cache or the remote to ``into``; returns ``into``.

        ``name`` names the object in an error. ModelyardError when the object is not stored.
        """
        # Reading the default cache directly saves the half second that importing DVC takes.
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
                    with contextlib.suppress(Exception):  # each filesystem of DVC raises its own exceptions
                        repo.cloud.pull([HashInfo("md5", md5)])
                if not cached.is_file():
                    raise ModelyardError(
                        f"{name} (md5 {md5[:12]}) is neither in the DVC cache nor on its remote.",
                        "Push it from its own machine (dvc push --all-commits), or check the remote: dvc remote list",
                    )
            return cached

    def _check_remote(self, repo: Any) -> None:
        """ModelyardError without the remote's driver, or when a local remote's folder is missing.

        DVC would treat such a folder as empty.
        """
        name = repo.config["core"]["remote"]
        url = repo.config["remote"].get(name, {}).get("url", "")
        if (extra := driver_extra(url)) and importlib.util.find_spec(f"dvc_{extra}") is None:
            raise missing_extra(extra, f"dvc-{extra}")
        if "://" not in url and not (path := Path(repo.root_dir, ".dvc", url)).exists():
            raise ModelyardError(
                f"The folder of the DVC remote {name!r} does not exist: {path.resolve()}.", _REMEDY_REMOTE
            )

    @contextlib.contextmanager
    def _repository(self) -> Iterator[Any]:
        try:
            from dvc.exceptions import DvcException
            from dvc.repo import Repo
        except ImportError as error:
            raise missing_extra("train", "dvc") from error
        # After the import, which sets DVC's own level. DVC warns about outputs that are not made yet.
        logging.getLogger("dvc").setLevel(logging.ERROR)
        os.environ.setdefault("DVC_NO_ANALYTICS", "1")
        try:
            repo = Repo(str(self.root))
        except DvcException as error:
            raise ModelyardError(
                f"{self.root} cannot be opened by DVC: {error}.", "Run dvc init in that folder."
            ) from error
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
