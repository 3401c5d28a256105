"""Labelled increments of a model: the next one, proposed as a pull request, and all of them as one table."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.candidate.profiles import Columns, profile_file
from modelyard.candidate.reference import encode_profile
from modelyard.checkout.checkout import ModelView
from modelyard.documents import builtins
from modelyard.errors import ModelyardError
from modelyard.evidence.production import Joined
from modelyard.files import write_whole
from modelyard.git import Git
from modelyard.ground_truth.join import NOTHING, Earlier, increment_types, join
from modelyard.ground_truth.labels import GroundTruth, labels_of
from modelyard.manifests.configuration import Environment
from modelyard.manifests.model import Model
from modelyard.predictions.discovery import open_reader
from modelyard.predictions.ids import text_hashes
from modelyard.predictions.interface import Window
from modelyard.report.markdown.bodies import increment_body
from modelyard.review.pull_requests import Proposed
from modelyard.tables.file import TableFile, read_table

if TYPE_CHECKING:
    import pyarrow as pa


TOUCHES = "no version is changed: a model trained on these rows is evaluated when it is proposed"
_IGNORED = b"/*.parquet\n"
_STAMP = "%Y%m%dT%H%M%SZ"
_OURS = re.compile(r"(?P<stem>\d{8}T\d{6}Z)(\.parquet(\.dvc)?|\.json|\.profile\.json)")
_OF_DVC = re.compile(r"\.[\w-]{22}\.tmp")
"""What DVC links a file as, before it gives the link its name."""


@dataclass(frozen=True)
class Increment:
    """The result of a run. ``proposed`` is None without new rows."""

    joined: Joined
    path: str
    """From the root; '' without new rows."""
    proposed: Proposed | None


def folder_of(model: str) -> str:
    """The folder of a model's increments, from the root."""
    return f"data/feedback/{model}"


def collect(
    view: ModelView,
    environment: Environment,
    window: Window,
    ground_truth: GroundTruth,
    say: Callable[[str], None],
    reviews: Mapping[str, tuple[str, datetime]] | None = None,
) -> Increment:
    """Joins ground truth to predictions and stores the increment in DVC's cache and on its remote.

    The checkout does not change: the proposed files are on the proposal's branch alone.
    """
    git, model, root = view.checkout.git, view.manifest, view.checkout.root
    with git.exclusively("feedback"), view.checkout.dvc.scratch() as scratch:  # two runs would write the same file
        _clear(view)
        earlier = earlier_labels(view)
        written = Path(scratch) / "increment.parquet"
        joined = join(open_reader(environment, root), model, window, ground_truth, earlier, written)
        if not joined.labelled:
            return Increment(joined, "", None)
        said: dict[str, object] = {"model": model.name, "environment": environment.name}
        said |= {"begin": window.begin, "end": window.end}
        if reviews is not None:
            said["reviewers"] = _add_reviews(written, reviews)
        name = next_name(model.name, window.end, increments(git, model.name))
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / ".gitignore").write_bytes(_IGNORED)
        written.replace(path)
        record = json.dumps(said | {"joined": builtins(joined)}, indent=1).encode() + b"\n"
        say(f"Sending {joined.labelled:,} labelled rows …")
        files = kept_increment(view, path, name, record)
        changed = {file: content for file, content in files.items() if git.file_at("HEAD", file) != content}
        for file in (name, *(file for file in files if git.file_at("HEAD", file) is None)):
            (root / file).unlink(missing_ok=True)
    title = f"Feedback for {model.name}: {joined.labelled:,} labelled rows"
    body = increment_body(model.name, environment.name, name, window.begin, window.end, joined)
    return Increment(joined, name, Proposed(f"modelyard/feedback/{model.name}", title, body, changed, TOUCHES))


def kept_increment(view: ModelView, path: Path, name: str, record: bytes) -> dict[str, bytes | None]:
    """Stores an increment with DVC and on its remote; returns path → content of the files that git keeps of it."""
    model = view.manifest
    profile = encode_profile(profile_file(TableFile(path), Columns.of(model, "input", "label")).profile)
    path.with_suffix(".json").write_bytes(record)
    path.with_suffix(".profile.json").write_bytes(profile)
    view.checkout.dvc.add(path)
    stem = name.removesuffix(".parquet")
    return {
        f"{name}.dvc": path.with_name(f"{path.name}.dvc").read_bytes(),
        f"{stem}.json": record,
        f"{stem}.profile.json": profile,
        f"{folder_of(model.name)}/.gitignore": _IGNORED,
    }


def increments(git: Git, model: str, commit: str = "HEAD") -> list[str]:
    """Paths of the increments of a commit, oldest first."""
    listed = git.files_at(commit, folder_of(model))
    return sorted(path.removesuffix(".dvc") for path in listed if path.endswith(".parquet.dvc"))


def earlier_labels(view: ModelView) -> Earlier:
    """The labels that increments of this commit hold; of several labels of one prediction, the newest file's."""
    found, model = NOTHING, view.manifest
    for name in increments(view.checkout.git, view.name):
        path = view.checkout.root / name
        if not path.is_file():
            view.checkout.dvc.pull(f"{name}.dvc")
        if not path.is_file():
            raise ModelyardError(f"{name} is neither in this checkout nor on the remote.", "Run dvc pull.")
        table = read_table(path, ["prediction_id", model.contract.label])
        hashes = text_hashes(table.column("prediction_id"))
        labels = labels_of(table, model)
        both = np.concatenate([found.hashes, hashes])
        values = np.concatenate([found.labels, labels])
        order = np.argsort(both, kind="stable")
        last = np.concatenate([both[order][1:] != both[order][:-1], [True]]) if both.size else np.empty(0, dtype=bool)
        found = Earlier(both[order][last], values[order][last])
    return found


def write_labelled(root: Path, model: Model, target: Path) -> int:
    """Writes all labelled rows to ``target`` (Parquet) and returns their number.

    Of several rows of one prediction the newest increment's counts. Columns are those of ``increment_types``; a column
    that an older increment lacks is null. Without increments the table is empty. A ModelyardError for an increment
    that is not in this checkout.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = increment_types(model)
    parts = [_read(path, types) for path in _files(root / folder_of(model.name))]
    table = pa.concat_tables(parts) if parts else pa.schema(types).empty_table()
    newest = np.unique(text_hashes(table["prediction_id"])[::-1], return_index=True)[1]
    table = table.take(pa.array(np.sort(table.num_rows - 1 - newest)))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="snappy")
    write_whole(target, sink.getvalue())
    return int(table.num_rows)


def _clear(view: ModelView) -> None:
    """Removes what a killed run left in the checkout: increments that are not part of this commit."""
    known = {name.rpartition("/")[2].removesuffix(".parquet") for name in increments(view.checkout.git, view.name)}
    for path in (view.checkout.root / folder_of(view.name)).glob("*"):
        match = _OURS.fullmatch(path.name)
        if _OF_DVC.fullmatch(path.name) or (match and match["stem"] not in known):
            path.unlink()


def next_name(model: str, end: float, taken: Iterable[str]) -> str:
    """The path of the next increment, from the root: named by the window's end (seconds since 1970).

    When a ``taken`` name is as late or later, it is one second after the latest of them, because the label in the last
    name counts. Names that are not times are ignored.
    """
    moment = datetime.fromtimestamp(end, UTC)
    for name in taken:
        try:
            other = datetime.strptime(name.rpartition("/")[2], f"{_STAMP}.parquet").replace(tzinfo=UTC)
        except ValueError:  # a file that modelyard did not name
            continue
        moment = max(moment, other + timedelta(seconds=1))
    return f"{folder_of(model)}/{moment.strftime(_STAMP)}.parquet"


def _add_reviews(path: Path, reviews: Mapping[str, tuple[str, datetime]]) -> dict[str, int]:
    """Adds the reviewer and the time of each label; returns reviewer → number of labels, ordered by reviewer."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    given = [reviews[name] for name in table["prediction_id"].to_pylist()]
    table = table.append_column("reviewer", pa.array([who for who, _ in given], pa.string()))
    table = table.append_column("reviewed_at", pa.array([at for _, at in given], pa.timestamp("us", "UTC")))
    pq.write_table(table, path, compression="snappy")
    return dict(sorted(Counter(who for who, _ in given).items()))


def _files(folder: Path) -> list[Path]:
    """The increments, oldest first; a ModelyardError when only the pointer of one is there."""
    found = sorted(pointer.with_suffix("") for pointer in folder.glob("*.parquet.dvc"))
    for path in found:
        if not path.is_file():
            raise ModelyardError(f"{path} is not in this checkout, only its pointer.", f"Run dvc pull {path}.dvc.")
    return found


def _read(path: Path, types: dict[str, Any]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        columns = {
            name: table[name].cast(kind, safe=False) if name in table.column_names else pa.nulls(table.num_rows, kind)
            for name, kind in types.items()
        }
    except (OSError, pa.ArrowException) as error:
        said = str(error).splitlines()[0].rstrip(".")
        raise ModelyardError(
            f"{path} is not a valid increment of labelled rows: {said}.", "Run dvc checkout."
        ) from error
    return pa.table(columns)
