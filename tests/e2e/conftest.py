"""A hosted repository: the tests' forge, Actions through act, and people who push, review and merge."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from actions.runner import BOT, Actions, Run
from actions.tiny import build as built
from forge.server import ForgeServer, running
from forge.store import Pull, Store
from modelyard.predictions.writer import Entry
from modelyard.report.markdown.summary import REPORT, report_in
from support.sharing import copied, shared_folder
from support.yard import commit_all, git

OUTSIDER = "mallory"


class Hosted:
    """One repository on the forge."""

    def __init__(self, server: ForgeServer, actions: Actions, folder: Path) -> None:
        self.server, self.store, self.actions, self.folder = server, server.store, actions, folder
        self.clone = folder / "clone"
        git(folder, "clone", "--quiet", str(self.store.path(self.store.name)), "clone")

    def push(self, branch: str, edits: dict[str, tuple[str, str]], message: str, start: str = "origin/main") -> str:
        """Commits edits (file → text before, text after; a new file for before '') on a branch, and pushes it."""
        git(self.clone, "fetch", "--quiet", "--prune", "origin")
        git(self.clone, "switch", "--quiet", "--force-create", branch, start)
        for file, (before, after) in edits.items():
            path = self.clone / file
            path.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text() if before else ""
            assert before in text, f"{file} holds no {before!r}"
            path.write_text(text.replace(before, after, 1) if before else after)
        head = commit_all(self.clone, message)
        git(self.clone, "push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return head

    def propose(self, branch: str, edits: dict[str, tuple[str, str]], message: str, user: str = "ada") -> Pull:
        """A pull request, measured and reported on."""
        self.push(branch, edits, message)
        pull = self.store.open(user, branch, "main", message, "")
        self.actions.pull_request(pull)
        return pull

    def push_again(self, pull: Pull, edits: dict[str, tuple[str, str]], message: str) -> None:
        """One more commit on a pull request's branch, measured and reported on."""
        git(self.clone, "fetch", "--quiet", "origin")
        self.push(pull.branch, edits, message, f"origin/{pull.branch}")
        self.actions.pull_request(pull, "synchronize")

    def approve(self, pull: Pull, user: str = "grace") -> None:
        """A review, and the workflows it starts."""
        self.store.review(pull.number, user, "APPROVE")
        self.actions.review(pull)

    def merge(self, pull: Pull, user: str = "grace") -> list[Run]:
        """Merges on the forge, and deploys."""
        self.store.merge(pull.number, user)
        return self.actions.push()

    def report(self, pull: Pull, model: str = "churn") -> str:
        """The report on a model in our one comment, without the marker in its first line."""
        marker, _, report = report_in(self.comment(pull), model).partition("\n")
        assert marker == f"<!-- modelyard:report {model} -->"
        return report

    def comment(self, pull: Pull) -> str:
        """Our one comment with reports."""
        found = [c.body for c in self.store.comments_of(pull.number) if c.body.startswith(REPORT)]
        assert len(found) == 1, f"{len(found)} comments with reports"
        return found[0]

    def status(self, pull: Pull, context: str = "modelyard/verdict") -> str:
        """The state of the newest status on the head."""
        states = [s for s in self.store.statuses.get(self.store.head(pull), []) if s.context == context]
        return states[-1].state if states else "none"

    def traffic(self, rows: int, seed: int, version: str = "v1.0.0", shift: float = 0.0) -> None:
        """Answered requests of the last six days, and what happened."""
        rng = np.random.default_rng(seed)
        x, z = rng.normal(size=rows) + shift, rng.normal(size=rows)
        chance = 1 / (1 + np.exp(-(1.2 * x + 0.8 * z - 0.5)))
        label = rng.random(rows) < chance
        begin = datetime.now(UTC) - timedelta(days=6)
        entries = [
            Entry(
                id=f"{seed:08x}{row:08x}",
                time=(begin + timedelta(days=5.9 * row / rows))
                .isoformat(timespec="microseconds")
                .replace("+00:00", "Z"),
                version=version,
                variant="champion",
                latency_ms=2.0,
                entities=[f"s{seed}r{row}"],
                inputs={"x": [float(x[row])], "z": [float(z[row])]},
                scores=[float(chance[row])],
            )
            for row in range(rows)
        ]
        log = self.actions.home / "served/staging/log/churn"
        log.mkdir(parents=True, exist_ok=True)
        (log / f"20260101T0000{seed:02}000000.jsonl").write_bytes(
            b"".join(msgspec.json.encode(e) + b"\n" for e in entries)
        )
        with (self.folder / "ground_truth.csv").open("a") as file:
            file.writelines(f"s{seed}r{row},{int(label[row])}\n" for row in range(rows))

    def served(self, environment: str = "staging") -> dict[str, str]:
        """Model → version that the local target serves."""
        file = self.actions.home / "served" / environment / "state.json"
        state = json.loads(file.read_text()) if file.exists() else {"models": {}}
        return {name: model["traffic"]["stable"] for name, model in state["models"].items() if model["traffic"]}

    def tags(self) -> set[str]:
        """Of the forge's repository."""
        return set(self.store.git(self.store.name, "tag", "--list").split())


def _protected(store: Store) -> None:
    for login, permission in (("ada", "write"), ("grace", "write"), (BOT, "write"), (OUTSIDER, "read")):
        store.user(login, permission)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def hosted_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A forge's folder whose repository has two registered models in staging. Read only; shared by all workers."""

    def build(folder: Path) -> None:
        (folder / "forge").mkdir()
        work = built(folder)
        store = Store(folder / "forge")
        _protected(store)
        git(work, "push", "--quiet", str(store.path(store.name)), "main")
        with running(store, folder) as server:
            for run in Actions(server, folder).push():
                run.must()

    return shared_folder(tmp_path_factory, "hosted", build)


@pytest.fixture
def hosted(hosted_template: Path, tmp_path: Path) -> Iterator[Hosted]:
    """A copy of that forge, to be changed. Data and models stay where they are: their storage is content-addressed."""
    copied(hosted_template / "forge", tmp_path / "forge")
    copied(hosted_template / "home" / "served", tmp_path / "home" / "served")
    store = Store.reopened(tmp_path / "forge")
    _protected(store)
    with running(store, tmp_path) as server:
        yield Hosted(server, Actions(server, tmp_path), tmp_path)
