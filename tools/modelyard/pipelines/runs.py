"""A run of a model's exported pipeline on an engine: found by its commit, submitted once, waited for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from modelyard.adapters import adapter
from modelyard.errors import ModelyardError
from modelyard.manifests.configuration import EngineSettings
from modelyard.secrets.interface import Secrets

State = Literal["waiting", "running", "succeeded", "failed", "cancelled"]


@dataclass(frozen=True)
class RunRequest:
    """What an engine is asked to run: the pipeline of a model at one commit."""

    model: str
    commit: str
    repository: str
    """The URL that the steps clone."""

    @property
    def key(self) -> str:
        """A name of 40 characters that only this model and commit have, allowed as a label of Kubernetes."""
        return hashlib.sha256(f"{self.model}@{self.commit}".encode()).hexdigest()[:40]

    @property
    def title(self) -> str:
        """The name for people."""
        return f"{self.model} at {self.commit[:10]}"


@dataclass(frozen=True)
class EngineRun:
    """A run as the engine reports it."""

    id: str
    state: State
    done: int = 0
    """Finished steps."""
    steps: int = 0
    """Steps that the engine knows of so far; 0 where it does not say."""
    why: str = ""
    """The engine's reason for a failure."""
    address: str = ""
    """The run's page; '' where it is not known."""

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
        return self.state in ("succeeded", "failed", "cancelled")


class RunService(Protocol):
    """One engine's server. Its methods raise ModelyardError where it cannot be reached, or refuses."""

    compiles: bool
    """Whether ``submit`` needs the compiled pipeline of the commit."""

    def find(self, request: RunRequest) -> EngineRun | None:
        """The newest run of a request; None if there is none."""

    def submit(self, request: RunRequest, compiled: bytes) -> EngineRun:
        """Begins a run."""

    def look(self, id: str) -> EngineRun:
        """A run as it is now."""

    def cancel(self, id: str) -> None:
        """Asks the engine to end a run."""


def open_service(settings: EngineSettings, secrets: Secrets) -> RunService:
    """The adapter of an engine of modelyard.yaml; ModelyardError when none of that type is installed."""
    problem = f"modelyard.yaml names an engine of the type {settings.type!r}, which is not installed."
    service: RunService = adapter("runs", settings.type, problem)(settings, secrets)
    return service


def follow(
    service: RunService,
    request: RunRequest,
    compiled: Callable[[], bytes],
    say: Callable[[str], None],
    pause: Callable[[], None],
    *,
    cancel: bool = False,
) -> EngineRun:
    """Finds the request's run or submits one, and waits until it has ended.

    A run that is under way, or that succeeded, is never submitted again: whoever was stopped repeats the request. One
    that failed or was cancelled is. With ``cancel``, Ctrl-C ends the run too. ModelyardError when the run does not
    succeed.
    """
    run = service.find(request)
    if run is None or run.state in ("failed", "cancelled"):
        run = service.submit(request, compiled() if service.compiles else b"")
        say(f"Submitted {request.title}. {run.address}".rstrip())
    else:
        say(f"Found the run of {request.title}. {run.address}".rstrip())
    shown = ""
    try:
        while not run.ended:
            steps = f", {run.done} of {run.steps} steps are done" if run.steps else ""
            if shown != (shown := f"{request.title}: {run.state}{steps}"):
                say(shown)
            pause()
            run = service.look(run.id)
    except KeyboardInterrupt:
        if cancel:
            service.cancel(run.id)
        say("The engine is told to cancel the run." if cancel else "The run goes on; the same command waits for it.")
        raise
    if run.state != "succeeded":
        raise ModelyardError(
            f"The run of {request.title} {'failed' if run.state == 'failed' else 'was cancelled'}"
            f"{f': {run.why}' if run.why else ''}.",
            f"Read its log{f' at {run.address}' if run.address else ''}. The same command submits it anew.",
        )
    return run
