"""What is filed where on the evidence branch.

====================================  ==========================================================================
``<model>/<sha256 of the artifact>/``  evidence, reports, signature: it is about bytes, so they are its address
``<model>/approvals/<tag>.json``       who approved that a version was registered or went somewhere
``<model>/tags/<tag>``                 a copy of every registry tag: a tag can be deleted or moved, the copy tells
``pulls/<number>/``                    what the reviewers of a pull request saw
``refused/``, ``incidents/``           deliveries that were refused; rewrites of this branch that were noticed
====================================  ==========================================================================

A proposal files under its artifact, and ``register`` on the default branch finds it there, whichever machine made it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from modelyard.checkout.evidence_branch import SUPERSEDED, EvidenceBranch
from modelyard.evidence.approval import ApprovalRecord
from modelyard.evidence.statement import write_statement
from modelyard.registry.tags import model_patterns

_COPY = re.compile(rf"(?!pulls/|refused/|incidents/).+?/tags/(?!{SUPERSEDED}/)")


class EvidenceStore(EvidenceBranch):
    """The evidence branch by what is filed on it."""

    def file_evidence(
        self, model: str, artifact: str, documents: Mapping[str, bytes], reports: Mapping[str, bytes], message: str
    ) -> str:
        """Adds evidence (by kind) and reports (by file name) to the artifact's folder; the commit."""
        named = {f"{kind}.json": content for kind, content in documents.items()} | dict(reports)
        filed_as = {f"{_folder(model, artifact)}/{name}": content for name, content in named.items()}
        return self.append(filed_as | self._uncopied(model), message)

    def file_tags(self, *models: str) -> None:
        """Copies the models' tags that have no copy yet: the newest, and what a killed run left."""
        if models and (copies := self._uncopied(*models)):
            self.append(copies, f"Copies of {', '.join(path.rpartition('/')[2] for path in sorted(copies))}")

    def file_approvals(self, model: str, artifact: str, said: Mapping[str, Sequence[ApprovalRecord]]) -> None:
        """Files, by tag, who approved that a version was registered or went somewhere (where that is not filed yet),
        and copies of the model's tags.
        """
        contents = {
            f"{model}/approvals/{tag}.json": write_statement("approval", model, artifact, {"changes": approvals})
            for tag, approvals in said.items()
        }
        there = self.filed(*contents)
        new = {path: content for path, content in contents.items() if path not in there} | self._uncopied(model)
        if new:
            self.append(new, f"{', '.join(said)}: approvals")

    def has_approvals(self, model: str, tag: str) -> bool:
        """Whether the approvals behind a tag are filed."""
        path = f"{model}/approvals/{tag}.json"
        return path in self.listed(path)

    def documents(self, model: str, artifact: str) -> dict[str, bytes]:
        """Kind → bytes of the evidence filed about an artifact, here or as last fetched from the remote."""
        return {
            name.removesuffix(".json"): content
            for name, content in self.files(model, artifact).items()
            if name.endswith(".json")
        }

    def files(self, model: str, artifact: str) -> dict[str, bytes]:
        """File name → bytes of everything filed about an artifact, without what it superseded."""
        folder = f"{_folder(model, artifact)}/"
        return {
            path.removeprefix(folder): content
            for path, content in self.filed(folder).items()
            if "/" not in path.removeprefix(folder)
        }

    def tags(self, model: str) -> dict[str, bytes]:
        """Tag name → its object as it was filed."""
        folder = f"{model}/tags/"
        return {
            path.removeprefix(folder): content
            for path, content in self.filed(folder).items()
            if "superseded/" not in path
        }

    def all_documents(self, artifacts: Iterable[tuple[str, str]]) -> dict[tuple[str, str], dict[str, bytes]]:
        """(model, artifact) → kind → bytes, for many artifacts in two processes."""
        wanted = {_folder(*pair): pair for pair in artifacts}
        found: dict[tuple[str, str], dict[str, bytes]] = {pair: {} for pair in wanted.values()}
        if not wanted:
            return found
        places = {}
        for path, sha in self.listed().items():
            folder, _, name = path.rpartition("/")
            if folder in wanted and name.endswith(".json"):
                places[folder, name.removesuffix(".json")] = sha
        blobs = self.git.blobs(places.values())
        for (folder, kind), sha in places.items():
            found[wanted[folder]][kind] = blobs[sha]
        return found

    def all_tags(self) -> dict[str, bytes]:
        """Tag name → its object as it was filed, of every model."""
        found = {path: sha for path, sha in self.listed().items() if _COPY.match(path)}
        blobs = self.git.blobs(found.values())
        return {path.partition("/tags/")[2]: blobs[sha] for path, sha in found.items()}

    def _uncopied(self, *models: str) -> dict[str, bytes]:
        patterns = [pattern for model in models for pattern in model_patterns(model)]
        tags = self.git.tags(*patterns)
        wanted = {f"{_model_of(tag.name)}/tags/{tag.name}": tag.object for tag in tags if tag.annotated}
        there = self.listed(*(f"{model}/tags/" for model in models))
        missing = {path: sha for path, sha in wanted.items() if path not in there}
        contents = self.git.blobs(missing.values())
        return {path: contents[sha] for path, sha in missing.items()}


def report_blobs(files: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """(model, artifact) → SHA of the blob of its HTML report, of files as they are ``listed``."""
    found = {}
    for path, sha in files.items():
        model, _, rest = path.partition("/")
        if rest.endswith("/report.html") and SUPERSEDED not in rest:
            found[model, rest.removesuffix("/report.html")] = sha
    return found


def _model_of(tag: str) -> str:
    return re.split("[@#]", tag, maxsplit=1)[0]


def _folder(model: str, artifact: str) -> str:
    return f"{model}/{artifact}"
