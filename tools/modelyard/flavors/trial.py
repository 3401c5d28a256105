"""One artifact read in a process of its own, which may die: ``python -m modelyard.flavors.trial FLAVOR ARTIFACT``.

The readers of some formats are native code that trusts a file, and their formats cannot be checked from outside. So a
file is loaded and asked for some 200 rows here first. What ends or hangs this process ends no other.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from .discovery import flavor_named
from .interface import Fault, Flavor, Options
from .process import VARIABLES
from .signature import Signature
from .trial_rows import ask_all

_SECONDS = 300.0
_REFUSED = 3
_REMEDY = "Find out who made the file. Train the model again, or pull it again from the DVC remote."


def try_out(flavor: Flavor, artifact: Path, signature: Signature, options: Options) -> None:
    """Fault when loading an artifact fails, or when loading or scoring ends its process or hangs."""
    _asked(flavor, artifact, options, {"signature": signature.to_json()})


def features_of(flavor: Flavor, artifact: Path, options: Options) -> tuple[str, ...]:
    """What ``flavor.features`` says of an artifact; Fault as for ``try_out``."""
    return tuple(_asked(flavor, artifact, options, {}))


def _asked(flavor: Flavor, artifact: Path, options: Options, question: dict[str, Any]) -> Any:
    """What the process of its own answers; None where it has nothing to say."""
    asked = json.dumps(question | {"options": asdict(options) | {"folder": str(options.folder)}})
    kept = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "modelyard.flavors.trial", flavor.name, str(artifact.resolve())],
            input=asked, capture_output=True, text=True, errors="replace", check=False, timeout=_SECONDS, env=kept,
            start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _fault(artifact, flavor, f"did not end within {_SECONDS:g} s") from None
    if done.returncode not in (0, _REFUSED):
        how = f"signal {signal.Signals(-done.returncode).name}" if done.returncode < 0 else f"status {done.returncode}"
        raise _fault(artifact, flavor, f"ended its process with {how}")
    said = json.loads(done.stdout.splitlines()[-1])
    if done.returncode == _REFUSED:
        raise Fault(said["problem"], said["remedy"])
    return said


def main() -> None:
    """Loads and scores the artifact, or names its features; the answer is the last line of standard output."""
    name, artifact = sys.argv[1:3]
    asked = json.load(sys.stdin)
    lists = {key: tuple(asked["options"][key]) for key in ("trusted", "files", "command")}
    options = Options(**asked["options"] | lists | {"folder": Path(asked["options"]["folder"])})
    try:
        if "signature" not in asked:
            _say(flavor_named(name).features(Path(artifact), options))
            return
        signature = Signature.from_json(asked["signature"])
        loaded = flavor_named(name).load(Path(artifact), signature, options)
    except Fault as fault:
        _refuse(fault)
    except Exception as error:  # what a flavor did not foresee: only a death of the process has no sentence
        first = (str(error).splitlines() or [""])[0][:200].rstrip(".")
        what = f"{Path(artifact).name} cannot be read as {name}: {type(error).__name__}: {first}."
        _refuse(Fault(what, _REMEDY))
    ask_all(loaded, signature)
    _say(None)


def _refuse(fault: Fault) -> NoReturn:
    _say({"problem": fault.problem, "remedy": fault.remedy})
    os._exit(_REFUSED)


def _say(value: object) -> None:
    sys.stdout.write(f"\n{json.dumps(value)}\n")
    sys.stdout.flush()


def _fault(artifact: Path, flavor: Flavor, how: str) -> Fault:
    return Fault(
        f"Reading {artifact.name} as {flavor.name} {how}, so nothing loads it.",
        _REMEDY,
    )


if __name__ == "__main__":
    main()
