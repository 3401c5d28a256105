"""Where an adapter is tried: a forge with one pull request, and a clone to push from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.yard import commit_all, git, write

from forge.server import ForgeServer, running
from forge.store import Store


class Place:
    """A forge with one pull request by ada, and a clone."""

    def __init__(self, server: ForgeServer, folder: Path) -> None:
        self.server, self.store = server, server.store
        self._commits = 0
        self.clone = folder / "clone"
        git(folder, "clone", "--quiet", str(self.store.path(self.store.name)), "clone")
        write(self.clone, {"a.txt": "1"})
        commit_all(self.clone, "first")
        git(self.clone, "push", "--quiet", "origin", "HEAD:main")
        self.branch("feature")
        self.pull = self.store.open("ada", "feature", "main", "A title", "")

    def branch(self, name: str) -> str:
        """Pushes a branch with a commit that main lacks, anew each time; the commit."""
        git(self.clone, "switch", "--quiet", "--force-create", name, "origin/main")
        self._commits += 1
        write(self.clone, {f"{name}.txt": f"{name} {self._commits}"})
        head = commit_all(self.clone, name)
        git(self.clone, "push", "--quiet", "--force", "origin", name)
        return head


@contextmanager
def forge_with_people(folder: Path, bot: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ForgeServer]:
    """A forge that knows ada and grace, who may write, mallory, who may read, and a bot; each token is the name."""
    (folder / "forge").mkdir()
    store = Store(folder / "forge")
    store.user("ada", "write", "ada")
    store.user("grace", "write", "grace")
    store.user("mallory", "read", "mallory")
    store.user(bot, "write", "bot")
    with running(store, folder) as server:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.ca))
        yield server
