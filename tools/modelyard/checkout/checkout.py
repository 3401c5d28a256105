"""One clone of a model repository, opened once, and each of its models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from modelyard.checkout.evidence_store import EvidenceStore
from modelyard.checkout.proof import require_evidence
from modelyard.dvc import Dvc
from modelyard.errors import Blocked, Refused, UsageError
from modelyard.git import Git, TagRef, object_id
from modelyard.manifests.model import Model
from modelyard.manifests.repository import ModelRepository
from modelyard.registry.history import ModelHistory, RegisteredVersion, Registry, read_registry
from modelyard.registry.tags import model_patterns

if TYPE_CHECKING:
    from modelyard.checkout.rules import Rules


class Checkout:
    """Repository, Git, DVC, registry and evidence store of one clone.

    Everything is loaded on first use and kept. Callers that write or fetch tags call ``reread``.
    """

    def __init__(self, root: Path, settings: dict[str, str] | None = None, *, stage_output: bool = False) -> None:
        """``stage_output``: whether people see what pipeline stages print; else only a failed stage's last lines."""
        self.root = root
        self.git = Git(root, settings)
        self.repository = ModelRepository(root)
        self.dvc = Dvc(root, stage_output=stage_output)
        self.evidence = EvidenceStore(self.git)
        self._models: dict[str, ModelView] = {}
        self._histories: dict[str, ModelHistory] = {}
        self._registry: Registry | None = None

    @classmethod
    def find(cls, start: Path) -> Checkout:
        """The clone that contains a folder; UsageError when there is none."""
        return cls(ModelRepository.find(start).root)

    @contextmanager
    def at(self, commit: str) -> Iterator[Checkout]:
        """The same clone at another commit, in a temporary worktree with the same cache and remotes."""
        with TemporaryDirectory(prefix="modelyard-") as scratch:
            folder = Path(scratch) / "worktree"
            with self.git.worktree(folder, commit):
                self.dvc.share_with(folder)
                yield Checkout(folder, stage_output=self.dvc.stage_output)

    @property
    def default_ref(self) -> str:
        """The ref of the default branch: as the remote has it, where there is a remote."""
        name, remote = self.repository.config.default_branch, self.git.remote()
        return f"refs/remotes/{remote}/{name}" if remote else f"refs/heads/{name}"

    @property
    def registry(self) -> Registry:
        """The histories of all models, read once. Only tags that equal their filed copies count."""
        if self._registry is None:
            tags = self.git.tags()
            self._require_any(tags)
            filed = self.filed_tags()
            require_evidence(self.evidence, tags)
            self._registry = read_registry(tags, filed, self.evidence.adopted(tags))
            self._histories = {}
        return self._registry

    def model(self, name: str) -> ModelView:
        """The view of one model; the same object on every call."""
        if name not in self._models:
            self._models[name] = ModelView(self, name)
        return self._models[name]

    def history(self, name: str) -> ModelHistory:
        """The history of one model, read from its tags once; UsageError in a shallow clone without tags.

        Only tags that equal their filed copies count; the others are its strays.
        """
        if self._registry is not None:
            return self._registry.history(name)
        if name not in self._histories:
            tags = self.git.tags(*model_patterns(name))
            filed = self.filed_tags(name)
            require_evidence(self.evidence, tags)
            history = read_registry(tags, filed, self.evidence.adopted(tags)).history(name)
            if not history.versions:
                self._require_tags(name)
            self._histories[name] = history
        return self._histories[name]

    def filed_tags(self, model: str = "") -> dict[str, str]:
        """Tag name → object id of its filed copy, of one model or of all.

        Evidence is fetched if this clone has none.
        """
        if self.evidence.newest() is None:
            self.evidence.refresh()
        copies = self.evidence.tags(model) if model else self.evidence.all_tags()
        kind = self.git.object_format() if copies else ""
        return {name: object_id("tag", content, kind) for name, content in copies.items()}

    def reread(self, name: str, *, fetch: bool = False) -> ModelHistory:
        """The history of a model, read again after tags were written; ``fetch`` gets the remote's tags first."""
        if fetch and (remote := self.git.remote()):
            self.git.fetch_tags(remote, *model_patterns(name))
        self._registry = None
        self._histories.pop(name, None)
        return self.history(name)

    def require_tags(self) -> None:
        """UsageError in a shallow clone that has no tags: what is registered and deployed is not known there."""
        if self.git.is_shallow():
            self._require_any(self.git.tags())

    def _require_any(self, tags: Sequence[TagRef]) -> None:
        remote = self.git.remote() if not tags else None
        if remote and self.git.is_shallow():
            raise UsageError(
                "This clone is shallow and has no tags, so versions and deployments are unknown.",
                f"Run: git fetch --tags {remote}",
            )

    def _require_tags(self, name: str) -> None:
        remote = self.git.remote()
        if remote and self.git.is_shallow():
            raise UsageError(
                f"This clone is shallow and has no tags of {name}, so its versions are unknown.",
                f"Run: git fetch {remote} 'refs/tags/{name}@*:refs/tags/{name}@*'"
                f" 'refs/tags/{name}#*:refs/tags/{name}#*'",
            )


class ModelView:
    """One model of a checkout: manifest, history, champion, versions and rules."""

    def __init__(self, checkout: Checkout, name: str) -> None:
        self.checkout, self.name = checkout, name

    @cached_property
    def manifest(self) -> Model:
        """The manifest ``models/<name>/model.yaml`` of the working tree."""
        return self.checkout.repository.model(self.name)

    @property
    def folder(self) -> Path:
        """The folder ``models/<name>`` of the working tree."""
        return self.checkout.repository.model_folder(self.name)

    @property
    def history(self) -> ModelHistory:
        """Its versions and assignments, as the tags record them."""
        return self.checkout.history(self.name)

    @property
    def champion(self) -> RegisteredVersion | None:
        """The version that the last environment serves, else the latest version; None without any version.

        An imported version is none: nobody here measured it, and its artifact is not known.
        """
        history = self.history
        for environment in reversed(self.checkout.repository.config.environments):
            assigned = history.assigned(environment.name)
            if assigned and assigned.version:
                serving = history.version(assigned.version)
                return serving if serving and not serving.imported else history.latest
        return history.latest

    def version(self, number: str) -> RegisteredVersion:
        """A version by its number, withdrawn or not; UsageError when there is none."""
        return version_of(self.history, number)

    def rules(self, today: date, policy: str | None = None) -> Rules:
        """The rules of the working tree; ``policy`` replaces the policy that model.yaml names."""
        from modelyard.checkout.rules import rules_here

        return rules_here(self.checkout.repository, self.checkout.git, self.manifest, today, policy)


def version_of(history: ModelHistory, number: str) -> RegisteredVersion:
    """A version of a history by its number, withdrawn or not; UsageError when there is none.

    Refused for a version whose tag was moved, and for a tag that modelyard did not file.
    """
    found = history.known(number)
    if found is None:
        tag = f"{history.model}@{number}"
        if tag in history.moved:
            raise Refused(
                f"The tag {tag} was moved after it was filed.",
                "Find out who moved it, then run: modelyard audit check --restore",
            )
        if tag in history.strays:
            raise Blocked(
                f"The tag {tag} was made by hand: it has no filed copy, so nothing proves its version.",
                f"Register a version with modelyard register, and delete that tag: git push origin :refs/tags/{tag}",
            )
        known = ", ".join(known.version for known in history.versions[-5:]) or "none"
        raise UsageError(f"{history.model} has no version {number}.", f"The newest registered versions: {known}.")
    return found
