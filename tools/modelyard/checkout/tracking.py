"""Copies of proposals and versions in the trackers of modelyard.yaml.

A tracker never fails a command: what it did not take is said in one line, and the next command gives it again. Versions
are compared with what the tracker has each time. The run of a proposal, whose evidence is not in Git, is filed until
the tracker took it.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TypeVar

import msgspec
from msgspec import Struct

from modelyard.checkout.checkout import Checkout
from modelyard.documents import encode
from modelyard.errors import ModelyardError
from modelyard.evidence.bundle import read_bundle
from modelyard.installation.toolkit import without_password
from modelyard.manifests.configuration import TrackerSettings
from modelyard.secrets.permission import open_secrets
from modelyard.trackers.discovery import open_tracker
from modelyard.trackers.interface import Found, TrackedRun, Tracker
from modelyard.trackers.runs import VersionState, version_run, version_states

PENDING = "pulls/pending/"
"""Below it, on the evidence branch: runs of proposals that a tracker did not take yet."""
_NEWEST = 100
"""Versions of a model that are compared each time, beside those that an environment serves."""

A = TypeVar("A")


class FiledRun(Struct, frozen=True):
    """The note that a version has a run in a tracker."""

    title: str
    url: str
    state: str


class Tracking:
    """The trackers of one clone. Each is opened when it is first needed, and left alone after its first fault."""

    def __init__(self, checkout: Checkout, say: Callable[[str], None]) -> None:
        self._checkout, self._say = checkout, say
        self._all = checkout.repository.config.trackers
        self._open: dict[str, Tracker] = {}
        self._down: set[str] = set()

    def proposal(self, made: Callable[[], TrackedRun]) -> dict[str, str]:
        """Gives the run of a proposal to every tracker; title → address of its page, where one is known.

        The run is made only where there is a tracker.
        """
        if not self._all:
            return {}
        links: dict[str, str] = {}
        run = made()
        for settings in self._all:
            found = self._written(settings, run)
            if found is None:
                self._wait(settings, run)
            elif found.url:
                links[self._open[_label(settings)].title] = found.url
        return links

    def versions(self, models: Iterable[str]) -> None:
        """Gives every tracker what it lacks of some models' versions, and the proposals that wait for it."""
        for settings in self._all:
            for model in models:
                try:
                    self._versions(settings, model)
                except ModelyardError as error:
                    self._say(f"The versions of {model} were not given to {settings.type}: {error.problem}")
        self.pending()

    def pending(self) -> None:
        """Gives the waiting runs of proposals to their trackers again."""
        for settings in self._all:
            label, done = _label(settings), set[str]()
            if label in self._down:
                continue
            for path, content in self._checkout.evidence.filed(f"{PENDING}{label}/").items():
                try:
                    run = msgspec.json.decode(content, type=TrackedRun)
                except (msgspec.MsgspecError, RecursionError):
                    continue  # another release of the toolkit wrote it
                if self._written(settings, run):
                    done.add(path)
            if done:
                self._append({}, f"{len(done)} runs are in {settings.type} now", frozenset(done))

    def _versions(self, settings: TrackerSettings, model: str) -> None:
        checkout = self._checkout
        environments = [environment.name for environment in checkout.repository.config.environments]
        states = {state.key: state for state in version_states(checkout.history(model), environments, _NEWEST)}
        filed = _filed_runs(checkout.evidence.filed(f"{model}/runs/"))
        paths = {key: runs_file(model, state.version.version, settings.type) for key, state in states.items()}

        def find(tracker: Tracker) -> dict[str, Found]:
            if tracker.remembers:
                return tracker.find(model, list(states))
            return {key: Found(filed[path].state, filed[path].url) for key, path in paths.items() if path in filed}

        found = self._asked(settings, find)
        if found is None:
            return
        for key, state in states.items():
            if key not in found or found[key].state != state.state(model):
                written = self._written(settings, self._run(model, state))
                if written is None:
                    break
                found[key] = written
        title = self._open[_label(settings)].title
        new = {
            paths[key]: encode(FiledRun(title, known.url, known.state), order="sorted")
            for key, known in found.items()
            if known.state == states[key].state(model) and filed.get(paths[key]) != FiledRun(title, *_parts(known))
        }
        if new:
            self._append(new, f"{model}: runs in {title}", frozenset())

    def _run(self, model: str, state: VersionState) -> TrackedRun:
        artifact = state.version.record.artifact if state.version.record else ""
        files = self._checkout.evidence.files(model, artifact)
        documents = {name.removesuffix(".json"): content for name, content in files.items() if name.endswith(".json")}
        return version_run(model, state, read_bundle(model, artifact, documents), files)

    def _written(self, settings: TrackerSettings, run: TrackedRun) -> Found | None:
        """What the tracker has of a run now; None if it did not take it. An equal state is not written again."""

        def write(tracker: Tracker) -> Found:
            there = tracker.find(run.model, [run.key]).get(run.key)
            if there and there.state == run.state:
                return there
            return tracker.write(msgspec.structs.replace(run, repository=self._repository))

        return self._asked(settings, write)

    def _asked(self, settings: TrackerSettings, ask: Callable[[Tracker], A]) -> A | None:
        """The answer of a tracker; None when it has a fault, which is said once."""
        label = _label(settings)
        if label in self._down:
            return None
        try:
            if label not in self._open:
                self._open[label] = open_tracker(settings, self._checkout.root, open_secrets(self._checkout.git))
            return ask(self._open[label])
        except ModelyardError as error:
            why = f"{error.problem} {error.remedy}"
        except Exception as error:  # an adapter of anyone: its fault must not stop a gate
            why = f"{type(error).__name__}."
        self._down.add(label)
        self._say(f"The tracker {settings.type} was not brought up to date, and the next command tries again: {why}")
        return None

    @cached_property
    def _repository(self) -> str:
        """The URL of the git remote without a password; '' where there is none."""
        git = self._checkout.git
        remote = git.remote()
        return without_password(git.remote_url(remote)) if remote else ""

    def _wait(self, settings: TrackerSettings, run: TrackedRun) -> None:
        path = f"{PENDING}{_label(settings)}/{run.key}.json"
        content = encode(run, order="sorted")
        if self._checkout.evidence.filed(path).get(path) != content:
            self._append({path: content}, f"{run.name}: waits for {settings.type}", frozenset())

    def _append(self, files: dict[str, bytes], message: str, drop: frozenset[str]) -> None:
        try:
            self._checkout.evidence.append(files, message, drop=drop)
        except ModelyardError as error:
            self._say(f"The evidence branch was not written: {error.problem}")


def runs_file(model: str, version: str, tracker: str) -> str:
    """The path on the evidence branch of the note that a version has a run in a tracker."""
    return f"{model}/runs/{version}.{tracker}.json"


def run_links(files: Mapping[str, bytes]) -> dict[tuple[str, str], dict[str, str]]:
    """(model, version) → title of a tracker → address of the run, from files of the evidence branch."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for path, filed in _filed_runs(files).items():
        model, _, name = path.partition("/runs/")
        version = name.removesuffix(".json").rpartition(".")[0]
        if filed.url.startswith(("https://", "http://")):
            found.setdefault((model, version), {})[filed.title] = filed.url
    return found


def _filed_runs(files: Mapping[str, bytes]) -> dict[str, FiledRun]:
    found = {}
    for path, content in files.items():
        if "/superseded/" not in path:
            with contextlib.suppress(msgspec.MsgspecError):
                found[path] = msgspec.json.decode(content, type=FiledRun)
    return found


def _parts(found: Found) -> tuple[str, str]:
    return found.url, found.state


def _label(settings: TrackerSettings) -> str:
    place = f"{settings.type} {settings.url} {settings.project}"
    return f"{settings.type}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"
