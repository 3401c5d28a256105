"""An audit bundle of crafted git objects."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

from modelyard.audit.verifier.objects import Repository

ONE, TWO, THREE = "1" * 40, "2" * 40, "3" * 40


class Bundle:
    """A bundle of crafted git objects, for the verifier to read."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def add(self, kind: str, body: bytes, name: str = "") -> str:
        content = f"{kind} {len(body)}".encode() + b"\0" + body
        sha = name or hashlib.sha1(content, usedforsecurity=False).hexdigest()
        self.objects[sha] = content
        return sha

    def commit(self, parents: str = "", author: str = "Ada", tree: str = ONE) -> str:
        head = f"tree {tree}\n{parents}author {author} <a@b> 1 +0000\ncommitter {author} <a@b> 1 +0000\n\nmessage\n"
        return self.add("commit", head.encode())

    def tag(self, name: str, tagger: str = "Ada", commit: str = ONE, before: str = "", message: str = "m\n") -> str:
        head = f"{before}object {commit}\ntype commit\ntag {name}\ntagger {tagger} <a@b> 77 +0000\n\n{message}"
        return self.add("tag", head.encode())

    def tree(self, entries: dict[str, str], *folders: str) -> str:
        body = b"".join(
            f"{'40000' if name in folders else '100644'} {name}\0".encode() + bytes.fromhex(sha)
            for name, sha in entries.items()
        )
        return self.add("tree", body)

    def opened(self) -> Repository:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("manifest.json", json.dumps({}))
            for sha, content in self.objects.items():
                archive.writestr(f"objects/{sha}", content)
        return Repository(zipfile.ZipFile(buffer))
