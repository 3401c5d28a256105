"""A mirrored repository for tests, and a bucket in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from modelyard.audit.mirror.bucket import Bucket, Retention
from modelyard.audit.mirror.records import name_of
from modelyard.audit.mirror.restoring import Restored, restore
from modelyard.audit.mirror.writing import add_to_mirror
from modelyard.errors import Refused
from modelyard.manifests.configuration import MirrorSettings

from support.versions import add_stage, add_version, hosted_pair, opened
from support.yard import commit_all, git, small_repository

SETTINGS = MirrorSettings(url="s3://mirror/churn", retention_days=10)
NOW = 1_800_000_000
MAIN = "refs/heads/main"
JOURNAL = "refs/modelyard/rollouts/staging/churn"


def record(folder: Path) -> None:
    """Clones ``one`` and ``two`` of a remote; in it two versions, one of them in staging, and a journal."""
    one, two = hosted_pair(folder, small_repository(folder / "yard"))
    for clone in (one, two):
        git(clone, "remote", "set-url", "origin", "../remote.git")
    for version in ("v1.0.0", "v1.1.0"):
        add_version(one, "churn", version)
        git(one, "push", "--quiet", "origin", "main")
    add_stage(one, "churn", "v1.0.0", "staging")
    opened(one).git.add_entry(JOURNAL, "", "begun")


class Shelf(Bucket):
    """Objects in memory that keep every version, as a bucket with object lock does."""

    def __init__(self) -> None:
        self.url = "s3://mirror/churn"
        self.objects: dict[str, list[bytes]] = {}

    def names(self, folder: str, ending: str) -> dict[str, tuple[str, ...]]:
        found = {
            name.removeprefix(f"{folder}/"): kept for name, kept in self.objects.items() if name.startswith(folder)
        }
        return {name.removesuffix(ending): tuple(map(str, range(len(kept))))[::-1] for name, kept in found.items()}

    def read(self, name: str, versions: tuple[str, ...], digest: str, limit: int, into: Path) -> None:
        for version in versions:
            content = self.objects[name][int(version)]
            if len(content) <= limit and hashlib.sha256(content).hexdigest() == digest:
                into.write_bytes(content)
                return
        raise Refused(f"The object {name} of the mirror is missing.", "")

    def add(self, name: str, file: Path, retention: Retention) -> None:
        self.put(name, file.read_bytes())

    def put(self, name: str, content: bytes) -> None:
        self.objects.setdefault(name, []).append(content)

    def records(self) -> list[str]:
        return sorted(name for name in self.names("records", ".json"))


def mirrored(folder: Path, shelf: Shelf, now: int = NOW) -> str | None:
    """Mirrors a clone; the name of the new record."""
    return add_to_mirror(opened(folder), SETTINGS, shelf, now)


def restored(shelf: Bucket, folder: Path, until: str = "", anchor: bytes | None = None) -> Restored:
    """Restores a repository into a folder."""
    return restore(shelf, folder, until, anchor, lambda said: None)


def refs_of(folder: Path) -> dict[str, str]:
    """Ref → object id of branches, tags and journals."""
    lines = git(
        folder, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags", "refs/modelyard"
    )
    return dict(line.rsplit(" ", 1) for line in lines.splitlines())


def push_forced(folder: Path, ref: str, message: str) -> str:
    """Another history of a branch on the remote, from the commit before its newest one."""
    base = git(folder, "rev-parse", f"{ref}~1")
    other = git(folder, "commit-tree", f"{base}^{{tree}}", "-p", base, "-m", message)
    git(folder, "push", "--quiet", "--force", "../remote.git", f"{other}:{ref}")  # as a stranger's clone does
    return other


def forge_record(shelf: Shelf, change: Callable[[dict[str, Any]], None]) -> str:
    """A record that somebody with access to the bucket adds after the newest one."""
    newest = shelf.records()[-1]
    document = msgspec.json.decode(shelf.objects[f"records/{newest}.json"][-1])
    document |= {"sequence": document["sequence"] + 1, "before": [newest]}
    change(document)
    content = msgspec.json.encode(document)
    name = name_of(content, document["sequence"])
    shelf.put(f"records/{name}.json", content)
    return name


def with_mirror(folder: Path, url: str) -> None:
    """Commits the settings of a mirror on a server."""
    config = folder / "modelyard.yaml"
    config.write_text(
        config.read_text() + f"mirror:\n  url: s3://mirror/flights\n  endpoint: {url}\n  key: env:MIRROR_KEY\n"
        "  mode: compliance\nsecrets:\n  allow:\n    - {ref: env:MIRROR_KEY, host: 127.0.0.1}\n"
    )
    commit_all(folder, "A mirror")
