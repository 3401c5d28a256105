"""The static site of the model registry: data read with a few git calls, pages written when they change."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path

from modelyard.checkout.checkout import Checkout
from modelyard.checkout.evidence_store import report_blobs
from modelyard.checkout.rules import granted_waivers
from modelyard.checkout.tracking import run_links
from modelyard.errors import ModelyardError, missing_extra
from modelyard.evidence.bundle import read_bundle
from modelyard.evidence.production import ShownWindow
from modelyard.evidence.statement import read_statement
from modelyard.evidence.training import Training
from modelyard.files import write_whole
from modelyard.gate.waivers import WaiverState, waiver_states
from modelyard.git import TagRef
from modelyard.manifests.repository import model_file
from modelyard.production.monitoring.watch import window_blobs
from modelyard.registry.history import ModelHistory, RegisteredVersion, read_registry
from modelyard.registry.lineage import Lineage, Source, lineage_up
from modelyard.registry.tags import parse_tag
from modelyard.report.html.site import Desired, ModelPage, index_page, model_page
from modelyard.report.html.site import model_file as page_file
from modelyard.report.markdown.card import Card, render_card

_STATE = ".site.json"
_WINDOWS = 12
"""Monitoring windows shown per model and environment."""


def build_site(checkout: Checkout, out: Path, title: str, say: Callable[[str], None]) -> tuple[int, int]:
    """Writes the site; returns the number of model pages, and how many of them changed."""
    gathered = _Gathered(checkout, datetime.now(UTC).date())
    state = _read_state(out / _STATE)
    environments = [environment.name for environment in checkout.repository.config.environments]
    known: dict[str, str] = {}
    pages, changed = [], 0
    for name in gathered.names:
        digest = gathered.digest(name, title)
        known[name] = digest
        page = gathered.page(name)
        pages.append(page)
        target = out / page.file
        if state.get(name) == digest and target.is_file():
            continue
        changed += 1
        if changed % 50 == 0:
            say(f"  {changed} pages …")
        write_whole(target, model_page(title, environments, page, gathered.card(page)).encode())
        for version, address in page.reports.items():
            if not (out / address).is_file():
                write_whole(out / address, gathered.report(name, version))
    write_whole(out / "index.html", index_page(title, environments, pages).encode())
    write_whole(out / _STATE, json.dumps(known, sort_keys=True).encode())
    for name in state.keys() - known.keys():
        (out / page_file(name)).unlink(missing_ok=True)
    return len(pages), changed


class _Gathered:
    """The data of all pages, read with a few git calls for any number of models."""

    def __init__(self, checkout: Checkout, today: date) -> None:
        checkout.require_tags()
        repository, git = checkout.repository, checkout.git
        self._repository, self._git = repository, git
        tags = git.tags()
        self._tags: dict[str, list[TagRef]] = {}
        for tag in tags:
            if (parsed := parse_tag(tag.name)) and tag.annotated:
                self._tags.setdefault(parsed.model, []).append(tag)
        self._adopted = checkout.evidence.adopted(tags)
        self._registry = read_registry(tags, None, self._adopted)
        self._folders = set(repository.model_names())
        self.names = sorted(self._folders | set(self._registry.models))
        self._desired: dict[str, list[Desired]] = {}
        for environment, deployment in repository.deployments():
            self._desired.setdefault(deployment.model, []).append(
                Desired(environment, deployment.version, tuple(deployment.readmit))
            )
        waivers = repository.waivers()
        self._waivers = waiver_states(waivers, granted_waivers(git, "HEAD") if waivers else [], today)
        order = [environment.name for environment in repository.config.environments]
        self._shown = {name: _shown(self._registry.history(name), order) for name in self.names}
        of_commit = [_code(version) for version in self._shown.values() if version]
        self._commits = {commit.sha: commit for commit in git.commits(of_commit)}
        artifacts = [(n, v.record.artifact) for n, v in self._shown.items() if v and v.record]
        self._documents = checkout.evidence.all_documents(artifacts)
        files = checkout.evidence.listed()
        self._reports = report_blobs(files)
        noted = {path: sha for path, sha in files.items() if "/runs/" in path}
        blobs = git.blobs(noted.values())
        self._runs: dict[str, dict[str, dict[str, str]]] = {}
        for (model, version), links in run_links({path: blobs[sha] for path, sha in noted.items()}).items():
            self._runs.setdefault(model, {})[version] = links
        self._windows = window_blobs(files, _WINDOWS)
        self._contents = git.blobs(sha for shas in self._windows.values() for sha in shas)

    def digest(self, name: str, title: str) -> str:
        """A digest of everything that the page of a model shows."""
        shown = self._shown[name]
        parts: list[object] = [metadata.version("modelyard"), title, self._desired.get(name), self._of_model(name)]
        parts += [(tag.object, self._adopted.get(tag.name)) for tag in self._tags.get(name, ())]
        parts.append((self._repository.root / model_file(name)).read_bytes() if name in self._folders else b"")
        parts += sorted(self._filed(name, shown).items())
        parts += sorted(self._addresses(name).items())
        parts += self._windows.get(name, ())
        parts.append(self._runs.get(name))
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def page(self, name: str) -> ModelPage:
        """The content of a model's page, without its card."""
        history = self._registry.history(name)
        manifest = self._repository.model(name) if name in self._folders else None
        desired = tuple(self._desired.get(name, ()))
        return ModelPage(
            name=name,
            history=history,
            manifest=manifest,
            desired=desired,
            lineage=self._lineage(name),
            reports=self._addresses(name),
            waivers=self._of_model(name),
            runs=self._runs.get(name, {}),
            windows=tuple(self._shown_windows(name)),
        )

    def _shown_windows(self, name: str) -> Iterator[ShownWindow]:
        for sha in self._windows.get(name, ()):
            with contextlib.suppress(ModelyardError):  # filed by another release of the toolkit
                yield read_statement(self._contents[sha], "monitoring", ShownWindow).predicate

    def card(self, page: ModelPage) -> str:
        """The model card as HTML; '' for a model without a version or without a folder."""
        if page.lineage is None or page.manifest is None:
            return ""
        filed = self._filed(page.name, self._shown[page.name])
        card = Card(page.manifest, page.lineage, read_bundle(page.name, page.lineage.artifact, filed))
        return _html(render_card(card).split("---\n", 2)[2])

    def report(self, name: str, version: str) -> bytes:
        """The filed HTML report of a version."""
        known = self._registry.history(name).known(version)
        sha = self._reports[name, known.record.artifact if known and known.record else ""]
        return self._git.blobs([sha])[sha]

    def _addresses(self, name: str) -> dict[str, str]:
        return {
            version.version: f"reports/{name.replace('/', '~')}/{version.record.artifact[:16]}.html"
            for version in self._registry.history(name).all_versions
            if version.record and (name, version.record.artifact) in self._reports
        }

    def _filed(self, name: str, version: RegisteredVersion | None) -> dict[str, bytes]:
        return self._documents.get((name, version.record.artifact), {}) if version and version.record else {}

    def _of_model(self, name: str) -> tuple[WaiverState, ...]:
        return tuple(state for state in self._waivers if state.model == name)

    def _lineage(self, name: str) -> Lineage | None:
        version = self._shown[name]
        if version is None:
            return None
        commit = self._commits.get(_code(version))
        sources = [Source(path, md5) for path, md5 in (version.record.data if version.record else {}).items()]
        packages: dict[str, str] = {}
        if content := self._filed(name, version).get("training"):
            with contextlib.suppress(ModelyardError):  # audit check reports such faults
                packages = read_statement(content, "training", Training).predicate.packages
        origin = (commit.subject, commit.author) if commit else ("", "")
        return lineage_up(self._registry.history(name), version, origin, sources, packages)


def _shown(history: ModelHistory, environments: list[str]) -> RegisteredVersion | None:
    """The version that the last environment with an assignment serves, else the latest version."""
    for environment in reversed(environments):
        if (assigned := history.assigned(environment)) and (found := history.known(assigned.version)):
            return found
    return history.latest


def _code(version: RegisteredVersion) -> str:
    return version.record.code if version.record and version.record.code else version.commit


def _read_state(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}  # a first or an interrupted run: all pages are written
    return found if isinstance(found, dict) else {}


def _html(markdown: str) -> str:
    try:
        from markdown_it import MarkdownIt
    except ImportError as error:
        raise missing_extra("report", "markdown-it-py") from error
    # A card is untrusted text of a pull request: no raw HTML, no script links.
    rendered: str = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image").render(markdown)
    return rendered
