"""Runs a repository's real workflow files through act, on this machine, against the tests' forge.

What act does not enforce is done here: branch and type filters, a job's permissions (as the union over a workflow),
secrets withheld from forks, and a job skipped for its label is a failure.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml
from forge.server import ForgeServer
from forge.store import Pull, Token
from support.yard import AS_INSTALLED, IDENTITY

BIN = Path(sys.executable).parent
STUBS = Path(__file__).parent / "stubs"
BOT = "github-actions[bot]"
SECRETS = {"DVC_ACCESS_KEY_ID": "canary-access-key", "DVC_SECRET_ACCESS_KEY": "canary-secret-key"}
_ORDER = {"none": 0, "read": 1, "write": 2}


@dataclass
class Run:
    """One workflow run."""

    id: int
    workflow: str
    conclusion: str
    log: str
    jobs: dict[str, str] = field(default_factory=dict)

    def must(self, conclusion: str = "success") -> Run:
        lines = self.log.splitlines()
        failed = [i for i, line in enumerate(lines) if "❌" in line] or [len(lines) - 1]
        shown = "\n".join(line for i in failed[:3] for line in lines[max(0, i - 25) : i + 1])
        assert self.conclusion == conclusion, shown
        return self


class Actions:
    """GitHub Actions of one forge: events in, runs out."""

    def __init__(self, server: ForgeServer, folder: Path, cml: Path | None = None) -> None:
        self.server, self.store, self.folder = server, server.store, folder
        self.artifacts = folder / "artifacts"
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self.runs: list[Run] = []
        self.variables: dict[str, str] = {}
        self.installing: dict[str, str] = {}
        """Variables of a real installation into an empty environment for each job; without them nothing is installed."""
        self.given: dict[str, str] = {}
        """Variables that the runner gives each job, as the address where it asks for its OpenID token."""
        self.forge_seconds = 600
        """How long a workflow waits for an answer of the forge."""
        self._cml = cml
        self._id = 100

    # --- events ----------------------------------------------------------------------------------------------------

    def pull_request(self, pull: Pull, action: str = "opened") -> list[Run]:
        """What GitHub starts for a pull request that was opened or pushed to, and the reports that follow."""
        event = {"action": action, "number": pull.number, "pull_request": self._pull(pull)}
        return self._with_reports(self._start("pull_request", event, self.store.head(pull), pull), pull)

    def queue(self, pull: Pull) -> tuple[list[Run], str]:
        """What GitHub starts for an entry of a merge queue, and the merged tree's commit."""
        base = self._main()
        clone = self._checkout(self.store.head(pull))
        merged = f"gh-readonly-queue/main/pr-{pull.number}-{base}"
        environment = os.environ | IDENTITY | {"GIT_SSL_CAINFO": str(self.server.ca)}
        for command in (
            ["git", "checkout", "--quiet", "-b", merged, base],
            ["git", "merge", "--quiet", "--no-ff", "-m", "queued", self.store.head(pull)],
            ["git", "push", "--quiet", str(self.store.path(self.store.name)), merged],
        ):
            subprocess.run(command, cwd=clone, env=environment, check=True)
        shutil.rmtree(clone)
        head = self.store.head_of(self.store.name, merged)
        group = {"head_sha": head, "base_sha": base, "head_ref": f"refs/heads/{merged}", "base_ref": "refs/heads/main"}
        return self._start("merge_group", {"action": "checks_requested", "merge_group": group}, head), head

    def review(self, pull: Pull) -> list[Run]:
        """After a review was submitted."""
        event = {"action": "submitted", "pull_request": self._pull(pull)}
        return self._with_reports(self._start("pull_request_review", event, self.store.head(pull), pull), pull)

    def push(self, branch: str = "main") -> list[Run]:
        """After a push to a branch, or a merge into it."""
        head = self.store.head_of(self.store.name, branch)
        return self._start("push", {"ref": f"refs/heads/{branch}", "after": head, "before": "0" * 40}, head)

    def schedule(self, workflow: str) -> list[Run]:
        """When a workflow's time has come."""
        return self._start("schedule", {"schedule": "17 5 * * *"}, self._main(), only=workflow)

    def dispatch(self, workflow: str, branch: str = "main", inputs: dict[str, str] | None = None) -> list[Run]:
        """A run started by hand or through the API, and the report that follows."""
        head = self.store.head_of(self.store.name, branch)
        event = {"inputs": inputs or {}, "ref": f"refs/heads/{branch}"}
        runs = self._start("workflow_dispatch", event, head, only=workflow)
        pull = next((p for p in self.store.pulls.values() if p.branch == branch and p.state == "open"), None)
        return self._with_reports(runs, pull) if pull else runs

    def comment(self, pull: Pull, user: str, body: str, action: str = "created") -> list[Run]:
        """A comment by somebody, and what it starts."""
        comment = self.store.comment(pull.number, user, body)
        return self.comment_event(pull, comment.id, user, body, comment.created, action)

    def comment_event(
        self, pull: Pull, identifier: int, user: str, body: str, at: float, action: str = "created"
    ) -> list[Run]:
        """The event of a comment that stands already."""
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
        event = {
            "action": action,
            "issue": {"number": pull.number, "pull_request": {"url": "x"}},
            "comment": {"id": identifier, "body": body, "user": {"login": user}, "created_at": created},
        }
        return self._start("issue_comment", event, self._main())

    def _with_reports(self, runs: list[Run], pull: Pull) -> list[Run]:
        head = self.store.last_seen.get(pull.number, "")
        return runs + [after for run in runs for after in self.workflow_run(run, pull, head)]

    def workflow_run(self, run: Run, pull: Pull, head: str) -> list[Run]:
        """What follows when a run has ended."""
        owner = pull.repository.split("/")[0]
        event = {
            "action": "completed",
            "workflow_run": {
                "id": run.id, "name": run.workflow, "head_sha": head, "head_branch": pull.branch,
                "conclusion": run.conclusion, "html_url": f"{self.server.url}/{self.store.name}/actions/runs/{run.id}",
                "head_repository": {"full_name": pull.repository, "owner": {"login": owner}},
                "pull_requests": [],  # empty for forks on GitHub; nothing may depend on it
            },
        }  # fmt: skip
        return self._start("workflow_run", event, self._main())

    # --- inside ----------------------------------------------------------------------------------------------------

    def _start(
        self, event: str, payload: dict[str, Any], sha: str, pull: Pull | None = None, only: str = ""
    ) -> list[Run]:
        if pull:
            self.store.last_seen[pull.number] = sha
        payload["repository"] = {
            "full_name": self.store.name, "name": self.store.name.split("/")[1], "default_branch": "main",
            "owner": {"login": self.store.name.split("/")[0]}, "html_url": f"{self.server.url}/{self.store.name}",
        }  # fmt: skip
        checkout = self._checkout(sha)
        found = []
        for file in sorted((checkout / ".github" / "workflows").glob("*.yml")):
            workflow = yaml.safe_load(file.read_text())
            if only and file.name != only:
                continue
            if _triggered(workflow.get("on", workflow.get(True)), event, payload):
                found.append(self._run(file, workflow, event, payload, checkout, pull, sha))
        shutil.rmtree(checkout)
        return found

    def _checkout(self, sha: str) -> Path:
        """The workflow files of a commit, for act to read."""
        self._id += 1
        folder = self.folder / f"checkout-{self._id}"
        environment = os.environ | IDENTITY | {"GIT_SSL_CAINFO": str(self.server.ca)}
        for command in (
            ["git", "clone", "--quiet", self.server.remote(), str(folder)],
            ["git", "-C", str(folder), "fetch", "--quiet", "origin", sha],
            ["git", "-C", str(folder), "checkout", "--quiet", "--detach", sha],
        ):
            subprocess.run(command, env=environment, check=True)
        return folder

    def _run(
        self,
        file: Path,
        workflow: dict[str, Any],
        event: str,
        payload: dict[str, Any],
        checkout: Path,
        pull: Pull | None,
        sha: str,
    ) -> Run:
        self._id += 1
        run = Run(self._id, workflow["name"], "", "")
        fork = pull is not None and pull.repository != self.store.name
        granted = _permissions(workflow)
        if fork and event.startswith("pull_request"):
            granted = dict.fromkeys(granted, "read")
        token = f"job-token-{run.id}"
        self.store.tokens[token] = Token(BOT, granted)
        events = self.folder / f"event-{run.id}.json"
        events.write_text(json.dumps(payload))
        secrets = {"GITHUB_TOKEN": token} | ({} if fork else SECRETS)
        environment = {
            "GITHUB_API_URL": f"{self.server.url}/api/v3", "CI": "true", "GIT_SSL_CAINFO": str(self.server.ca),
            "REQUESTS_CA_BUNDLE": str(self.server.ca), "NODE_EXTRA_CA_CERTS": str(self.server.ca),
            "HARNESS_BIN": str(BIN), "HARNESS_SHIMS": str(Path(__file__).parent / "bin"),
            "HARNESS_REMOTE": self.server.remote(), "HARNESS_SHA": sha, "HARNESS_ARTIFACTS": str(self.artifacts), "HARNESS_RUN": str(run.id),
            "HARNESS_CML": str(self._cml or "/nonexistent"), "PIP_NO_INDEX": "1", "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self.folder / "dvc-site"), "MODELYARD_FORGE_TIMEOUT": str(self.forge_seconds),
            "GIT_CONFIG_NOSYSTEM": "1", **(self.installing or {"PYTHONPATH": AS_INSTALLED}), **self.given,
        }  # fmt: skip
        command = [
            str(BIN / "act"), event, "-W", str(file.relative_to(checkout)), "-e", str(events), "-P", "ubuntu-latest=-self-hosted",
            "--no-skip-checkout", "--no-cache-server", "--container-daemon-socket", "-", "--github-instance", self.server.host,
            "--concurrent-jobs", "2", "--actor", "somebody", "--json",
            *(part for name, value in environment.items() for part in ("--env", f"{name}={value}")),
            *(part for name, value in self.variables.items() for part in ("--var", f"{name}={value}")),
            *(part for name in secrets for part in ("-s", name)),
            *(part for use in _uses(checkout) for part in ("--local-repository", use)),
        ]  # fmt: skip
        clean = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "DOCKER_HOST": "unix:///nonexistent.sock",
            **secrets,
        }
        done = subprocess.run(
            command, cwd=checkout, env=clean, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=30 * 60,
        )  # fmt: skip
        run.log = _readable(done.stdout) + done.stderr
        assert "Skipping unsupported platform" not in done.stdout + done.stderr, run.log
        run.conclusion = "success" if done.returncode == 0 else "failure"
        for secret in secrets.values():
            assert secret not in run.log, f"{file.name} prints a secret"
        for line in done.stdout.splitlines():
            entry = json.loads(line) if line.startswith("{") else {}
            if "jobResult" in entry:
                run.jobs[entry["job"].split("/", 1)[-1].strip()] = entry["jobResult"]
        self.runs.append(run)
        return run

    def _pull(self, pull: Pull) -> dict[str, Any]:
        owner = pull.repository.split("/")[0]
        fork = pull.repository != self.store.name
        head_repository = {"full_name": pull.repository, "fork": fork, "owner": {"login": owner}}
        return {
            "number": pull.number, "user": {"login": pull.user}, "title": pull.title,
            "head": {"ref": pull.branch, "sha": self.store.head(pull), "repo": head_repository},
            "base": {"ref": pull.base, "sha": self._main(), "repo": {"full_name": self.store.name}},
        }  # fmt: skip

    def _main(self) -> str:
        return self.store.head_of(self.store.name, "main")


def _triggered(triggers: Any, event: str, payload: dict[str, Any]) -> bool:
    """Whether ``on:`` asks for an event: types and branches, as GitHub reads them."""
    if isinstance(triggers, str):
        triggers = [triggers]
    if isinstance(triggers, list):
        triggers = dict.fromkeys(triggers)
    if event not in triggers:
        return False
    wanted = triggers[event] or {}
    if event == "schedule":
        return True
    default = {"pull_request": ["opened", "synchronize", "reopened"]}.get(event)
    types = wanted.get("types", default)
    if types and payload.get("action") not in types:
        return False
    if event == "workflow_run":
        return payload["workflow_run"]["name"] in wanted["workflows"]
    branches = wanted.get("branches")
    assert not {"paths", "paths-ignore", "branches-ignore", "tags"} & wanted.keys(), (
        "the harness does not know this filter"
    )
    if branches:
        base = (
            payload["pull_request"]["base"]["ref"]
            if "pull_request" in payload
            else payload["ref"].removeprefix("refs/heads/")
        )
        return any(fnmatchcase(base, pattern) for pattern in branches)
    return True


def _permissions(workflow: dict[str, Any]) -> dict[str, str]:
    """The most that any job of a workflow was granted; act gives all jobs one token."""
    assert workflow["permissions"] == {}, "permissions must be empty on top"
    granted: dict[str, str] = {}
    for job in workflow["jobs"].values():
        for what, level in (job.get("permissions") or {}).items():
            if _ORDER[level] > _ORDER[granted.get(what, "none")]:
                granted[what] = level
    return granted


def _uses(checkout: Path) -> list[str]:
    """act's stand-ins: every remote action of the rendered files must have one."""
    found = set()
    for file in (checkout / ".github").rglob("*.yml"):
        for action, ref in re.findall(r"uses: ([\w-]+/[\w-]+)@(\S+)", file.read_text()):
            stub = STUBS / action.split("/")[1]
            assert stub.is_dir(), f"{action} has no stand-in"
            found.add(f"{action}@{ref}={stub}")
    return sorted(found)


def _readable(output: str) -> str:
    lines = []
    for line in output.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            lines.append(line)
            continue
        if entry.get("msg", "").strip():
            lines.append(f"[{entry.get('job', '')}|{entry.get('step', '')}] {entry['msg'].rstrip()}")
    return "\n".join(lines)
