"""The worker process of a team's scorer: ``python worker.py SCORER ARTIFACT``, which communicates over pipes.

It imports no other module of modelyard, because its environment is the team's. A message is its length (8 bytes) and
its content. The worker reads a table as an Arrow stream. It answers ``+`` with the scores in NumPy's format, or ``-``
with a sentence. Its first message says that the model is loaded.
"""

import importlib.util
import io
import os
import struct
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

LENGTH = struct.Struct(">Q")


def main() -> None:
    """Loads the model, then scores tables until its input ends."""
    # The scorer's own output must not mix with the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    scorer, artifact = sys.argv[1:3]
    try:
        predict = _load(scorer, artifact)
    except BaseException as error:
        _send(answers, b"-", _said(error))
        return
    _send(answers, b"+", b"")
    while content := _receive(sys.stdin.buffer):
        try:
            _send(answers, b"+", _score(predict, content))
        except Exception as error:
            _send(answers, b"-", _said(error))


def _load(path: str, artifact: str) -> Callable[[Any], Any]:
    """The scorer's ``predict``, in either form, as a function of one frame."""
    sys.path[:0] = [os.path.dirname(path), os.getcwd()]  # noqa: PTH109, PTH120
    spec = importlib.util.spec_from_file_location("scorer", path)
    module: Any = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    sys.modules["scorer"] = module
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    loaded = module.load(artifact)
    if not hasattr(module, "predict"):
        return loaded.predict  # type: ignore[no-any-return]
    if module.predict.__code__.co_argcount >= 2:
        return lambda frame: module.predict(loaded, frame)
    return module.predict  # type: ignore[no-any-return]


def _score(predict: Callable[[Any], Any], content: bytes) -> bytes:
    import numpy as np
    import pyarrow as pa

    frame = pa.ipc.open_stream(content).read_all().to_pandas()
    rows = len(frame)
    found = np.asarray(predict(frame), dtype="<f8")
    if not found.ndim or len(found) != rows:
        raise ValueError(f"predict gave an array of shape {found.shape} for {rows} rows")
    result = io.BytesIO()
    np.save(result, found, allow_pickle=False)
    return result.getvalue()


def _said(error: BaseException) -> bytes:
    return f"{type(error).__name__}: {error}".encode(errors="replace")[:2000]


def _send(file: BinaryIO, kind: bytes, content: bytes) -> None:
    file.write(kind + LENGTH.pack(len(content)) + content)
    file.flush()


def _receive(file: BinaryIO) -> bytes:
    head = file.read(LENGTH.size)
    return file.read(LENGTH.unpack(head)[0]) if len(head) == LENGTH.size else b""


if __name__ == "__main__":
    main()
