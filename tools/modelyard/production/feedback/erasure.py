"""Erasing one id: from the logs, from the labelled increments, and a tombstone that says so without naming it."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from modelyard.checkout.champion import model_history
from modelyard.checkout.evidence_branch import append, filed
from modelyard.dvc import Dvc
from modelyard.errors import ModelyardError, Refused
from modelyard.evidence.production import Erasure, Rewritten
from modelyard.evidence.statement import read_statement, write_statement
from modelyard.files import write_whole
from modelyard.git import Git
from modelyard.manifests.model import Model
from modelyard.manifests.pipeline import pointer_outputs, read_lock
from modelyard.manifests.repository import ModelRepository
from modelyard.predictions.layout import Layout
from modelyard.predictions.lookup import log_key
from modelyard.predictions.segments import erase
from modelyard.predictions.writer import Privacy
from modelyard.production.feedback.increment import TOUCHES, folder_of, increments, kept_increment
from modelyard.report.markdown.bodies import forgetting_body
from modelyard.report.markdown.safe import text
from modelyard.review.pull_requests import Proposed
from modelyard.secrets.interface import Secrets
from modelyard.tables import read_table


@dataclass(frozen=True)
class Forgotten:
    """What was erased, and what main should take; ``proposed`` is None where no increment held it."""

    erasure: Erasure
    proposed: Proposed | None


def forget(
    repository: ModelRepository,
    git: Git,
    dvc: Dvc,
    model: Model,
    entity: str,
    secrets: Secrets,
    say: Callable[[str], None],
) -> Forgotten:
    """Erases in every environment. A second time finds nothing more and adds nothing to the tombstone but its date."""
    logs: dict[str, int] = {}
    waiting: dict[str, int] = {}
    unreached: list[str] = []
    names, digest = {entity}, ""
    for environment in repository.config.environments:
        key = log_key(environment, model, secrets)
        logged = _as_logged(model, entity, key)
        digest = digest or (hmac.digest(key, entity.encode(), "sha256").hex() if key else "")
        names |= {logged} if logged else set()
        if environment.predictions.reader != "log":
            unreached.append(environment.name)
        elif logged:
            layout = Layout.of(repository.root, environment.name, environment.folder)
            say(f"Looking through the log of {environment.name} …")
            logs[environment.name], waiting[environment.name] = erase(
                layout.logs / model.name, logged, layout.server_is_up()
            )
    rewritten, files = _increments(repository, git, dvc, model, names)
    trained, judged, unknown = _versions(git, dvc, model, names, say)
    evidence = _named_in_evidence(git, model.name, names)
    digest = digest or hashlib.sha256(entity.encode()).hexdigest()
    path = f"{model.name}/forgotten/{digest}.json"
    before = filed(git, path).get(path)
    known = read_statement(before, "erasure", Erasure).predicate.increments if before else ()
    erasure = Erasure(
        time.time(), digest, logs, waiting, tuple(unreached), tuple(dict.fromkeys([*known, *rewritten])), trained,
        judged, unknown, evidence,
    )  # fmt: skip
    append(git, {path: write_statement("erasure", model.name, "", erasure)}, f"{model.name}: an id was erased")
    if not files:
        return Forgotten(erasure, None)
    body = forgetting_body(model.name, erasure, [one.path for one in rewritten])
    title = f"Erase an id from the feedback of {model.name}"
    return Forgotten(erasure, Proposed(f"modelyard/forget/{model.name}-{digest[:12]}", title, body, files, TOUCHES))


def purge(dvc: Dvc, forgotten: Forgotten) -> int:
    """Deletes the bytes of the increments that held the id, here and on the remote; how many there were.

    Refused while main still points at them.
    """
    if forgotten.proposed is not None:
        raise Refused(
            "The increments on this commit still hold it.", f"Merge {forgotten.proposed.branch} first, then purge."
        )
    wanted = {one.md5 for one in forgotten.erasure.increments}
    gone = 0
    for where in ("cache", "remote") if dvc.has_remote() else ("cache",):
        found = sorted(wanted & dvc.stored(where).keys())
        if found:
            dvc.remove(where, found)
            gone += len(found)
    return gone


def _as_logged(model: Model, entity: str, key: bytes | None) -> str:
    """How the log names it; '' where it keeps no ids."""
    named = Privacy(model.contract, key).entities([entity])
    return str(named[0]) if named else ""


def _increments(
    repository: ModelRepository, git: Git, dvc: Dvc, model: Model, names: set[str]
) -> tuple[list[Rewritten], dict[str, bytes | None]]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    rewritten: list[Rewritten] = []
    files: dict[str, bytes | None] = {}
    for name in increments(git, model.name):
        path = repository.root / name
        was_here = path.is_file()
        if not was_here:
            dvc.pull(f"{name}.dvc")
        table = pq.read_table(path)
        held = pc.is_in(table[model.contract.id].cast("string"), value_set=_texts(names))
        rows = int(pc.sum(held).as_py() or 0)
        if rows:
            pointer = git.file_at("HEAD", f"{name}.dvc") or b""
            rewritten.append(Rewritten(name, pointer_outputs(pointer, f"{name}.dvc")[0].md5, rows))
            pq.write_table(table.filter(pc.invert(held)), path, compression="snappy")
            files |= _kept(git, dvc, model, path, name, rows)
        if not was_here or rows:
            path.unlink()
    return rewritten, files


def _kept(git: Git, dvc: Dvc, model: Model, path: Path, name: str, rows: int) -> dict[str, bytes | None]:
    """The files of an increment without the rows; the checkout keeps the pointers it had."""
    said = f"{folder_of(model.name)}/{path.stem}.json"
    record = json.loads(git.file_at("HEAD", said) or b"{}")
    record["forgotten"] = record.get("forgotten", 0) + rows
    record["joined"]["labelled"] -= rows
    found = kept_increment(dvc, model, path, name, json.dumps(record, indent=1).encode() + b"\n")
    for file in found:
        write_whole(path.parent / file.rpartition("/")[2], git.file_at("HEAD", file) or b"")
    return found


def _versions(
    git: Git, dvc: Dvc, model: Model, names: set[str], say: Callable[[str], None]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Versions that learnt from it, that were judged on it, and whose data cannot be looked at any more."""
    holds: dict[str, bool | None] = {}
    found: dict[str, list[str]] = {"trained": [], "judged": [], "unknown": []}
    for version in model_history(git, model.name).ever:
        name = str(version.version)
        for what, md5 in _data_of(git, model, version.commit):
            if md5 not in holds:
                say(f"Looking into what {name} learnt from …")
                holds[md5] = _holds(dvc, md5, model, names)
            if holds[md5] is None:
                found["unknown"].append(name)
            elif holds[md5]:
                found[what].append(name)
    trained, judged, unknown = (tuple(dict.fromkeys(found[what])) for what in ("trained", "judged", "unknown"))
    return trained, judged, unknown


def _data_of(git: Git, model: Model, commit: str) -> Iterator[tuple[str, str]]:
    lock = git.file_at(commit, f"models/{model.name}/dvc.lock")
    for what, file in (("trained", model.files.training), ("judged", model.files.holdout)):
        output = (
            read_lock(lock, f"models/{model.name}/dvc.lock").output(f"models/{model.name}/{file}") if lock else None
        )
        if output is not None:
            yield what, output.md5


def _holds(dvc: Dvc, md5: str, model: Model, names: set[str]) -> bool | None:
    import pyarrow.compute as pc

    with TemporaryDirectory(prefix="modelyard-") as scratch:
        try:
            path = dvc.fetch(md5, "A version's data", Path(scratch) / "data.parquet")
            column = read_table(path, [model.contract.id]).column(model.contract.id)
        except ModelyardError:
            return None
        return bool(pc.any(pc.is_in(column.cast("string"), value_set=_texts(names))).as_py())


def _named_in_evidence(git: Git, model: str, names: set[str]) -> tuple[str, ...]:
    """Files that name it as a word of its own, as JSON, HTML and Markdown write it."""
    spelt = {form for name in names for form in (name, json.dumps(name)[1:-1], escape(name), text(name))}
    words = re.compile(rb"(?<![\w-])(" + b"|".join(re.escape(form.encode()) for form in sorted(spelt)) + rb")(?![\w-])")
    contents = filed(git, f"{model}/", "pulls/")
    return tuple(sorted(path for path, content in contents.items() if words.search(content)))


def _texts(names: set[str]) -> object:
    import pyarrow as pa

    return pa.array(sorted(names), pa.string())
