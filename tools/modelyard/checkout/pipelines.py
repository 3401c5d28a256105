"""What a change makes DVC run again, found from the files of all pipelines. DVC is not loaded.

A stage runs again when its definition or its entry in dvc.lock changed, or when something changed that it reads or
writes; then everything that it writes has changed too. Where this reading is not sure, a stage counts as changed.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from modelyard.manifests.document import ManifestErrors
from modelyard.manifests.pipeline import Stage, locked_stages, read_pipeline, read_pointer

Blobs = Callable[[Iterable[str]], Mapping[str, bytes]]
_FEW = 100
_LINK = "120000"
_ROUNDS = 40
"""How many symbolic links may lead to one another."""
_END = rb"(?=[\s,\"'\]}:]|$)"
# Scalars of dots alone, empty ones and such that go back (a/..) name a folder without its name. Templates and escapes
# may name anything.
_UNNAMED = (
    rb"(?<![\w./-])\.{1,2}(?:/\.{0,2})*" + _END + rb"|/\.\.(?:/\.{0,2})*" + _END + rb"|''|\"\"|\$\{|\\"
)  # fmt: skip

_NOT_PLAIN = (b"wdir", b"${", b"&", b"*", b"\\")
_DEPS = re.compile(rb"\bdeps: *(?:\[[^\]#'\"]*\]|\n(?: +- [^\n#'\"]*(?:\n|$))+)")
_OUTSIDE = re.compile(rb"\.\.|(?<![\w.)-])/")


@dataclass(frozen=True)
class Change:
    """The files of a change: those at its head, and what differs."""

    entries: Mapping[str, tuple[str, str]]
    """Path → git's mode and blob id, at the head."""
    changed: Mapping[str, tuple[str, str]]
    """Path → blob id before and now; '' where there is none."""
    blobs: Blobs
    root: str = ""
    """The checkout's folder, which a pipeline may write in full."""


def touched_models(change: Change, models: Collection[str]) -> dict[str, set[str]]:
    """Model → the changed paths that it has, or that reach it through any number of pipelines."""
    reasons: dict[str, set[str]] = {model: set() for model in models}
    for path in change.changed:
        model = _model_of(path)
        if model in reasons:
            reasons[model].add(path)
    search = _Search(change)
    own = {f"models/{model}" for model, found in reasons.items() if found}
    causes = search.implied | {f"models/{model}": min(found) for model, found in reasons.items() if found}
    causes |= {path: path for path in change.changed}
    fresh = search.fresh(causes)
    while fresh.paths:
        more: dict[str, str] = {}
        for file, hits, writes in search.touched(fresh, own):
            found = {causes.get(hit, hit) for hit in hits}
            model = _model_of(file)
            cause = min(found, default=causes.get(f"models/{model}", file))
            more |= dict.fromkeys(writes, cause)
            if model in reasons:
                if not reasons[model]:
                    more[f"models/{model}"] = cause
                outside = {path for path in found if not path.startswith(f"models/{model}/")}
                reasons[model] |= outside or (set() if reasons[model] else found)
        own = {path for path in more if path.count("/") == 1 and _model_of(f"{path}/") in reasons}
        known = more | causes
        # What touches a path in a folder that has changed touches the folder too.
        fresh = search.fresh(path for path in more if path not in causes and known.keys().isdisjoint(_folders(path)))
        causes = known
    return {model: found for model, found in reasons.items() if found}


class _Fresh:
    """Changed paths. Two paths touch when they are equal, or when one lies below the other."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = frozenset(paths)
        self._above = {above for path in self.paths for above in _folders(path)}

    def touching(self, path: str) -> set[str]:
        """The changed paths that touch a path."""
        if set(path.split("/")) <= {".", ".."}:  # the whole repository, or a folder around it
            return set(self.paths)
        found = {above for above in (path, *_folders(path)) if above in self.paths}
        if path in self._above:
            found |= {one for one in self.paths if one.startswith(f"{path}/")}
        return found | ({"."} & self.paths)

    def is_near(self, file: str) -> bool:
        """Whether a path is a folder of a pipeline's file, or the params.yaml beside it, which it need not name."""
        beside = posixpath.join(posixpath.dirname(file), "params.yaml")
        return beside in self.paths or not self.paths.isdisjoint(_folders(file))

    def mention(self) -> re.Pattern[bytes] | None:
        """A pattern for the texts of pipelines that may name one of the paths; None when any text may.

        A pipeline names a changed file by its last part, or a folder above it by the end of a path.
        """
        if len(self.paths) > _FEW or "." in self.paths:
            return None
        names = {_spelled(posixpath.basename(path)) for path in self.paths}
        folders = {_spelled(posixpath.basename(above)) + rb"(?:/\.?)*" + _END for above in self._above}
        return re.compile(b"|".join([_UNNAMED, *sorted(names), *sorted(folders)]))

    def spelled(self) -> re.Pattern[bytes] | None:
        """A pattern for paths outside of models/ as the pipeline of a model writes them; None when there are many."""
        paths = [path for path in self.paths if path != "." and not path.startswith("models/")]
        if not paths or len(paths) > _FEW:
            return None
        names = b"|".join(re.escape(path.encode("utf-8", "surrogateescape")) for path in sorted(paths))
        return re.compile(rb"(?<![\w./-])\.\./\.\./(" + names + rb")(?=[\s,\]/]|$)")


class _Search:
    """All pipelines of a change, each parsed when it may matter."""

    def __init__(self, change: Change) -> None:
        self._change = change
        files = [path for path in change.entries if _is_pipeline(path)]
        blobs = change.blobs(change.entries[path][1] for path in files)
        texts = {path: blobs[change.entries[path][1]] for path in files}
        self._texts = {path: text for path, text in texts.items() if path.endswith(".yaml") or b"deps" in text}
        self._stages: dict[str, list[Stage] | None] = {}
        self._variables: dict[str, bytes | None] = {}
        self._links = self._read_links()
        self._forced: dict[tuple[str, str], str] = {}
        self.implied: dict[str, str] = {}
        """Data of changed pointers, outputs of changed stages, ignored folders → the changed path that says so."""
        for path in change.changed:
            self._imply(path)

    def fresh(self, paths: Iterable[str]) -> _Fresh:
        """Changed paths, with those under which symbolic links show them."""
        found = set(paths)
        new = found
        for _ in range(_ROUNDS if self._links else 0):
            pairs = [(path, link, target) for path in new for link, target in self._links.items()]
            new = {_through(path, link, target) for path, link, target in pairs if _touch(path, target)} - found
            found |= new
        return _Fresh(found)

    def touched(self, fresh: _Fresh, own: set[str]) -> Iterator[tuple[str, set[str], frozenset[str]]]:
        """(file, changed paths that touch it, paths that it writes) of every stage that was not touched before.

        Every stage counts that lies in one of the folders ``own``.
        """
        mention = fresh.mention()
        forced = {file for file, _ in self._forced}
        wanted = [
            file
            for file, text in self._texts.items()
            if mention is None or file in forced or mention.search(text) or fresh.is_near(file)
        ]
        spelled, plain = fresh.spelled(), set()
        for file in wanted:
            hits = set() if file in forced or not spelled else _plain_hits(file, self._texts[file], spelled)
            if hits:
                plain.add(file)
                del self._texts[file]
                yield file, hits, frozenset()
        wanted = [file for file in wanted if file not in plain]
        self._prepare(wanted)
        for file in wanted:
            stages = self._parsed(file)
            if stages is None:
                del self._texts[file]
                yield file, {file}, frozenset({posixpath.dirname(file) or "."})
                continue
            rest = []
            inside = not own.isdisjoint(_folders(file))
            for stage in stages:
                hits = {hit for path in stage.reads | stage.writes for hit in fresh.touching(self._here(path))}
                hits |= {self._forced[key] for key in ((file, stage.name), (file, "")) if key in self._forced}
                if hits or inside:
                    yield file, hits, frozenset(self._here(path) for path in stage.writes)
                else:
                    rest.append(stage)
            self._stages[file] = rest
            if not rest:
                del self._texts[file]

    def _imply(self, path: str) -> None:
        """What the change of one file changes besides: outputs of pointers and stages, ignored files."""
        before, now = self._change.changed[path]
        folder, name = posixpath.split(path)
        implied: set[str] = set()
        if _is_pointer(path):
            implied.add(path.removesuffix(".dvc"))
            for stages in (self._read(before, path), self._read(now, path)):
                implied |= {out for stage in stages or () for out in stage.writes}
        elif name == "dvc.yaml":
            old, new = self._read(before, path), self._read(now, path)
            if old is None or new is None:
                self._forced[path, ""] = path
                implied.add(folder or ".")
            else:
                known = {stage.name: stage.definition for stage in new}
                same = {stage.name for stage in old if (stage.name in known and known[stage.name] == stage.definition)}
                self._forced |= {(path, stage.name): path for stage in new if stage.name not in same}
                # An output that no stage makes any more is missing for its readers.
                implied |= {self._here(out) for stage in old if stage.name not in same for out in stage.writes}
        elif name == "dvc.lock":
            pipeline = posixpath.join(folder, "dvc.yaml")
            try:
                one, two = (locked_stages(self._content(sha), path) for sha in (before, now))
                self._forced |= {(pipeline, stage): path for stage in {*one, *two} if one.get(stage) != two.get(stage)}
            except ManifestErrors:
                self._forced[pipeline, ""] = path
        elif name == ".dvcignore":
            implied.add(folder or ".")
        elif path == ".dvc/config" and b"parsing" in self._content(before) + self._content(now):
            implied.add(".")  # how DVC writes values into commands
        self.implied |= dict.fromkeys(implied, path)

    def _read(self, sha: str, path: str) -> list[Stage] | None:
        """The stages of a version of a file; none for a missing one, None for an unreadable one."""
        return _stages_of(self._content(sha), path, self._variable_file) if sha else []

    def _content(self, sha: str) -> bytes:
        return self._change.blobs([sha])[sha] if sha else b""

    def _prepare(self, files: list[str]) -> None:
        """Reads the variables of many pipelines with one process."""
        wanted: set[str] = set()
        for file in files:
            if file not in self._stages and b"${" in self._texts[file]:
                _stages_of(self._texts[file], file, lambda path: wanted.add(path))
        entries = {path: self._change.entries[path][1] for path in wanted & self._change.entries.keys()}
        blobs = self._change.blobs(entries.values())
        self._variables |= {path: blobs[sha] for path, sha in entries.items()}

    def _parsed(self, file: str) -> list[Stage] | None:
        if file not in self._stages:
            self._stages[file] = _stages_of(self._texts[file], file, self._variable_file)
        return self._stages[file]

    def _variable_file(self, path: str) -> bytes | None:
        path = self._here(path)
        if path not in self._variables:
            entry = self._change.entries.get(path)
            self._variables[path] = self._content(entry[1]) if entry else None
        return self._variables[path]

    def _read_links(self) -> dict[str, str]:
        """Symbolic link → the path that it leads to."""
        links = {path: sha for path, (mode, sha) in self._change.entries.items() if mode == _LINK}
        blobs = self._change.blobs(links.values())
        targets = {path: blobs[sha].decode("utf-8", "surrogateescape") for path, sha in links.items()}
        found = {
            path: self._here(posixpath.normpath(posixpath.join(posixpath.dirname(path), target)))
            for path, target in targets.items()
        }
        return {path: target for path, target in found.items() if not _touch(path, target)}

    def _here(self, path: str) -> str:
        """A path from the repository's root, also where it was written in full."""
        root = self._change.root
        if not root or not path.startswith("/"):
            return path
        return "." if path == root else path.removeprefix(f"{root}/")


def _plain_hits(file: str, text: bytes, spelled: re.Pattern[bytes]) -> set[str]:
    """The changed paths that the pipeline of a model reads, seen without parsing it, which takes most of the time.

    Empty for a text that says so in another way than plain lists of ``deps``, or that may write outside of its folder.
    """
    if file.count("/") != 2 or not file.startswith("models/") or any(sign in text for sign in _NOT_PLAIN):
        return set()
    hits = {path.decode("utf-8", "surrogateescape") for deps in _DEPS.findall(text) for path in spelled.findall(deps)}
    return set() if not hits or _OUTSIDE.search(_DEPS.sub(b"", text)) else hits


def _stages_of(content: bytes, file: str, read: Callable[[str], bytes | None]) -> list[Stage] | None:
    try:
        return [read_pointer(content, file)] if _is_pointer(file) else list(read_pipeline(content, file, read).stages)
    except ManifestErrors:
        return None


def _is_pipeline(path: str) -> bool:
    return posixpath.basename(path) == "dvc.yaml" or _is_pointer(path)


def _is_pointer(path: str) -> bool:
    return path.endswith(".dvc") and posixpath.basename(path) != ".dvc"


def _model_of(path: str) -> str:
    parts = path.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "models" else ""


def _folders(path: str) -> list[str]:
    """The folders above a path, the nearest first."""
    found = []
    while "/" in path:
        path = path.rpartition("/")[0]
        found.append(path)
    return found


def _touch(one: str, other: str) -> bool:
    return _within(one, other) or _within(other, one)


def _through(path: str, link: str, target: str) -> str:
    """A path below a link's target, or around it, as the link shows it."""
    if not _within(path, target):
        return link
    return f"{link}/{path}" if target == "." else link + path[len(target) :]


def _within(path: str, folder: str) -> bool:
    return path == folder or folder == "." or path.startswith(f"{folder}/")


def _spelled(name: str) -> bytes:
    """A pattern for a name as YAML may write it without escapes: folded at blanks, with a doubled quote."""
    plain = re.escape(name.encode("utf-8", "surrogateescape"))
    return re.sub(rb"(?:\\?\s)+", rb"\\s+", plain).replace(b"'", b"''?")
