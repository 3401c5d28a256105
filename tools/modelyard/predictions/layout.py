"""The folder of a ``local`` environment: ``deploy`` writes it, the server follows it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct, field

from modelyard.documents import encode
from modelyard.errors import ModelyardError
from modelyard.files import write_whole
from modelyard.rollout.plan import Live, Traffic


class State(Struct, frozen=True):
    """The content of ``state.json``: the desired traffic and the installed versions of each model."""

    models: dict[str, Live] = field(default_factory=dict)

    def with_model(self, name: str, live: Live) -> State:
        """The state with one model changed; a model without traffic and versions is removed."""
        others = {known: state for known, state in self.models.items() if known != name}
        return State(others | ({name: live} if live.traffic or live.installed else {}))


class ServerReport(Struct, frozen=True):
    """The content of ``server.json``: the observed state, written by the server."""

    pid: int = 0
    host: str = ""
    port: int = 0
    started: float = 0.0
    state_read: str = ""
    """Stamp of the ``state.json`` that it applied last."""
    traffic: dict[str, Traffic] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    """Model → why the version it should serve cannot be loaded."""
    probes: dict[str, dict[str, str]] = field(default_factory=dict)
    """Model → version → how it answered its probe rows, such as 100/100; '' where none were registered."""


S = TypeVar("S", State, ServerReport)
PROBE = "probe.json"


class Layout(Struct, frozen=True):
    """Paths of one environment's folder."""

    folder: Path

    @classmethod
    def of(cls, root: Path, environment: str, folder: str = "") -> Layout:
        """The layout of an environment: in the folder that its manifest names, else below ``root``."""
        return cls(root / Path(folder).expanduser() if folder else root / ".modelyard" / "local" / environment)

    @property
    def lock(self) -> Path:
        """The lock file that a running server holds."""
        return self.folder / "server.lock"

    @property
    def logs(self) -> Path:
        """The folder of prediction logs, with one folder per model."""
        return self.folder / "log"

    def version_folder(self, model: str, version: str) -> Path:
        """Where one version is: ``artifact/``, ``model.yaml``, ``probe.json``, and the files of its own scorer."""
        return self.folder / "models" / model / version

    def read_state(self) -> State:
        """The desired state; empty before the first deployment."""
        return _read(self.folder / "state.json", State)

    def write_state(self, state: State) -> None:
        """Replaces the desired state in one rename."""
        write_whole(self.folder / "state.json", encode(state, order="sorted"))

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Holds the lock of the state: ``deploy`` writes it, and the server when an operator asks it to."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "state.lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def state_stamp(self) -> str:
        """A stamp that changes whenever ``state.json`` is replaced; '' when there is none."""
        try:
            found = (self.folder / "state.json").stat()
        except FileNotFoundError:
            return ""
        return f"{found.st_ino}-{found.st_mtime_ns}"

    def read_report(self) -> ServerReport:
        """The observed state that the server wrote last."""
        return _read(self.folder / "server.json", ServerReport)

    def write_report(self, report: ServerReport) -> None:
        """Replaces the observed state in one rename."""
        write_whole(self.folder / "server.json", encode(report, order="sorted"))

    def server_is_up(self) -> bool:
        """Whether a running process holds the server's lock."""
        try:
            with self.lock.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False


def artifact_in(folder: Path, name: str) -> Path:
    """The artifact in a version's folder. It keeps its file name, by which some libraries know its format."""
    return folder / "artifact" / Path(name).name


def _read(path: Path, kind: type[S]) -> S:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return kind()
    except (OSError, msgspec.MsgspecError) as error:
        raise ModelyardError(f"{path} cannot be read: {error}.", "Remove the file and deploy again.") from error
