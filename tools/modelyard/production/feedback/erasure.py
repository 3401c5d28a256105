"""Erasure of one id from prediction logs and labelled increments, with a tombstone that does not name it."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from modelyard.checkout.checkout import ModelView
from modelyard.checkout.evidence_store import EvidenceStore
from modelyard.dvc import Dvc
from modelyard.errors import ModelyardError, Refused
from modelyard.evidence.production import Erasure, Rewritten
from modelyard.evidence.statement import read_statement, write_statement
from modelyard.files import write_whole
from modelyard.manifests.model import Model
from modelyard.manifests.pipeline import pointer_outputs, read_lock
from modelyard.predictions.layout import Layout
from modelyard.predictions.lookup import log_key
from modelyard.predictions.segments import erase
from modelyard.predictions.writer import Privacy
from modelyard.production.feedback.increment import TOUCHES, folder_of, increments, kept_increment
from modelyard.report.markdown.bodies import forgetting_body
from modelyard.report.markdown.safe import text
from modelyard.review.pull_requests import Proposed
from modelyard.secrets.interface import Secrets
from modelyard.tables.file import read_table


@dataclass(frozen=True)
class ErasureResult:
    """The tombstone, and the pull request to open; ``proposed`` is None when no increment held the id."""

    erasure: Erasure
    proposed: Proposed | None


def erase_id(view: ModelView, entity: str, secrets: Secrets, say: Callable[[str], None]) -> ErasureResult:
    """Erases an id in every environment and files the tombstone.

    A second run finds nothing more and changes only the tombstone's date.
    """
    model, evidence_store = view.manifest, view.checkout.evidence
    logs: dict[str, int] = {}
    waiting: dict[str, int] = {}
    unreached: list[str] = []
    names, digest = {entity}, ""
    for environment in view.checkout.repository.config.environments:
        key = log_key(environment, model, secrets)
        logged = _as_logged(model, entity, key)
        digest = digest or (hmac.digest(key, entity.encode(), "sha256").hex() if key else "")
        names |= {logged} if logged else set()
        if environment.predictions.reader != "log":
            unreached.append(environment.name)
        elif logged:
            layout = Layout.of(view.checkout.root, environment.name, environment.folder)
            say(f"Searching the log of {environment.name} …")
            logs[environment.name], waiting[environment.name] = erase(
                layout.logs / model.name, logged, layout.server_is_up()
            )
    rewritten, files = _increments(view, names)
    trained, judged, unknown = _versions(view, names, say)
    evidence = _named_in_evidence(evidence_store, model.name, names)
    digest = digest or hashlib.sha256(entity.encode()).hexdigest()
    path = f"{model.name}/erasures/{digest}.json"
    before = evidence_store.filed(path).get(path)
    known = read_statement(before, "erasure", Erasure).predicate.increments if before else ()
    erasure = Erasure(
        at=time.time(), digest=digest, logs=logs, waiting=waiting, unreached=tuple(unreached),
        increments=tuple(dict.fromkeys([*known, *rewritten])), trained=trained, judged=judged, unknown=unknown,
        evidence=evidence,
    )  # fmt: skip
    content = write_statement("erasure", model.name, "", erasure)
    evidence_store.append({path: content}, f"{model.name}: an id was erased")
    if not files:
        return ErasureResult(erasure, None)
    body = forgetting_body(model.name, erasure, [one.path for one in rewritten])
    title = f"Erase an id from the feedback of {model.name}"
    proposed = Proposed(f"modelyard/forget/{model.name}-{digest[:12]}", title, body, files, TOUCHES)
    return ErasureResult(erasure, proposed)


def purge(dvc: Dvc, result: ErasureResult) -> int:
    """Deletes the older bytes of the increments that held the id, from cache and remote; returns how many there were.

    Refused while this commit still points at them.
    """
    if result.proposed is not None:
        raise Refused(
            "The increments of this commit still hold the id.", f"Merge {result.proposed.branch} first, then purge."
        )
    wanted = {one.md5 for one in result.erasure.increments}
    gone = 0
    for where in ("cache", "remote") if dvc.has_remote() else ("cache",):
        found = sorted(wanted & dvc.stored(where).keys())
        if found:
            dvc.remove(where, found)
            gone += len(found)
    return gone


def _as_logged(model: Model, entity: str, key: bytes | None) -> str:
    """The id as the log names it; '' when the log keeps no ids."""
    named = Privacy(model.contract, key).entities([entity])
    return str(named[0]) if named else ""


def _increments(view: ModelView, names: set[str]) -> tuple[list[Rewritten], dict[str, bytes | None]]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    rewritten: list[Rewritten] = []
    files: dict[str, bytes | None] = {}
    git, model = view.checkout.git, view.manifest
    for name in increments(git, model.name):
        path = view.checkout.root / name
        was_here = path.is_file()
        if not was_here:
            view.checkout.dvc.pull(f"{name}.dvc")
        table = pq.read_table(path)
        held = pc.is_in(table[model.contract.id].cast("string"), value_set=_texts(names))
        rows = int(pc.sum(held).as_py() or 0)
        if rows:
            pointer = git.file_at("HEAD", f"{name}.dvc") or b""
            rewritten.append(Rewritten(name, pointer_outputs(pointer, f"{name}.dvc")[0].md5, rows))
            pq.write_table(table.filter(pc.invert(held)), path, compression="snappy")
            files |= _kept(view, path, name, rows)
        if not was_here or rows:
            path.unlink()
    return rewritten, files


def _kept(view: ModelView, path: Path, name: str, rows: int) -> dict[str, bytes | None]:
    """The files of an increment without the erased rows; the checkout keeps its own pointers."""
    git, said = view.checkout.git, f"{folder_of(view.name)}/{path.stem}.json"
    record = json.loads(git.file_at("HEAD", said) or b"{}")
    record["erased"] = record.get("erased", 0) + rows
    record["joined"]["labelled"] -= rows
    found = kept_increment(view, path, name, json.dumps(record, indent=1).encode() + b"\n")
    for file in found:
        write_whole(path.parent / file.rpartition("/")[2], git.file_at("HEAD", file) or b"")
    return found


def _versions(
    view: ModelView, names: set[str], say: Callable[[str], None]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Versions whose training data have it, whose held-out rows have it, and whose data are not available."""
    holds: dict[str, bool | None] = {}
    found: dict[str, list[str]] = {"trained": [], "judged": [], "unknown": []}
    for version in view.history.all_versions:
        name = version.version
        for what, md5 in _data_of(view, version.commit):
            if md5 not in holds:
                say(f"Searching the training data of {name} …")
                holds[md5] = _holds(view, md5, names)
            if holds[md5] is None:
                found["unknown"].append(name)
            elif holds[md5]:
                found[what].append(name)
    trained, judged, unknown = (tuple(dict.fromkeys(found[what])) for what in ("trained", "judged", "unknown"))
    return trained, judged, unknown


def _data_of(view: ModelView, commit: str) -> Iterator[tuple[str, str]]:
    model = view.manifest
    read = partial(view.checkout.git.file_at, commit)
    path = f"models/{model.name}/dvc.lock"
    lock = read(path)
    trained = [("trained", model.files.training)] if model.trained == "here" else []
    for what, file in (*trained, ("judged", model.files.holdout)):
        output = (
            read_lock(lock, f"models/{model.name}/dvc.lock", read).output(f"models/{model.name}/{file}")
            if lock
            else None
        )
        if output is not None:
            yield what, output.md5


def _holds(view: ModelView, md5: str, names: set[str]) -> bool | None:
    import pyarrow.compute as pc

    column_name = view.manifest.contract.id
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        try:
            path = view.checkout.dvc.fetch(md5, "A version's data", Path(scratch) / "data.parquet")
            column = read_table(path, [column_name]).column(column_name)
        except ModelyardError:
            return None
        return bool(pc.any(pc.is_in(column.cast("string"), value_set=_texts(names))).as_py())


def _named_in_evidence(evidence: EvidenceStore, model: str, names: set[str]) -> tuple[str, ...]:
    """Paths of the evidence of a model, and of what reviewers saw, that name the id."""
    pattern = name_pattern(names)
    contents = evidence.filed(f"{model}/", "pulls/")
    return tuple(sorted(path for path, content in contents.items() if pattern.search(content)))


def name_pattern(names: Collection[str]) -> re.Pattern[bytes]:
    """Finds any of some names (at least one) in a file: as whole words, as JSON, HTML or Markdown writes them."""
    spellings = {form for name in names for form in (name, *_quoted(name), escape(name), text(name))}
    forms = b"|".join(re.escape(form.encode()) for form in sorted(spellings - {""}))
    return re.compile(rb"(?<![\w-])(?:" + forms + rb")(?![\w-])")


def _quoted(name: str) -> tuple[str, str]:
    """A name within quotes of JSON: with other letters than ASCII escaped, and as they are."""
    return json.dumps(name)[1:-1], json.dumps(name, ensure_ascii=False)[1:-1]


def _texts(names: set[str]) -> object:
    import pyarrow as pa

    return pa.array(sorted(names), pa.string())
