"""A model repository whose Git, targets and forge are in memory, so that a test runs in milliseconds."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace

import pytest
from modelyard.checkout import tags
from modelyard.checkout.artifacts import FetchedVersion
from modelyard.checkout.checkout import Checkout, ModelView
from modelyard.checkout.evidence_store import EvidenceStore, copy_of
from modelyard.deployment import delivery, planning, rollback
from modelyard.deployment.delivery import Deployer
from modelyard.deployment.planning import Planned, Planner
from modelyard.evidence.statement import write_statement
from modelyard.evidence.verdict import Verdict
from modelyard.flavors.probe import Probe
from modelyard.forges.interface import Change, Contribution
from modelyard.gate.approvals import Review
from modelyard.git import CommitInfo, LineCommit, RefRejected, TagRef
from modelyard.manifests.configuration import Environment
from modelyard.manifests.deployment import Analysis, Strategy
from modelyard.manifests.names import Version
from modelyard.registry.history import RegisteredVersion
from modelyard.registry.tags import StageRecord, VersionRecord, stage_tag, version_tag, write_record
from modelyard.rollout.analysis import Samples
from modelyard.rollout.plan import Action, Delivery, Live, Traffic
from modelyard.scoring.probe import Probed
from modelyard.targets.interface import Health, Package

from support.yard import CONFIG, DVC_YAML, MODEL_YAML, write

ARTIFACT = (
    b"tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=0\n"
    b"feature_names=x\nfeature_infos=none\n\nend of trees\n\nfeature_importances:\n\nparameters:\n"
    b"[objective: binary]\n\nend of parameters\n"
)
"""A LightGBM model without trees, a format that deploy trusts."""
START = 1_700_000_000


def digest_of(version: str) -> str:
    """The sha256 that stands for the artifact of a version."""
    return hashlib.sha256(version.encode()).hexdigest()


@dataclass
class _Commit:
    info: CommitInfo
    files: dict[str, str]


class MemoryGit:
    """Git of one clone without a remote. ``calls`` counts the calls of its methods."""

    root = Path("/nowhere")

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.taken: list[str] = []
        """Names of tags that a concurrent run writes just before the next ``create_tag``."""
        self._objects: dict[str, bytes] = {}
        self._commits: dict[str, _Commit] = {}
        self._refs: dict[str, str] = {}
        self._tags: dict[str, TagRef] = {}
        self._first = self.commit_files({}, "first commit")

    # --- commits -----------------------------------------------------------------------------------------------------

    def commit_files(self, files: Mapping[str, bytes | None], subject: str, at: int = START, body: str = "") -> str:
        """A commit on main that changes files (None deletes one)."""
        parent = self._refs.get("refs/heads/main", "")
        kept = dict(self._commits[parent].files) if parent else {}
        kept |= {path: self._store(content) for path, content in files.items() if content is not None}
        for path in [path for path, content in files.items() if content is None]:
            kept.pop(path, None)
        self._refs["refs/heads/main"] = self._commit(kept, parent, subject, at, body)
        return self._refs["refs/heads/main"]

    def commit_of(self, revision: str) -> str:
        self.calls["commit_of"] += 1
        if revision == "HEAD":
            return self._refs["refs/heads/main"]
        if revision in self._refs:
            return self._refs[revision]
        tag = self._tags.get(revision.removeprefix("refs/tags/"))
        return tag.commit if tag else revision

    def commit_info(self, revision: str) -> CommitInfo:
        return self._commits[self.commit_of(revision)].info

    def commits(self, shas: Iterable[str]) -> list[CommitInfo]:
        return [self._commits[sha].info for sha in shas if sha in self._commits]

    def has_commit(self, sha: str) -> bool:
        return sha in self._commits

    def files_at(self, revision: str, *folders: str) -> dict[str, str]:
        self.calls["files_at"] += 1
        files = self._commits[self.commit_of(revision)].files
        below = tuple(f"{folder.rstrip('/')}/" for folder in folders)
        return {p: sha for p, sha in files.items() if not folders or p in folders or p.startswith(below)}

    def entries_at(self, revision: str, *folders: str) -> dict[str, tuple[str, str]]:
        return {path: ("100644", sha) for path, sha in self.files_at(revision, *folders).items()}

    def file_at(self, revision: str, path: str) -> bytes | None:
        sha = self._commits[self.commit_of(revision)].files.get(path)
        return self._objects[sha] if sha else None

    def blobs(self, shas: Iterable[str]) -> dict[str, bytes]:
        self.calls["blobs"] += 1
        return {sha: self._objects[sha] for sha in shas}

    def objects(self, names: Iterable[str]) -> dict[str, bytes]:
        found = {}
        for name in names:
            content = self._objects[self.ref(name) or name]
            found[name] = b"tag %d\0" % len(content) + content
        return found

    def differing_files(self, one: str, other: str, *paths: str) -> list[str]:
        before, after = self.files_at(one, *paths), self.files_at(other, *paths)
        return sorted(path for path in {*before, *after} if before.get(path) != after.get(path))

    def changed_files(self, base: str, head: str) -> list[str]:
        return self.differing_files(base, head)

    def changes(self, base: str, head: str) -> dict[str, tuple[str, str]]:
        before, now = self.files_at(base), self.files_at(head)
        return {path: (before.get(path, ""), now.get(path, "")) for path in self.changed_files(base, head)}

    def history(self, path: str, limit: int = 1, *, first_parent: bool = False, at: str = "HEAD") -> list[CommitInfo]:
        found: list[CommitInfo] = []
        sha = self.commit_of(at)
        while sha and len(found) < limit:
            commit = self._commits[sha]
            parent = commit.info.parents[0] if commit.info.parents else ""
            before = self.files_at(parent, path) if parent else {}
            if before != self.files_at(sha, path):
                found.append(commit.info)
            sha = parent
        return found

    def graph(self, revision: str) -> dict[str, tuple[str, ...]]:
        return {sha: self._commits[sha].info.parents for sha in self.line(revision)}

    def line(self, revision: str) -> list[str]:
        return [entry.info.sha for entry in reversed(self.first_parents(revision))]

    def first_parents(self, revision: str, since: str = "") -> list[LineCommit]:
        found = []
        sha = self._refs[revision] if revision in self._refs else self.commit_of(revision)
        while sha and sha != since:
            info = self._commits[sha].info
            parent = info.parents[0] if info.parents else ""
            before = self._commits[parent].files if parent else {}
            after = self._commits[sha].files
            files = sorted(p for p in {*before, *after} if before.get(p) != after.get(p))
            found.append(LineCommit(info, tuple(files)))
            sha = parent
        return found[::-1]

    def added(self, folder: str, revision: str) -> list[tuple[str, int, str]]:
        found = []
        for entry in reversed(self.first_parents(revision)):
            before = self._commits[entry.info.parents[0]].files if entry.info.parents else {}
            found += [
                (entry.info.sha, entry.info.at, path)
                for path in entry.files
                if path.startswith(f"{folder}/") and path not in before
            ]
        return found

    def require_whole(self, what: str) -> None:
        return

    # --- refs --------------------------------------------------------------------------------------------------------

    def ref(self, name: str) -> str | None:
        tag = self._tags.get(name.removeprefix("refs/tags/"))
        return tag.object if tag else self._refs.get(name)

    def set_ref(self, name: str, sha: str) -> None:
        self._refs[name] = sha

    def branches(self) -> dict[str, str]:
        heads = "refs/heads/"
        return {name.removeprefix(heads): sha for name, sha in self._refs.items() if name.startswith(heads)}

    def newest_entries(self, prefix: str) -> dict[str, tuple[str, str]]:
        found = {}
        for name, sha in self._refs.items():
            if name.startswith(prefix):
                info = self._commits[sha].info
                found[name] = (sha, f"{info.subject}\n\n{info.body}")
        return found

    def entries(self, ref: str, limit: int) -> list[CommitInfo]:
        found: list[CommitInfo] = []
        sha = self._refs.get(ref, "")
        while sha and len(found) < limit:
            found.append(self._commits[sha].info)
            sha = found[-1].parents[0] if found[-1].parents else ""
        return found

    def add_entry(self, ref: str, before: str, message: str) -> str:
        if self._refs.get(ref, "") != before:
            raise RefRejected(("update-ref", ref), "")
        subject, _, body = message.partition("\n\n")
        self._refs[ref] = self._commit({}, before, subject, START, body)
        return self._refs[ref]

    def add_to_branch(
        self, branch: str, files: Mapping[str, bytes], message: str, drop: frozenset[str] = frozenset()
    ) -> str:
        ref = f"refs/heads/{branch}"
        old = self._refs.get(ref, "")
        self._refs[ref] = self.commit_on(old, files, message, drop)
        return self._refs[ref]

    def commit_on(
        self, parent: str, files: Mapping[str, bytes], message: str, drop: frozenset[str] = frozenset()
    ) -> str:
        kept = dict(self._commits[parent].files) if parent else {}
        kept |= {path: self._store(content) for path, content in files.items()}
        return self._commit({p: sha for p, sha in kept.items() if p not in drop}, parent, message, START, "")

    @contextmanager
    def exclusively(self, what: str) -> Iterator[None]:
        yield

    # --- tags --------------------------------------------------------------------------------------------------------

    def tags(self, *patterns: str) -> list[TagRef]:
        self.calls["tags"] += 1
        wanted = [pattern.removeprefix("**/") for pattern in patterns] or ["*"]
        return [tag for name, tag in self._tags.items() if any(fnmatchcase(name, pattern) for pattern in wanted)]

    def begin_tags(self, *patterns: str) -> list[TagRef]:
        return self.tags(*patterns)

    def tag_object(self, name: str, commit: str, message: str, at: int, *, sign: bool = False) -> bytes:
        return json.dumps([name, self.commit_of(commit), at, message]).encode()

    def place_tag(self, name: str, content: bytes) -> str:
        if self.taken:
            self.create_tag(self.taken.pop(0), self._first, "by a concurrent run", START)
        sha = self._store(content, "tag")
        if name in self._tags and self._tags[name].object != sha:
            raise RefRejected(("tag", name), "")
        _, commit, at, message = json.loads(content)
        self._tags[name] = TagRef(name, True, commit, at, "ada", message, sha)
        return sha

    def create_tag(self, name: str, commit: str, message: str, at: int, *, sign: bool = False) -> None:
        if name in self._tags:
            raise RefRejected(("tag", name), "")
        self.place_tag(name, self.tag_object(name, commit, message, at))

    def delete_tag(self, name: str) -> None:
        del self._tags[name]

    # --- the clone ---------------------------------------------------------------------------------------------------

    def remote(self) -> str | None:
        return None

    def is_shallow(self) -> bool:
        return False

    def require_work_tree(self) -> None:
        return

    def object_format(self) -> str:
        return "sha1"

    def author_name(self) -> str:
        return "ada"

    def _store(self, content: bytes, kind: str = "blob") -> str:
        head = f"{kind} {len(content)}\0".encode()
        sha = hashlib.sha1(head + content, usedforsecurity=False).hexdigest()
        self._objects[sha] = content
        return sha

    def _commit(self, files: dict[str, str], parent: str, subject: str, at: int, body: str) -> str:
        sha = hashlib.sha1(f"{len(self._commits)} {subject}".encode(), usedforsecurity=False).hexdigest()
        parents = (parent,) if parent else ()
        self._commits[sha] = _Commit(CommitInfo(sha, "Ada Author", "", at, subject, body, parents), files)
        return sha


@dataclass
class MemoryTarget:
    """A target that does what it is told and notes each action."""

    models: dict[str, Live] = field(default_factory=dict)
    strategies: tuple[Strategy, ...] = ("all-at-once", "canary", "blue-green", "shadow")
    state: Health = field(default_factory=lambda: Health("healthy"))
    measured: dict[str, Samples] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    answers: dict[str, Probed | None] = field(default_factory=dict)
    """Version → how it answers its probe rows, once it has traffic; none is asked before."""

    def probe(self, model: str, version: str, probe: Probe) -> Probed | None:
        traffic = self.models.get(model, Live()).traffic or Traffic("")
        return self.answers.get(version) if version in (traffic.stable, traffic.candidate) else None

    def observe(self) -> dict[str, Live]:
        return dict(self.models)

    def health(self, model: str, version: str) -> Health:
        return self.state

    def samples(self, model: str, since: float, analysis: Analysis, ground_truth: object) -> dict[str, Samples]:
        return self.measured

    def apply(self, model: str, action: Action, package: Package | None) -> None:
        self.done.append(str(action))
        live = self.models.get(model, Live())
        installed = dict(live.installed)
        traffic = live.traffic
        if action.do == "install":
            assert package is not None and package.version == action.version
            installed[action.version] = package.sha256
        elif action.do == "remove":
            del installed[action.version]
        else:
            traffic = action.traffic if action.traffic and action.traffic.stable else None
        self.models[model] = Live(traffic, installed)
        if traffic is None and not installed:
            del self.models[model]


@dataclass
class MemoryForge:
    """Plain Git's forge: each change is one commit, by Ada, with the given reviews."""

    git: MemoryGit
    reviews: tuple[Review, ...] = ()
    unapproved: set[str] = field(default_factory=set)
    """Commits that have no reviews."""

    def change_of(self, commit: str, parent: str = "") -> Change:
        info = self.git.commit_info(commit)
        base = info.parents[0] if info.parents else ""
        files = tuple(self.git.differing_files(base, commit)) if base else ()
        reviews = () if commit in self.unapproved else self.reviews
        contribution = Contribution(("ada",), messages=(f"{info.subject}\n\n{info.body}",))
        return Change(
            commit=commit, subject=info.subject, author="ada", files=files, reviews=reviews, contribution=contribution
        )

    def is_member(self, handle: str, team: str) -> bool:
        return False

    def permission(self, handle: str) -> str:
        return "write"


class MemoryYard:
    """A model repository: manifests as files in a folder, Git, targets and forge in memory, and a clock."""

    def __init__(self, folder: Path, models: Sequence[str] = ("churn",)) -> None:
        self.root, self.now = folder, START
        self.git = MemoryGit()
        self.targets = {"staging": MemoryTarget(), "production": MemoryTarget()}
        self.forge = MemoryForge(self.git)
        self.said: list[str] = []
        files = {"modelyard.yaml": CONFIG}
        for name in models:
            files |= {f"models/{name}/model.yaml": MODEL_YAML.format(name=name), f"models/{name}/dvc.yaml": DVC_YAML}
        self.commit(files, "add the manifests")
        (folder / "model.txt").write_bytes(ARTIFACT)
        self.reopen()

    def reopen(self) -> Checkout:
        """The clone as the next command opens it: manifests and tags are read again."""
        self.checkout = Checkout(self.root)
        self.checkout.git = self.git  # type: ignore[assignment]
        self.checkout.evidence = EvidenceStore(self.git)  # type: ignore[arg-type]
        return self.checkout

    def commit(self, files: dict[str, str], subject: str) -> str:
        """Writes files into the working tree and commits them."""
        write(self.root, files)
        return self.git.commit_files({path: text.encode() for path, text in files.items()}, subject)

    def view(self, model: str = "churn") -> ModelView:
        """A model of the clone."""
        return self.checkout.model(model)

    def deploy_manifest(self, version: str, more: str = "", environment: str = "production") -> None:
        """Sets the desired state of churn, and opens the clone again."""
        path = f"deployments/{environment}/churn.yaml"
        self.commit({path: f"model: churn\nversion: {version}\n{more}"}, f"Promote {version}")
        self.reopen()

    def add_version(self, version: str, model: str = "churn", *, at: int = 0, **record: object) -> str:
        """A registered version; its tag."""
        number = Version.parse(version)
        assert number
        commit = self.commit({f"models/{model}/note": version}, f"{model} {version}")
        parts = {"artifact": digest_of(version), "verdict": "pass", "by": "ada", "code": commit} | record
        message = write_record(f"Registering artifact {model} version {version}", VersionRecord(**parts))  # type: ignore[arg-type]
        tag = version_tag(model, number)
        artifact = str(parts["artifact"])
        verdict = Verdict(parts["verdict"], "standard", "policies/standard.yaml", (), {})  # type: ignore[arg-type]
        evidence = {"verdict": write_statement("verdict", model, artifact, verdict)}
        self.checkout.evidence.file_evidence(model, artifact, evidence, {}, f"{tag}: evidence")
        self.tag(tag, commit, message, at)
        return tag

    def tag(self, name: str, commit: str, message: str, at: int = 0) -> None:
        """An annotated tag with its filed copy."""
        content = self.git.tag_object(name, commit, message, at or self._next_time())
        self.git.place_tag(name, content)
        model = name.replace("#", "@").partition("@")[0]
        self.checkout.evidence.append({copy_of(model, name): content}, name)
        self.reopen()

    def add_stage(self, version: str, environment: str, model: str = "churn", *, at: int = 0, **record: object) -> str:
        """The receipt of a deployment; its tag."""
        view = self.view(model)
        tag = stage_tag(model, environment, view.history.last_counter + 1)
        message = write_record("Assigning", StageRecord(version, digest_of(version), "wanted", "ada", **record))  # type: ignore[arg-type]
        self.tag(tag, view.version(version).commit, message, at)
        return tag

    def add_tag(self, name: str, message: str = "by hand", commit: str = "HEAD") -> None:
        """Any annotated tag, later than all others."""
        self.git.create_tag(name, self.git.commit_of(commit), message, self._next_time())
        self.reopen()

    def planner(self) -> Planner:
        """A planner with this yard's clock."""
        return Planner(self.checkout, clock=lambda: self.now)

    def plan(self, environment: str = "production") -> list[Planned]:
        """What deploy --plan shows."""
        return self.planner().plan({environment}, set())

    def deploy(self, environment: str = "production") -> Delivery:
        """One run of deploy for one deployment; errors are raised."""
        self.reopen()
        planner = self.planner()
        deployer = Deployer(planner, self.forge, self.said.append)  # type: ignore[arg-type]
        [planned] = planner.plan({environment}, set())
        if planned.fault:
            raise planned.fault
        delivered = deployer.deliver(planned)
        self.reopen()
        return delivered

    def _next_time(self) -> int:
        return max((tag.tagged_at for tag in self.git.tags()), default=self.now) + 1


def memory_yard(folder: Path, patch: pytest.MonkeyPatch, models: Sequence[str] = ("churn",)) -> MemoryYard:
    """A yard whose targets the planner opens, and whose artifacts need no DVC."""
    yard = MemoryYard(folder, models)

    def open_target(environment: Environment, root: Path, secrets: object) -> MemoryTarget:
        return yard.targets[environment.name]

    @contextmanager
    def fetch_version(view: ModelView, version: RegisteredVersion) -> Iterator[FetchedVersion]:
        assert version.record
        yield FetchedVersion(view.manifest, version, yard.root / "model.txt", version.record.artifact, b"")

    clock = SimpleNamespace(time=lambda: yard.now)
    patch.setattr(tags, "time", clock)
    patch.setattr(rollback, "time", clock)
    patch.setattr(planning, "open_target", open_target)
    patch.setattr(delivery, "fetch_version", fetch_version)
    patch.setattr(rollback, "fetch_version", fetch_version)
    return yard
