"""A clone, a DVC store and an evidence branch as dictionaries, as far as feedback asks for them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, cast

import msgspec
from modelyard.checkout.checkout import ModelView
from modelyard.errors import ModelyardError
from modelyard.manifests.configuration import Environment
from modelyard.manifests.model import Model
from modelyard.predictions.writer import Entry


class FakeGit:
    """One commit whose files are ``files``."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def files_at(self, commit: str, folder: str) -> dict[str, str]:
        return {path: "" for path in self.files if path.startswith(f"{folder}/")}

    def file_at(self, commit: str, path: str) -> bytes | None:
        return self.files.get(path)

    @contextmanager
    def exclusively(self, name: str) -> Iterator[None]:
        yield

    def merge(self, files: Mapping[str, bytes | None]) -> None:
        """Takes what was proposed."""
        self.files |= {path: content for path, content in files.items() if content is not None}


class FakeDvc:
    """Objects by their md5, all of them on the remote too."""

    def __init__(self, root: Path, git: FakeGit) -> None:
        self._root, self._git = root, git
        self.objects: dict[str, bytes] = {}
        self.removed: list[tuple[str, list[str]]] = []

    def scratch(self) -> TemporaryDirectory[str]:
        return TemporaryDirectory(dir=self._root)

    def add(self, path: Path) -> None:
        md5 = self.keep(path.read_bytes())
        path.with_name(f"{path.name}.dvc").write_text(f"outs:\n- {{md5: {md5}, path: {path.name}}}\n")

    def keep(self, content: bytes) -> str:
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        self.objects[md5] = content
        return md5

    def pull(self, pointer: str) -> None:
        md5 = (self._git.files[pointer]).decode().split("md5: ")[1].split(",")[0]
        path = self._root / pointer.removesuffix(".dvc")
        path.parent.mkdir(parents=True, exist_ok=True)
        if md5 in self.objects:
            path.write_bytes(self.objects[md5])

    def fetch(self, md5: str, name: str, into: Path) -> Path:
        if md5 not in self.objects:
            raise ModelyardError(f"{name} is nowhere.", "Look for it.")
        into.write_bytes(self.objects[md5])
        return into

    def has_remote(self) -> bool:
        return True

    def stored(self, where: str) -> dict[str, int]:
        return {md5: len(content) for md5, content in self.objects.items()}

    def remove(self, where: str, md5s: list[str]) -> None:
        self.removed.append((where, md5s))
        if where == "remote":
            for md5 in md5s:
                del self.objects[md5]


class FakeEvidence:
    """The evidence branch."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def filed(self, *paths: str) -> dict[str, bytes]:
        return {path: content for path, content in self.files.items() if path.startswith(paths)}

    def append(self, files: dict[str, bytes], message: str) -> str:
        self.files |= files
        return "c" * 40


class Yard:
    """A model repository of which nothing but ``root`` is on disk."""

    def __init__(self, root: Path, model: Model, *environments: Environment) -> None:
        self.root, self.model = root, model
        self.git = FakeGit()
        self.dvc = FakeDvc(root, self.git)
        self.evidence = FakeEvidence()
        self.versions: list[Any] = []
        self._environments = environments or (Environment(name="production"),)

    @property
    def environment(self) -> Environment:
        return self._environments[0]

    @property
    def view(self) -> ModelView:
        repository = SimpleNamespace(config=SimpleNamespace(environments=self._environments))
        checkout = SimpleNamespace(
            root=self.root, git=self.git, dvc=self.dvc, evidence=self.evidence, repository=repository
        )
        history = SimpleNamespace(all_versions=self.versions)
        view: Any = SimpleNamespace(checkout=checkout, name=self.model.name, manifest=self.model, history=history)
        return cast(ModelView, view)

    @property
    def left(self) -> list[str]:
        """Files of increments that lie in the checkout."""
        folder = self.root / f"data/feedback/{self.model.name}"
        return sorted(path.name for path in folder.glob("2*")) if folder.is_dir() else []

    def log(self, *entries: Entry) -> Path:
        """Writes a closed segment of the environment's prediction log."""
        folder = self.root / ".modelyard/local" / self.environment.name / "log" / self.model.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        path = folder / "20260501T000000000000.jsonl"
        path.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in entries))
        return path
