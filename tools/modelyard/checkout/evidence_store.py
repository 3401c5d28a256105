"""The layout of the evidence branch.

=====================================  =========================================================================
``<model>/<sha256 of the artifact>/``  evidence, reports and signature of one artifact
``<model>/approvals/<tag>.json``       the approvals behind a registration or a deployment
``<model>/tags/<tag>``                 a copy of every registry tag, to detect deleted and moved tags
``pulls/<number>/``                    reports that the reviewers of a pull request saw
``refused/``, ``incidents/``           deployments refused for lack of approval; detected rewrites of this branch
=====================================  =========================================================================

Evidence is stored by digest, so ``register`` finds the evidence of a pull request on any machine.
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
    """The evidence branch, read and written by model, artifact and tag."""

    def file_evidence(
        self, model: str, artifact: str, documents: Mapping[str, bytes], reports: Mapping[str, bytes], message: str
    ) -> str:
        """Files evidence (kind → content) and reports (file name → content) of an artifact; returns the commit."""
        named = {f"{kind}.json": content for kind, content in documents.items()} | dict(reports)
        filed_as = {f"{_folder(model, artifact)}/{name}": content for name, content in named.items()}
        return self.append(filed_as | self._tags_without_copy(model), message)

    def file_tags(self, *models: str) -> None:
        """Files copies of the models' tags that have none yet."""
        if models and (copies := self._tags_without_copy(*models)):
            self.append(copies, f"Copies of {', '.join(path.rpartition('/')[2] for path in sorted(copies))}")

    def file_approvals(self, model: str, artifact: str, approvals: Mapping[str, Sequence[ApprovalRecord]]) -> None:
        """Files approvals (tag → records) that are not filed yet, and copies of the model's tags."""
        contents = {
            f"{model}/approvals/{tag}.json": write_statement("approval", model, artifact, {"changes": records})
            for tag, records in approvals.items()
        }
        there = self.filed(*contents)
        new = {path: content for path, content in contents.items() if path not in there} | self._tags_without_copy(
            model
        )
        if new:
            self.append(new, f"{', '.join(approvals)}: approvals")

    def has_approvals(self, model: str, tag: str) -> bool:
        """Whether the approvals behind a tag are filed."""
        path = f"{model}/approvals/{tag}.json"
        return path in self.listed(path)

    def documents(self, model: str, artifact: str) -> dict[str, bytes]:
        """Kind → content of the evidence of an artifact, local or as last fetched."""
        return {
            name.removesuffix(".json"): content
            for name, content in self.files(model, artifact).items()
            if name.endswith(".json")
        }

    def files(self, model: str, artifact: str) -> dict[str, bytes]:
        """File name → content of everything filed for an artifact, without superseded files."""
        folder = f"{_folder(model, artifact)}/"
        return {
            path.removeprefix(folder): content
            for path, content in self.filed(folder).items()
            if "/" not in path.removeprefix(folder)
        }

    def tags(self, model: str) -> dict[str, bytes]:
        """Tag name → filed tag object, for one model."""
        folder = f"{model}/tags/"
        return {
            path.removeprefix(folder): content
            for path, content in self.filed(folder).items()
            if f"{SUPERSEDED}/" not in path
        }

    def all_documents(self, artifacts: Iterable[tuple[str, str]]) -> dict[tuple[str, str], dict[str, bytes]]:
        """(model, artifact) → kind → content, for many artifacts with two git processes."""
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
        """Tag name → filed tag object, for every model."""
        found = {path: sha for path, sha in self.listed().items() if _COPY.match(path)}
        blobs = self.git.blobs(found.values())
        return {path.partition("/tags/")[2]: blobs[sha] for path, sha in found.items()}

    def _tags_without_copy(self, *models: str) -> dict[str, bytes]:
        patterns = [pattern for model in models for pattern in model_patterns(model)]
        tags = self.git.tags(*patterns)
        wanted = {f"{_model_of(tag.name)}/tags/{tag.name}": tag.object for tag in tags if tag.annotated}
        there = self.listed(*(f"{model}/tags/" for model in models))
        missing = {path: sha for path, sha in wanted.items() if path not in there}
        contents = self.git.blobs(missing.values())
        return {path: contents[sha] for path, sha in missing.items()}


def report_blobs(files: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """(model, artifact) → blob SHA of its HTML report; ``files`` are those of ``EvidenceBranch.listed``."""
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
