"""A new model in a model repository: its folder, its table, its first deployment, its owners."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from modelyard.checkout.checkout import Checkout
from modelyard.dvc import Dvc
from modelyard.errors import ModelyardError, UsageError, near_match
from modelyard.files import sha256_of
from modelyard.flavors.discovery import flavor_named
from modelyard.git import Git
from modelyard.installation.jobs import changed_requirements
from modelyard.installation.lock import shipped
from modelyard.installation.toolkit import source_of
from modelyard.manifests.contract import host_fault
from modelyard.manifests.names import is_name
from modelyard.manifests.policy import RowsCheck
from modelyard.manifests.repository import ModelRepository, deployment_file
from modelyard.manifests.rules import applies
from modelyard.report.generated import OWNER_FILES, is_generated, render_owners
from modelyard.setup.artifact_list import FILE, with_artifact
from modelyard.setup.contract_guess import FLAVORS, Needs, Wishes, guess_contract
from modelyard.setup.guessed_inputs import Reason
from modelyard.setup.model_folder import ARTIFACTS, NewModel, deployment_yaml, flow, pipeline_files
from modelyard.setup.tree_change import TreeChange, carry_out
from modelyard.tables.facts import facts_of


@dataclass(frozen=True)
class Addition:
    """A model that may be added: the change of the tree, and what was guessed."""

    change: TreeChange
    reasons: tuple[Reason, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """A file that a pipeline starts from, and the files of the tree that make it known."""

    path: str
    """From the repository's root."""
    writes: dict[str, bytes | Path]


def add_model(
    repository: ModelRepository, name: str, data: Path, wishes: Wishes, owners: Sequence[str], policy: str
) -> Addition:
    """Writes a model that is trained on a table. Nothing is written after an error.

    UsageError for a name that is taken or no name, a table without a usable label, and a wish that cannot be had.
    """
    require_new_name(repository, name)
    policy = chosen_policy(repository, policy)
    if wishes.flavor and wishes.flavor not in FLAVORS:
        raise UsageError(
            f"No pipeline is written for the flavor {wishes.flavor}.", f"Choose one of {', '.join(FLAVORS)}."
        )
    if not data.is_file():
        raise UsageError(f"There is no file {data}.", "Give a CSV or Parquet file.")
    facts = facts_of(data)
    guess = guess_contract(facts, str(data), wishes, needs_of(repository, policy, wishes.task))
    root = repository.root
    source = tracked_source(root, data, f"data/{name}.{facts.format}")
    model = NewModel(
        name=name,
        owners=chosen_owners(repository, owners),
        policy=policy,
        description=f"Predicts {guess.label} from {len(guess.inputs)} columns.",
        table=source.path,
    )
    files = pipeline_files(model, guess, facts.format, facts.separator, shipped("model-template"))
    writes: dict[str, bytes | Path] = {f"models/{name}/{path}": content for path, content in files.items()}
    around, warnings = surroundings(repository, model, guess.flavor, ARTIFACTS[guess.flavor])
    addition = Addition(TreeChange(writes | source.writes | around), guess.reasons, (*guess.warnings, *warnings))
    carry_out(root, addition.change)
    return addition


def require_new_name(repository: ModelRepository, name: str) -> None:
    """UsageError for a text that is no name, and for a name that a model, a deployment or a version has."""
    if not is_name(name):
        raise UsageError(
            f"{name!r} cannot be the name of a model.",
            "Use at most 64 letters, digits, - and _; begin and end with a letter or a digit.",
        )
    root = repository.root
    folders = (root / "models").iterdir() if (root / "models").is_dir() else ()
    taken = {folder.name.lower(): folder.name for folder in folders}
    if name.lower() in taken:
        raise UsageError(
            f"The folder models/{taken[name.lower()]} exists already.",
            f"Choose another name, or take the model out first: modelyard remove {taken[name.lower()]}",
        )
    if Git(root).tags(f"{name}@*") and not _only_imported(root, name):
        raise UsageError(
            f"The tags {name}@… record versions of an earlier model of this name.",
            "Choose another name: versions of two models must not be in one history.",
        )


def _only_imported(root: Path, name: str) -> bool:
    """Whether all versions of a name were imported: then the new model goes on with their numbers."""
    history = Checkout(root).history(name)
    strays = [tag for tag in (*history.strays, *history.moved) if "@" in tag]
    return not strays and not history.archived and all(known.imported for known in history.all_versions)


def chosen_policy(repository: ModelRepository, wished: str) -> str:
    """The wished policy, else the one that most models use, else standard, else the first."""
    known = [Path(file).stem for file in repository.policy_files()]
    if wished and wished not in known:
        raise UsageError(f"There is no policy {wished!r} in policies/.", near_match(wished, known))
    if not known:
        raise UsageError("This repository has no policy.", "Add policies/standard.yaml.")
    used: Counter[str] = Counter()
    for name in repository.model_names():
        with suppress(ModelyardError):
            used[repository.model(name).policy] += 1
    common = [policy for policy, _ in used.most_common() if policy in known]
    return wished or next(iter([*common, *(["standard"] if "standard" in known else []), *known]))


def chosen_owners(repository: ModelRepository, wished: Sequence[str]) -> tuple[str, ...]:
    """The wished owners, else those of the repository, else the author that git names."""
    found = tuple(wished or repository.config.owners) or tuple(filter(None, [Git(repository.root).author_name()]))
    if not found:
        raise UsageError("Nobody owns the model.", "Name an owner: --owner @HANDLE")
    return found


def needs_of(repository: ModelRepository, policy: str, task: str) -> Needs:
    """What a policy's rules about rows ask of a model's held-out rows."""
    rules = [
        check
        for check in repository.policy(policy)[0].checks
        if isinstance(check, RowsCheck) and (not task or applies(check, task, ()))
    ]
    return Needs(
        max((check.minimum for check in rules), default=0), max((check.minimum_per_class for check in rules), default=0)
    )


def tracked_source(root: Path, file: Path, place: str) -> Source:
    """A file as a source of a pipeline.

    A file in the repository that git or DVC tracks is used where it is. One that nobody tracks gets a pointer beside
    it. A file from elsewhere is copied to ``place``.
    """
    full = file.resolve()
    inside = full.is_relative_to(root.resolve()) and not file.is_symlink()
    path = full.relative_to(root.resolve()).as_posix() if inside else place
    if inside and _is_tracked(root, path):
        return Source(path, {})
    target = root / path
    if not inside and target.exists() and sha256_of(target) != sha256_of(full):
        raise UsageError(f"{path} exists already, and is another file.", "Remove it, or give that file to --data.")
    if not inside and (root / f"{path}.dvc").exists():
        raise UsageError(f"{path}.dvc exists already.", "Pull it with dvc pull, and give the file that it points to.")
    md5 = Dvc(root).keep(full)
    pointer = f"outs:\n- md5: {md5}\n  size: {full.stat().st_size}\n  hash: md5\n  path: {flow(target.name)}\n"
    folder = f"{path.rpartition('/')[0]}/".removeprefix("/")
    ignored = root / folder / ".gitignore"
    lines = ignored.read_bytes() if ignored.is_file() else b""
    line = f"/{target.name}\n".encode()
    writes: dict[str, bytes | Path] = {f"{path}.dvc": pointer.encode()}
    if line not in lines.splitlines(keepends=True):
        writes[f"{folder}.gitignore"] = lines + (b"" if not lines or lines.endswith(b"\n") else b"\n") + line
    if not inside:
        writes[path] = full
    return Source(path, writes)


def surroundings(
    repository: ModelRepository, model: NewModel, flavor: str, artifact: str
) -> tuple[dict[str, bytes | Path], tuple[str, ...]]:
    """What else a new model changes: first deployment, CODEOWNERS, the root's dvc.yaml, CI's packages; and notes."""
    root, config = repository.root, repository.config
    writes: dict[str, bytes | Path] = {}
    warnings = []
    first = config.environments[0]
    fault = host_fault(flavor_named(flavor), model.name, first.target)
    if fault:
        warnings.append(f"No deployment is written: {fault[0]}")
    else:
        writes[deployment_file(first.name, model.name)] = deployment_yaml(model.name).encode()
    owners_file = root / OWNER_FILES[config.forge]
    if owners_file.is_file():
        if is_generated(owners_file.read_bytes()):
            owners = {name: repository.model(name).owners for name in repository.model_names()}
            content = render_owners(config.owners, owners | {model.name: list(model.owners)})
            writes[OWNER_FILES[config.forge]] = content.encode()
        else:
            warnings.append(f"{OWNER_FILES[config.forge]} is written by hand; add the owners of models/{model.name}/.")
    if (root / FILE).is_file():
        content_before = (root / FILE).read_bytes()
        path = f"models/{model.name}/{artifact}"
        changed = with_artifact(content_before, model.name, path, model.description)
        if changed is not None:
            writes[FILE] = changed
        elif b"artifacts:" in content_before:
            warnings.append(f"{FILE} could not be changed; add {model.name} to its artifacts.")
    with suppress(ModelyardError):  # validate reports a model that cannot be read
        writes |= changed_requirements(repository, source_of(root), added=[flavor])
    return writes, tuple(warnings)


def _is_tracked(root: Path, path: str) -> bool:
    """Whether git tracks a file, or a pointer of DVC names it or a folder above it."""
    parts = path.split("/")
    pointers = ["/".join(parts[:end]) + ".dvc" for end in range(1, len(parts) + 1)]
    return bool(Git(root).tracked(f":(literal){path}")) or any((root / pointer).is_file() for pointer in pointers)
