"""A container image built from the build context of a version, by whichever builder works on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from modelyard.errors import ModelyardError

BUILDERS = ("docker", "podman", "buildah")
INDEXES = ("UV_DEFAULT_INDEX", "PIP_INDEX_URL")
"""The variables that name a package index; the first stage gets them, the image that serves does not."""
_SECONDS = 60


@dataclass(frozen=True)
class Builder:
    """A program that builds images here: docker, podman or buildah."""

    program: str

    def arguments(self, folder: Path, name: str, base: str, at: int, indexes: Iterable[str]) -> list[str]:
        """The command that builds ``folder`` as ``name``; ``at`` is the image's time in seconds since 1970.

        docker keeps a HEALTHCHECK in every format, podman and buildah only in docker's.
        """
        told = [f"BASE={base}", *indexes]
        if self.program == "docker":
            own = ["build"]
            told.append(f"SOURCE_DATE_EPOCH={at}")
        else:
            own = ["build", "--format", "docker", "--timestamp", str(at)]
        settings = [part for value in told for part in ("--build-arg", value)]
        place = ["--file", str(folder / "Containerfile"), "--tag", name]
        return [self.program, *own, *settings, *place, str(folder)]

    def build(self, folder: Path, name: str, base: str, at: int) -> str:
        """Builds the image and returns its identity; what the builder says goes to standard error."""
        indexes = [variable for variable in INDEXES if os.environ.get(variable)]
        command = self.arguments(folder, name, base, at, indexes)
        # The builder's standard output is not this command's result.
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno(), check=False)
        if done.returncode:
            raise ModelyardError(
                f"{self.program} could not build the image of {folder}: it ended with {done.returncode}.",
                f"Read what it said above, correct that, and build again: {self.program} build {folder}",
            )
        return _said([self.program, *_INSPECT[self.program], name])


_INSPECT = {
    "docker": ("image", "inspect", "--format", "{{.Id}}"),
    "podman": ("image", "inspect", "--format", "{{.Id}}"),
    "buildah": ("inspect", "--type", "image", "--format", "{{.FromImageID}}"),
}
# Older clients of docker end `docker info` with 0 where no engine answers.
_CHECKS = {"docker": ("version", "--format", "{{.Server.Version}}"), "podman": ("info",), "buildah": ("info",)}


def working_builder() -> Builder:
    """The first builder that works here; ModelyardError without one. A client without its engine does not."""
    faults = []
    for program in BUILDERS:
        if not shutil.which(program):
            continue
        fault = _fault([program, *_CHECKS[program]])
        if not fault:
            return Builder(program)
        faults.append(f"{program} does not work ({fault})")
    found = "; ".join(faults) or f"none of {', '.join(BUILDERS)} is on PATH"
    raise ModelyardError(
        f"No builder of images works here: {found}.",
        "Start docker's engine, or install a builder that needs none: apt-get install buildah",
    )


def _fault(command: list[str]) -> str:
    """Why a command fails, in its own words; '' when it works."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=_SECONDS
        )
    except OSError as error:
        return error.strerror or str(error)
    except subprocess.TimeoutExpired:
        return f"no answer within {_SECONDS} seconds"
    if not done.returncode:
        return ""
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else f"it ended with {done.returncode}"


def _said(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    return done.stdout.strip()
