"""Images: the choice of a builder, its command, and one that is really built, pushed, pulled and asked."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelyard.catalog.image import Builder, working_builder
from modelyard.demo.stage import free_ports
from modelyard.errors import ModelyardError
from support.loop import every_cell, register_all, request_of
from support.package_index import add_packages, add_toolkit, said
from support.waiting import SECONDS, answers, running, wait_for
from support.yard import commit_all, tool

SUITE, PYTHON = "bookworm", "3.11"
BASE = ("mmdebstrap", "--quiet", "--variant=minbase", "--include=python3,python3-venv,libgomp1", SUITE)
"""A base image like Python's slim one, of Debian's packages; without the tar's path."""
KEPT = Path(os.environ.get("KEPT") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "modelyard"))
REGISTRY = Path(sys.prefix) / "system/usr/bin/docker-registry"
MODEL = "lightgbm-binary"
IMAGE = f"localhost/{MODEL}:v1.0.0"


def on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, **programs: str) -> None:
    """Lets only these programs be found; each is a shell script."""
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_a_client_without_its_engine_builds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path(tmp_path, monkeypatch)
    with pytest.raises(ModelyardError, match=r"none of docker, podman, buildah is on PATH.*apt-get install buildah"):
        working_builder()
    on_path(tmp_path, monkeypatch, docker="echo 'Cannot connect to the daemon.' >&2; exit 1")
    with pytest.raises(ModelyardError, match=r"docker does not work \(Cannot connect to the daemon\)"):
        working_builder()
    on_path(tmp_path, monkeypatch, buildah="exit 0")
    assert working_builder() == Builder("buildah")
    on_path(tmp_path, monkeypatch, podman="exit 0")
    assert working_builder() == Builder("podman")


def test_the_health_check_is_kept_and_the_time_is_the_versions() -> None:
    for program in ("podman", "buildah"):
        command = Builder(program).arguments(Path("f"), "churn:v1.0.0", "base", 7, [])
        assert command[:6] == [program, "build", "--format", "docker", "--timestamp", "7"] and command[-1] == "f"
    command = Builder("docker").arguments(Path("f"), "churn:v1.0.0", "base", 7, ["PIP_INDEX_URL"])
    assert "--format" not in command and "SOURCE_DATE_EPOCH=7" in command
    assert "PIP_INDEX_URL" in command, "the builder reads the value, which no other process sees"


def test_a_failed_build_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path(tmp_path, monkeypatch, buildah="echo no such image >&2; exit 125")
    with pytest.raises(ModelyardError, match=r"buildah could not build the image of .*: it ended with 125"):
        Builder("buildah").build(tmp_path, "churn:v1.0.0", "base", 7)


@dataclass(frozen=True)
class Storage:
    """A place where buildah keeps images, apart from this machine's own."""

    variables: dict[str, str]

    @classmethod
    def at(cls, folder: Path) -> Storage:
        folder.mkdir()
        conf = folder / "storage.conf"
        conf.write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/images"\nrunroot = "{folder}/run"\n')
        return cls({"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot", "CONTAINERS_STORAGE_CONF": str(conf)})

    def buildah(self, *arguments: str) -> str:
        return said("buildah", *arguments, environment=self.variables).strip()

    def image(self, name: str) -> dict[str, Any]:
        """What the image says of itself, as docker's clients read it."""
        return dict(json.loads(self.buildah("inspect", "--type", "image", name))["Docker"])

    @contextmanager
    def serving(self, container: str, folder: Path) -> Iterator[int]:
        """A container on a port of loopback, started as its image says."""
        (port,) = free_ports(1)
        loopback = "import pathlib as p; f = p.Path('modelyard.yaml'); f.write_text(f.read_text().replace('0.0.0.0', '127.0.0.1'))"
        self.buildah("run", container, "python", "-c", loopback)
        entry = json.loads(self.buildah("inspect", container))["Docker"]["config"]["Entrypoint"]
        command = ["buildah", "run", "--env", "MODELYARD_TOKEN=t", container, "--", *entry, "--port", str(port)]
        live = f"http://127.0.0.1:{port}/v2/health/live"
        with running(command, folder, lambda: answers(live, any_status=True), **self.variables):
            yield port


def ask(port: int, path: str, body: object = None) -> tuple[int, Any]:
    """One request with the caller's token."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    connection.request(
        "POST" if body else "GET", path, json.dumps(body) if body else None, {"Authorization": "Bearer t"}
    )
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def base_image(storage: Storage) -> str:
    """An image of Debian with Python. Its archive is kept for the next run."""
    kept = KEPT / f"base-{hashlib.sha256(' '.join(BASE).encode()).hexdigest()[:16]}.tar"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_name(f"{kept.stem}.{os.getpid()}.tar")
        said(*BASE, str(part))
        part.rename(kept)
    container = storage.buildah("from", "scratch")
    storage.buildah("add", container, str(kept), "/")
    storage.buildah("commit", "--quiet", "--rm", "--timestamp", "0", container, "localhost/base")
    return "localhost/base"


@pytest.fixture
def storages(tmp_path: Path) -> Iterator[tuple[Storage, Storage]]:
    """Of a machine that builds and of one that pulls; removed afterwards, for they are large."""
    folders = tmp_path / "builds", tmp_path / "pulls"
    yield Storage.at(folders[0]), Storage.at(folders[1])
    for folder in folders:
        shutil.rmtree(folder)


def test_an_image_is_built_pushed_pulled_and_answers(
    tmp_path: Path, storages: tuple[Storage, Storage], monkeypatch: pytest.MonkeyPatch
) -> None:
    yard, index = tmp_path / "yard", tmp_path / "index"
    trained = every_cell(yard, [("lightgbm", "binary")])
    register_all(yard, trained)
    commit_all(yard, "Registered")
    tool(yard, "package", MODEL, "--out", str(tmp_path / "plain"))
    requirements = tmp_path / "plain/requirements"
    installed = (requirements / "serving.txt").read_text()
    assert "\nlightgbm==" in installed and not any(f"\n{n}==" in installed for n in ("dvc", "pandas", "scikit-learn"))
    said(sys.executable, "-m", "venv", str(tmp_path / "pip"))
    add_toolkit(index)
    files = [requirements / name for name in ("serving.txt", "installer.txt")]
    python = tmp_path / "pip/bin/python"
    add_packages(index, python, files, "--python-version", PYTHON, "--only-binary=:all:")

    (port,) = free_ports(1)
    simple = f"http://127.0.0.1:{port}/simple/"
    storage, elsewhere = storages
    for name, value in (storage.variables | {"PIP_INDEX_URL": simple, "UV_DEFAULT_INDEX": simple}).items():
        monkeypatch.setenv(name, value)
    base = base_image(storage)
    layers = []
    with running([sys.executable, "-m", "http.server", "-b", "127.0.0.1", str(port)], index, lambda: answers(simple)):
        for out in ("first", "second"):
            command = ("package", MODEL, "--out", str(tmp_path / out), "--build", "--base", base)
            made = tool(yard, *command)
            assert "Built lightgbm-binary:v1.0.0: " in made.stderr and "STEP" not in made.stdout
            layers.append(storage.image(IMAGE)["rootfs"]["diff_ids"])
    assert layers[0] == layers[1] and len(layers[0]) == 2, "the same bytes, built later"

    (port,) = free_ports(1)
    place = f"docker://127.0.0.1:{port}/{MODEL}:v1.0.0"
    (tmp_path / "registry.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/registry}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
    )
    (tmp_path / "log").mkdir()
    registry = [str(REGISTRY), "serve", str(tmp_path / "registry.yml")]
    with running(registry, tmp_path / "log", lambda: answers(f"http://127.0.0.1:{port}/v2/")):
        storage.buildah("push", "--quiet", "--tls-verify=false", "--disable-compression", IMAGE, place)
        elsewhere.buildah("pull", "--quiet", "--tls-verify=false", place)
    name = place.removeprefix("docker://")
    image = elsewhere.image(name)
    assert image["rootfs"]["diff_ids"] == layers[0]
    assert image["config"]["Healthcheck"]["Test"][0] == "CMD" and image["config"]["User"] == "10001"
    assert simple not in json.dumps(image), "the address of an index may have a password"

    container = elsewhere.buildah("from", "--pull-never", name)
    model = trained[MODEL]
    with elsewhere.serving(container, tmp_path / "log") as port:
        assert ask(port, "/v2/health/ready") == (200, {"ready": True, "models": {MODEL: "ready"}})
        status, answer = ask(port, f"/v2/models/{MODEL}/infer", request_of(model, slice(0, 20)))
        assert status == 200 and np.allclose(answer["outputs"][0]["data"], model.scores[:20], rtol=0, atol=1e-9)
        check = image["config"]["Healthcheck"]["Test"][1:]
        check[-1] = check[-1].replace(":8080", f":{port}")
        elsewhere.buildah("run", container, "--", *check)
        report = json.loads(elsewhere.buildah("run", container, "cat", "served/server.json"))
        assert report["probes"][MODEL] == {"v1.0.0": "100/100"}
        assert elsewhere.buildah("run", container, "id", "-u") == "10001"

    other = "import json, pathlib as p; f = next(p.Path('served').rglob('probe.json')); d = json.loads(f.read_text());"
    other += " d['scores'][0] += 0.1; f.write_text(json.dumps(d))"
    elsewhere.buildah("run", container, "python", "-c", other)
    with elsewhere.serving(container, tmp_path / "log") as port:
        status, answer = wait_for(lambda: ask(port, "/v2/health/ready"), "the server to have looked")
        assert status == 503 and "does not give the registered scores for 1 of 100 probe rows" in json.dumps(answer)
