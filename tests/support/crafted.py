"""Crafted artifacts: files changed at a few places, and what becomes of a process that serves them."""

from __future__ import annotations

import faulthandler
import io
import json
import os
import random
import resource
import signal
import struct
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from modelyard.flavors.interface import Fault, Flavor, Options
from modelyard.flavors.signature import Input, Signature
from modelyard.flavors.trial_rows import ask_all, trial_rows
from modelyard.flavors.values import Columns, canonical

LEVELS = tuple("abcdefgh")
SIGNATURE = Signature(
    "m", "v1.0.0", "binary", (Input("a", "float", True), Input("c", "string", True, categories=LEVELS), Input("b", "float", True)),
)  # fmt: skip
NUMBERS = Signature("m", "v1.0.0", "binary", (Input("a", "float", True), Input("b", "float", True)))
_WHOLE = (0, -1, 1, 2, 3, 5, 7, 9, 100, 99_999_999, -99_999_999, 2**31 - 1, 2**31, 2**32 - 1)
_REAL = (0.0, -1e30, 1e30, 1e-45, 3.5, float("nan"), float("inf"))
_SECONDS, _MEMORY = 20, 4_000_000_000


@dataclass(frozen=True)
class Fates:
    """What became of crafted files: how many the check let through, how many also passed the trial, and the dead."""

    checked: int
    tried: int
    dead: tuple[bytes, ...]
    """Files that passed both and ended a process that served valid requests."""


def fates(
    flavor: Flavor, signature: Signature, candidates: Sequence[bytes], folder: Path, trusted: Sequence[str] = ()
) -> Fates:
    """The fates of files. Each is loaded, tried and asked in processes that may die, as a trial and a server do."""
    file = folder / "crafted"

    def ask(content: bytes, do: Callable[[Any], None]) -> None:
        file.write_bytes(content)
        do(flavor.load(file, signature, Options(threads=1, trusted=tuple(trusted))))

    checked = []
    for content in candidates:
        file.write_bytes(content)
        try:
            flavor.check(file)
        except Fault:
            continue
        checked.append(content)
    tried = checked
    if not flavor.checks_files:
        said = _asked(checked, lambda content: ask(content, lambda scorer: ask_all(scorer, signature)))
        tried = [content for content, fate in zip(checked, said, strict=True) if fate == "+"]
    served = _asked(tried, lambda content: ask(content, lambda scorer: _serve(scorer, signature)))
    return Fates(
        len(checked), len(tried), tuple(content for content, fate in zip(tried, served, strict=True) if fate == "x")
    )


def _serve(scorer: Any, signature: Signature) -> None:
    """Valid requests: the trial's rows, and others that it does not know."""
    for columns in (*trial_rows(signature), *_others(signature)):
        try:
            scorer.score(columns)
            if hasattr(scorer, "contributions"):
                scorer.contributions({name: values[:2] for name, values in columns.items()})
        except Exception:  # noqa: S112 - a refusal is what we want
            continue


def _others(signature: Signature) -> list[Columns]:
    rng = np.random.default_rng(77)
    levels = np.array([*LEVELS, "new", None], dtype=object)
    found: list[Columns] = []
    for scale in (0.3, 2.0, 50.0, 1e6):
        drawn = {
            column.name: rng.choice(levels, 300).tolist() if column.is_text else rng.normal(0, scale, 300)
            for column in signature.inputs
        }
        found.append({column.name: canonical(column, drawn[column.name]) for column in signature.inputs})
    return found


def _asked(candidates: Sequence[bytes], ask: Callable[[bytes], None]) -> list[str]:
    """For each file: + when it was answered, - when it was refused, x when it ended its process or hung."""
    found: list[str] = []
    while len(found) < len(candidates):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            faulthandler.disable()  # a death is what is counted, and pytest would print it
            silent = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silent, 1)
            os.dup2(silent, 2)
            resource.setrlimit(resource.RLIMIT_AS, (_in_use() + _MEMORY, resource.RLIM_INFINITY))
            for content in candidates[len(found) :]:
                signal.alarm(_SECONDS)
                try:
                    ask(content)
                    said = b"+"
                except Exception:
                    said = b"-"
                os.write(writing, said)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            found += list(pipe.read().decode())
        if os.waitpid(child, 0)[1]:
            found.append("x")
    return found


def _in_use() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


# --- changes ---------------------------------------------------------------------------------------------------------


def changed_json(content: bytes, rng: random.Random) -> bytes:
    """One to three values of a document replaced, removed or doubled."""
    document = json.loads(content)
    for _ in range(rng.randint(1, 3)):
        places: list[tuple[Any, Any]] = []
        _walk(document, places)
        holder, at = rng.choice(places)
        if rng.random() < 0.8:
            holder[at] = _other(holder[at], rng)
        elif rng.random() < 0.6 or isinstance(holder, dict):
            del holder[at]
        else:
            holder.insert(at, holder[at])
    return json.dumps(document).encode()


def _walk(value: Any, places: list[tuple[Any, Any]]) -> None:
    for at, inner in value.items() if isinstance(value, dict) else enumerate(value):
        places.append((value, at))
        if isinstance(inner, (dict, list)):
            _walk(inner, places)


def _other(value: Any, rng: random.Random) -> Any:
    if rng.random() < 0.2:
        return rng.choice([*_WHOLE, *_REAL, "", "0", "-1", "nan", None, True, [], {}])
    if isinstance(value, str):
        return str(rng.choice(_WHOLE))
    return rng.choice(_REAL if isinstance(value, float) else _WHOLE)


def changed_bytes(content: bytes, rng: random.Random) -> bytes:
    """One to three bytes or numbers of four bytes replaced, some bytes removed or doubled."""
    found = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        at, kind = rng.randrange(4, len(found)), rng.random()
        if kind < 0.45:
            found[at] = rng.choice([0, 1, 2, 3, 4, 127, 128, 255, rng.randrange(256)])
        elif kind < 0.9:
            order = rng.choice("<>")
            found[at : at + 4] = struct.pack(f"{order}I", rng.choice(_WHOLE) % 2**32)
        elif kind < 0.95:
            del found[at : at + rng.randint(1, 9)]
        else:
            found[at:at] = found[at - 4 : at]
    return bytes(found)


def changed_skops(content: bytes, rng: random.Random) -> bytes:
    """The same in the members of a skops file: its description, or the numbers of one of its arrays."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice([*members, *[one for one in members if one.endswith(".npy")] * 2])
    if name.endswith(".npy"):
        head = 10 + int.from_bytes(members[name][8:10], "little")
        if len(members[name]) > head + 4:
            members[name] = members[name][:head] + _numbers(members[name][head:], rng)
    else:
        members[name] = changed_json(members[name], rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for one, inner in members.items():
            archive.writestr(one, inner)
    return buffer.getvalue()


def _numbers(content: bytes, rng: random.Random) -> bytes:
    found = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(found)) & ~7
        kind = rng.choice(["<i", "<q", "<d"])
        value = rng.choice(_REAL) if kind == "<d" else rng.choice(_WHOLE) % 2**31 * rng.choice((1, -1))
        packed = struct.pack(kind, value)
        found[at : at + len(packed)] = packed[: len(found) - at]
    return bytes(found)


def changed_onnx(content: bytes, rng: random.Random) -> bytes:
    """One to three numbers, names or dimensions of a graph replaced; or bytes, where the structure does not count."""
    if rng.random() < 0.3:
        return changed_bytes(content, rng)
    import onnx

    model = onnx.load_model_from_string(content)
    graph = model.graph
    for _ in range(rng.randint(1, 3)):
        node = rng.choice(graph.node)
        kind = rng.random()
        if kind < 0.6 and node.attribute:
            attribute = rng.choice(node.attribute)
            for values, others in ((attribute.ints, _WHOLE[:-4]), (attribute.floats, _REAL)):
                if len(values):
                    at = rng.randrange(len(values))
                    if rng.random() < 0.8:
                        values[at] = rng.choice(others)
                    else:
                        del values[at]
            if attribute.type == onnx.AttributeProto.INT:
                attribute.i = rng.choice(_WHOLE)
        elif kind < 0.8 and graph.initializer:
            tensor = rng.choice(graph.initializer)
            if tensor.dims and rng.random() < 0.5:
                tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(_WHOLE)
            elif tensor.raw_data:
                tensor.raw_data = changed_bytes(tensor.raw_data + bytes(8), rng)[: len(tensor.raw_data)]
            elif tensor.int64_data:
                tensor.int64_data[rng.randrange(len(tensor.int64_data))] = rng.choice(_WHOLE)
        elif kind < 0.9 and node.input:
            node.input[rng.randrange(len(node.input))] = rng.choice([*rng.choice(graph.node).output, ""])
        else:
            node.op_type = rng.choice(graph.node).op_type
    return bytes(model.SerializeToString())
