"""Where an adapter is tried: a forge with one pull request, and a clone to push from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from modelyard.forges.interface import VERDICT, PullForge
from support.yard import commit_all, git, write

from forge.server import Fault, ForgeServer, running
from forge.store import Protection, Store


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


def check_one_issue_for_one_cause(forge: PullForge, place: Place) -> None:
    """What both adapters promise of issues, whatever gets lost on the way."""
    mark = "<!-- modelyard:alert production/churn/quality -->"
    place.store.raise_issue("ada", "Mine", mark, ("modelyard",))
    place.server.faults.append(Fault("POST", r"/issues$", act=True))
    issue, _ = forge.write_issue("churn: quality", f"{mark}\none", mark)
    again, new = forge.write_issue("churn: quality", f"{mark}\ntwo", mark)
    assert not new and again.number == issue.number and place.store.issues[issue.number].body == f"{mark}\ntwo"
    assert [i.number for i in forge.open_issues()] == [issue.number], "an answer that got lost opens no second"
    forge.close_issue(issue.number, "Over.")
    forge.close_issue(issue.number, "Over.")
    assert [c.body for c in place.store.comments_of(issue.number)] == ["Over."]
    assert forge.open_issues() == [] and len(place.store.issues) == 2


def check_settings(reader: PullForge, admin: PullForge, store: Store) -> None:
    """What both adapters promise of a forge's settings: what the token may not ask is not taken for absent."""
    store.protection["main"] = Protection((VERDICT,))
    store.secrets = {"": {f"NAME_{n:03d}" for n in range(120)}, "/": {"OF_ALL"}}
    asked = reader.settings()
    assert (asked.default_branch, asked.required) == ("main", frozenset([VERDICT]))
    assert not asked.secrets and not asked.every_secret
    known = admin.settings()
    assert known.every_secret and known.secrets == store.secrets[""] | store.secrets["/"]
    store.protection.clear()
    assert admin.settings().required == frozenset()
