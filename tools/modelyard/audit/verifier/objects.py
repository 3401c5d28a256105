"""Git objects of a bundle, each hashed again when it is read."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any


class ClaimFailed(Exception):
    """A claim does not hold; the message is the reason."""


@dataclass
class Commit:
    tree: str
    parents: list[str]


@dataclass
class Tag:
    name: str
    sha: str
    commit: str
    at: int
    raw: bytes
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> str:
        return re.split("[@#]", self.name)[0]


class Repository:
    """The git objects of a bundle; ClaimFailed for an object that is missing or does not match its id."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names = set(archive.namelist())
        self.manifest = json.loads(archive.read("manifest.json"))
        self._seen: dict[str, tuple[str, bytes]] = {}

    def read(self, sha: str, kind: str) -> bytes:
        if sha not in self._seen:
            head, _, body = self._load(sha).partition(b"\0")
            self._seen[sha] = (head.split()[0].decode(), body)
        if self._seen[sha][0] != kind:
            raise ClaimFailed(f"the object {sha[:12]} is not a {kind}")
        return self._seen[sha][1]

    def _load(self, sha: str) -> bytes:
        if f"objects/{sha}" not in self._names:
            raise ClaimFailed(f"the object {sha[:12]} is not in the bundle")
        content = self._archive.read(f"objects/{sha}")
        found = hashlib.new("sha1" if len(sha) == 40 else "sha256", content, usedforsecurity=False).hexdigest()
        if found != sha:
            raise ClaimFailed(f"the content of the object {sha[:12]} does not match its id")
        return content

    def check_all(self) -> int:
        """Hashes every object of the bundle, also those that no claim reads; their number."""
        names = [name.removeprefix("objects/") for name in self._names if name.startswith("objects/")]
        for sha in sorted(names):
            self._load(sha)
        for path, sha in self.files(self.commit(self.manifest["heads"]["evidence"]).tree).items():
            if f"objects/{sha}" not in self._names:
                raise ClaimFailed(f"{path} is not in the bundle")
        return len(names)

    def check_history(self) -> int:
        """Compares the bytes of ``repository.bundle``, and the tags that a clone gets, with the manifest; their number.

        Git itself checks that what is cloned has the ids that the head of the file names.
        """
        content = self._archive.read("repository.bundle")
        if hashlib.sha256(content).hexdigest() != self.manifest.get("repository.bundle"):
            raise ClaimFailed("repository.bundle is not the file that was exported")
        head = content.partition(b"\n\n")[0].decode("utf-8", "surrogateescape").split("\n")
        refs = {ref: sha for sha, _, ref in (line.partition(" ") for line in head if re.match("[0-9a-f]{40}", line))}
        wanted = {f"refs/tags/{name}": sha for name, sha in self.manifest["tags"].items()}
        other = [ref for ref, sha in wanted.items() if refs.get(ref) != sha]
        if other:
            raise ClaimFailed(f"repository.bundle lacks {other[0]}, or has another")
        others = self._names - {"manifest.json", "README.txt", "repository.bundle"}
        unknown = sorted(name for name in others if not re.fullmatch("objects/[0-9a-f]{40}([0-9a-f]{24})?", name))
        if unknown:
            raise ClaimFailed(f"{unknown[0]} is no part of a bundle")
        return len(wanted)

    def commit(self, sha: str) -> Commit:
        tree, *lines = self.read(sha, "commit").partition(b"\n\n")[0].decode("utf-8", "replace").split("\n")
        # As git reads it: parents follow the tree. Names of people, which come after, may hold any text.
        parents = [line.removeprefix("parent ") for line in takewhile(lambda line: line.startswith("parent "), lines)]
        return Commit(tree.removeprefix("tree "), parents)

    def entries(self, tree: str) -> dict[str, tuple[bool, str]]:
        body, size = self.read(tree, "tree"), len(tree) // 2
        found: dict[str, tuple[bool, str]] = {}
        while body:
            head, _, rest = body.partition(b"\0")
            mode, _, name = head.partition(b" ")
            found[name.decode("utf-8", "surrogateescape")] = (mode == b"40000", rest[:size].hex())
            body = rest[size:]
        return found

    def blob_at(self, commit: str, path: str) -> bytes | None:
        """The content of a file of a commit; None if it does not exist."""
        sha, folder = self.commit(commit).tree, True
        for part in path.split("/"):
            if not folder or part not in (entries := self.entries(sha)):
                return None
            folder, sha = entries[part]
        return None if folder else self.read(sha, "blob")

    def blobs_below(self, tree: str, folder: str) -> set[str]:
        """The blobs directly in a folder of a tree; empty if it does not exist."""
        for part in folder.strip("/").split("/"):
            entry = self.entries(tree).get(part)
            if entry is None or not entry[0]:
                return set()
            tree = entry[1]
        return {sha for below, sha in self.entries(tree).values() if not below}

    def files(self, tree: str, prefix: str = "") -> dict[str, str]:
        found: dict[str, str] = {}
        for name, (folder, sha) in self.entries(tree).items():
            found |= self.files(sha, f"{prefix}{name}/") if folder else {prefix + name: sha}
        return found

    def lost(self, old: str, new: str, prefix: str = "") -> Iterator[tuple[str, str]]:
        """(path, blob) of every file of the old tree that is missing or different in the new one."""
        before, after = self.entries(old), self.entries(new)
        for name, (folder, sha) in before.items():
            other = after.get(name)
            if other == (folder, sha):
                continue
            if not folder:
                yield prefix + name, sha
            elif other and other[0]:
                yield from self.lost(sha, other[1], f"{prefix}{name}/")
            else:
                yield from self.files(sha, f"{prefix}{name}/").items()

    def differing(self, one: str, other: str) -> list[str]:
        """The paths that differ between two commits."""
        before, after = self.commit(one).tree, self.commit(other).tree
        return sorted({path for path, _ in (*self.lost(before, after), *self.lost(after, before))})

    def tag(self, name: str, sha: str) -> Tag:
        raw = self.read(sha, "tag")
        head, _, message = raw.partition(b"\n\n")
        lines = [line.partition(" ") for line in head.decode("utf-8", "replace").split("\n")]
        if [key for key, _, _ in lines[:4]] != ["object", "type", "tag", "tagger"]:
            raise ClaimFailed(f"the object of the tag {name} is not a valid tag")
        commit, _, own_name, tagger = (value for _, _, value in lines[:4])
        if own_name != name:
            raise ClaimFailed(f"the object of the tag {name} has the name {own_name}")
        record = next((line for line in message.decode("utf-8", "replace").split("\n") if line.startswith("{")), "{}")
        return Tag(name, sha, commit, int(tagger.split()[-2]), raw, _record(record))

    def history(self, head: str) -> list[str]:
        """The commits reachable from a head, the head first."""
        found: dict[str, None] = {}
        waiting = [head]
        while waiting:
            sha = waiting.pop()
            if sha not in found:
                found[sha] = None
                waiting += self.commit(sha).parents
        return list(found)


def _record(line: str) -> dict[str, Any]:
    """The record of a tag; empty for text that is not JSON, such as a note of a handmade tag."""
    try:
        found: dict[str, Any] = json.loads(line)
        return found
    except ValueError:
        return {}
