"""The layout of the evidence branch.

=====================================  =========================================================================
``<model>/<sha256 of the artifact>/``  evidence, reports and signature of one artifact
``<model>/approvals/<tag>.json``       the approvals behind a registration or a deployment
``<model>/tags/<tag>``                 a copy of every registry tag; a tag counts only if it equals its copy
``<model>/pending/<tag>``              a tag that a run began to write; the next run completes it
``changes/<commit>.json``              the approvals of each change of the default branch
``pulls/<number>/``                    reports that the reviewers of a pull request saw
``pulls/<number>/verdict.json``        which champions the verdict on a pull request is about
``pulls/pending/<tracker>/``           runs of proposals that a tracker did not take yet
``<model>/locks/<sha256>/``             a dvc.lock that runs of CI left, by its digest, and what was measured
``<model>/runs/<version>.<tracker>``   that a version has a run in a tracker, and its address
``<model>/imports/<tag>.json``         evidence of an imported version: what is known, and what is not
``refused/``, ``incidents/``           deployments refused for lack of approval; detected rewrites of this branch
=====================================  =========================================================================

Evidence is stored by digest, so ``register`` finds the evidence of a pull request on any machine.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from modelyard.checkout.evidence_branch import SUPERSEDED, EvidenceBranch
from modelyard.evidence.approval import ApprovalRecord
from modelyard.evidence.statement import write_statement
from modelyard.registry.history import Tag
from modelyard.registry.tags import VersionRecord, has_record, parse_tag

TAKEN = ("pulls", "refused", "incidents", "changes")
"""Folders of the branch that are no model's."""
_INTENT = re.compile(rf"(?!({'|'.join(TAKEN)})/)[^/]+/pending/(?!{SUPERSEDED}/)")
_COPY = re.compile(rf"(?!({'|'.join(TAKEN)})/).+?/tags/(?!{SUPERSEDED}/)")


class EvidenceStore(EvidenceBranch):
    """The evidence branch, read and written by model, artifact and tag."""

    def file_evidence(
        self, model: str, artifact: str, documents: Mapping[str, bytes], reports: Mapping[str, bytes], message: str
    ) -> str:
        """Files evidence (kind → content) and reports (file name → content) of an artifact; returns the commit."""
        return self.append(evidence_files(model, artifact, documents, reports), message)

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

    def adopted(self, tags: Iterable[Tag]) -> dict[str, VersionRecord]:
        """Tag name → the record of its import, of those tags of GTO that ``import gto`` filed with evidence.

        Evidence that cannot be read gives a record that says no more than that the tag was imported.
        """
        bare = [tag.name for tag in tags if tag.annotated and not has_record(tag.message)]
        places = {import_of(parsed.model, name): name for name in bare if (parsed := parse_tag(name))}
        if not places:
            return {}
        listed = self.listed(*{f"{path.partition('/imports/')[0]}/imports/" for path in places})
        found = {path: sha for path, sha in listed.items() if path in places}
        blobs = self.git.blobs(found.values())
        return {places[path]: _record_of(blobs[sha]) for path, sha in found.items()}

    def pending(self, *models: str) -> dict[str, dict[str, bytes]]:
        """Model → tag name → tag object, of tags that a run began to write (of these models, or of all)."""
        listed = self.listed(*(f"{model}/pending/" for model in models))
        paths = {path: sha for path, sha in listed.items() if _INTENT.match(path)}
        blobs = self.git.blobs(paths.values())
        found: dict[str, dict[str, bytes]] = {}
        for path, sha in paths.items():
            model, _, name = path.partition("/pending/")
            found.setdefault(model, {})[name] = blobs[sha]
        return found


def evidence_files(
    model: str, artifact: str, documents: Mapping[str, bytes], reports: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Path on the branch → content, of evidence (kind → content) and reports (file name → content) of an artifact."""
    named = {f"{kind}.json": content for kind, content in documents.items()} | dict(reports)
    return {f"{_folder(model, artifact)}/{name}": content for name, content in named.items()}


def approvals_file(model: str, artifact: str, tag: str, records: Sequence[ApprovalRecord]) -> dict[str, bytes]:
    """The path and the content of the approvals behind a tag."""
    return {f"{model}/approvals/{tag}.json": write_statement("approval", model, artifact, {"changes": tuple(records)})}


def digests(model: str, files: Mapping[str, bytes], known: Iterable[str] = ()) -> dict[str, str]:
    """Path below the model's folder → sha256 of files of the branch, without evidence of the ``known`` kinds."""
    left_out = {f"{kind}.json" for kind in known}
    return {
        path.removeprefix(f"{model}/"): hashlib.sha256(content).hexdigest()
        for path, content in files.items()
        if path.rpartition("/")[2] not in left_out
    }


def copy_of(model: str, tag: str) -> str:
    """The path of the copy of a tag."""
    return f"{model}/tags/{tag}"


def intent_of(model: str, tag: str) -> str:
    """The path of a tag that a run begins to write."""
    return f"{model}/pending/{tag}"


def import_of(model: str, tag: str) -> str:
    """The path of the evidence of an imported tag."""
    return f"{model}/imports/{tag}.json"


def report_blobs(files: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """(model, artifact) → blob SHA of its HTML report; ``files`` are those of ``EvidenceBranch.listed``."""
    found = {}
    for path, sha in files.items():
        model, _, rest = path.partition("/")
        if rest.endswith("/report.html") and SUPERSEDED not in rest:
            found[model, rest.removesuffix("/report.html")] = sha
    return found


class _Import(msgspec.Struct, frozen=True):
    record: VersionRecord


def _record_of(content: bytes) -> VersionRecord:
    try:
        record = msgspec.json.decode(content, type=_Import).record
    except (msgspec.MsgspecError, RecursionError):
        return VersionRecord("", imported="a registry that its evidence does not name")
    # An import says nothing that only a measurement or an approval here can say.
    return VersionRecord(
        "", data=record.data, params=record.params, metrics=record.metrics, reasons=record.reasons, by=record.by,
        imported=record.imported or "another registry",
    )  # fmt: skip


def _folder(model: str, artifact: str) -> str:
    return f"{model}/{artifact}"
