"""What a change makes DVC run again: never a model less than ``dvc status`` names."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from modelyard.checkout.pipelines import Change, touched_models

MODELS = ("churn", "fraud", "price")
FOLDERS = ("", "data", "raw/deep", *(f"models/{name}" for name in MODELS))
NAMES = ("a.csv", "tab\t.csv", "new\nline.csv", "it's.csv", 'qu"ote.csv', "two words.csv", "ümlaut.csv", "b # c.csv")

Files = dict[str, bytes]


def touched(before: Files, now: Files, links: dict[str, str] | None = None, root: str = "") -> dict[str, set[str]]:
    """``touched_models`` of two trees; a link is a path of both."""
    shown = {path: target.encode() for path, target in (links or {}).items()}
    stored = {_id(content): content for files in (before, now, shown) for content in files.values()}
    entries = {path: ("100644", _id(content)) for path, content in now.items()}
    entries |= {path: ("120000", _id(content)) for path, content in shown.items()}
    changed = {
        path: (_id(before[path]) if path in before else "", _id(now[path]) if path in now else "")
        for path in {*before, *now}
        if before.get(path) != now.get(path)
    }
    change = Change(entries, changed, lambda ids: {sha: stored[sha] for sha in ids}, root)
    return touched_models(change, [name for name in MODELS if f"models/{name}/dvc.yaml" in now])


def _id(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@dataclass
class Yard:
    """A generated repository: what git has, what DVC has, and the pipelines by folder."""

    tracked: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    pipelines: dict[str, dict[str, Any]] = field(default_factory=dict)
    readable: list[str] = field(default_factory=list)


@st.composite
def yards(draw: st.DrawFn) -> Yard:
    """Pipelines over several folders: templates, variables, foreach, matrix, wdir, pointers, odd names."""
    yard = Yard()
    for i in range(draw(st.integers(2, 4))):
        folder = draw(st.sampled_from(["data", "shared", "raw/deep/er", "models/churn/in"]))
        path = f"{folder}/{i}{draw(st.sampled_from(NAMES))}"
        if draw(st.booleans()):
            yard.tracked[path] = f"source {i}\n"
        else:
            yard.outputs[path] = f"source {i}\n"
            pointer = {"outs": [{"md5": _md5(yard.outputs[path]), "path": posixpath.basename(path)}]}
            yard.tracked[f"{path}.dvc"] = yaml.safe_dump(pointer)
        yard.readable.append(path)
    folders = [*draw(st.lists(st.sampled_from(FOLDERS[:3]), unique=True, max_size=2)), *FOLDERS[3:]]
    for folder in folders:
        _pipeline(draw, yard, folder)
    for folder, document in yard.pipelines.items():
        style = draw(st.sampled_from([None, True, False]))
        quotes = draw(st.sampled_from([None, "'", '"']))
        text = yaml.safe_dump(document, default_flow_style=style, default_style=quotes, width=20, allow_unicode=True)
        yard.tracked[posixpath.join(folder, "dvc.yaml")] = text
    return yard


def _pipeline(draw: st.DrawFn, yard: Yard, folder: str) -> None:
    params: dict[str, Any] = {"lr": 0.1, "unused": 1}
    shared: dict[str, Any] = {"depth": 3}
    inline: dict[str, Any] = {"plain": "x"}
    stages: dict[str, Any] = {}
    variables = posixpath.join("shared", f"v-{folder.replace('/', '-') or 'root'}.yaml")
    for i in range(draw(st.integers(1, 2))):
        wdir = draw(st.sampled_from([".", "..", "sub"]) if folder else st.just("."))
        base = posixpath.normpath(posixpath.join(folder, wdir))

        def written(path: str, key: str, base: str = base) -> str:
            relative = posixpath.relpath(path, base)
            where = draw(st.sampled_from([None, None, params, shared, inline]))
            if where is None:
                return relative.replace("${", "\\${")
            where[key] = {"at": [relative]}
            return f"${{{key}.at[0]}}"

        deps = draw(st.lists(st.sampled_from(yard.readable), unique=True, min_size=1, max_size=2))
        if draw(st.booleans()):
            deps = [posixpath.dirname(deps[0]), *deps[1:]] if folder not in (posixpath.dirname(deps[0]),) else deps
        own = posixpath.join(folder or "top", "out")
        deps = [dep for dep in deps if not any(_around(dep, one) for one in (base, folder, own) if one)]
        deps = [dep for dep in deps if dep != "."] or [yard.readable[0]]
        deps = list(dict.fromkeys(deps))
        deps = [
            dep for k, dep in enumerate(deps) if not any(_around(o, dep) for j, o in enumerate(deps) if j != k)
        ] or deps[:1]
        kind = draw(st.sampled_from(["plain", "foreach", "matrix", "params", "command", "vars"]))
        name = f"s{i}"
        outs = [posixpath.join(folder or "top", "out", f"{i}{draw(st.sampled_from(NAMES))}")]
        stage: dict[str, Any] = {"cmd": "true", "deps": [written(dep, f"d{i}{k}") for k, dep in enumerate(deps)]}
        if wdir != ".":
            stage["wdir"] = wdir
        if kind == "foreach":
            outs = [f"{outs[0]}-{item}" for item in ("l", "m")]
            items = [{"out": posixpath.relpath(out, base), "dep": posixpath.relpath(deps[0], base)} for out in outs]
            body = {**stage, "deps": ["${item.dep}"], "outs": ["${item.out}"]}
            if draw(st.booleans()):
                shared[f"items{i}"] = items
            stage = {"foreach": f"${{items{i}}}" if f"items{i}" in shared else items, "do": body}
        elif kind == "matrix":
            outs = [f"{outs[0]}-{item}" for item in ("l", "m")]
            params[f"axis{i}"] = ["l", "m"]
            stage |= {"matrix": {"x": f"${{axis{i}}}"}}
            stage["outs"] = [posixpath.relpath(outs[0], base)[:-1] + "${item.x}"]
            stage["cmd"] = "true ${item.x}"
        else:
            stage["outs"] = [posixpath.relpath(outs[0], base)]
        if kind == "params":
            file = posixpath.relpath(posixpath.join("shared", f"p{i}.yaml"), base)
            yard.tracked[f"shared/p{i}.yaml"] = "lr: 0.5\n"
            shared[f"file{i}"] = file
            stage["params"] = [{f"${{file{i}}}": ["lr"]}]
        elif kind == "command":
            stage["cmd"] = "true ${lr} ${depth} ${plain}"
        elif kind == "vars":
            yard.tracked["shared/own.json"] = '{"own": {"x": 1}}'
            stage["vars"] = [posixpath.relpath("shared/own.json", base)]
            stage["cmd"] = "true ${own.x}"
        stages[name] = stage
        for out in outs:
            yard.outputs[out] = f"made {out}\n"
        if base == "." or "sub" not in base:
            yard.readable += outs
    yard.tracked[posixpath.join(folder, "params.yaml")] = yaml.safe_dump(params)
    yard.tracked[variables] = yaml.safe_dump(shared)
    yard.pipelines[folder] = {"vars": [posixpath.relpath(variables, folder or "."), inline], "stages": stages}


def _around(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/") or one in ("", ".")


def _edit(draw: Callable[[Any], Any], yard: Yard, files: dict[str, str]) -> str:
    """Changes one tracked file, or data together with its pointer; the path."""
    path: str = draw(st.sampled_from(sorted(files)))
    text = files[path]
    if path.endswith("dvc.yaml"):
        document = yaml.safe_load(text)
        stage = document["stages"][draw(st.sampled_from(sorted(document["stages"])))]
        stage = stage.get("do", stage)
        stage["cmd"] += " again"
        files[path] = yaml.safe_dump(document, allow_unicode=True)
    elif path.endswith("dvc.lock"):
        document = yaml.safe_load(text)
        stages = document["stages"]
        stages[draw(st.sampled_from(sorted(stages)))]["outs"][0]["md5"] = "0" * 32
        files[path] = yaml.safe_dump(document, allow_unicode=True)
    elif path.endswith(".dvc"):
        document = yaml.safe_load(text)
        yard.outputs[path.removesuffix(".dvc")] = "changed\n"
        document["outs"][0]["md5"] = _md5("changed\n")
        files[path] = yaml.safe_dump(document, allow_unicode=True)
    elif path.endswith((".yaml", ".json")):
        values = yaml.safe_load(text)
        key = draw(st.sampled_from(sorted(values)))
        values[key] = _other(values[key])
        files[path] = json.dumps(values) if path.endswith(".json") else yaml.safe_dump(values, allow_unicode=True)
    else:
        files[path] = text + "more\n"
    return path


def _other(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _other(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [*value[:-1], value[-1]] if value and isinstance(value[-1], (str, dict)) else value
    return value + 1 if isinstance(value, (int, float)) else value


def _write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def _again(repo: Any) -> set[str]:
    """The models of which DVC would run a stage, or one that leads to it. A drawn cycle, which DVC refuses, is drawn anew."""
    from dvc.exceptions import CyclicGraphError

    try:
        return _dirty(repo)
    except CyclicGraphError:
        reject()


def _dirty(repo: Any) -> set[str]:
    said = {model: repo.status(targets=[f"models/{model}/dvc.yaml"], with_deps=True) for model in MODELS}
    return {model for model, stages in said.items() if any(stages.values())}


@settings(max_examples=15, deadline=None, phases=(Phase.generate, Phase.reuse), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_never_a_model_less_than_dvc_would_run_again(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from dvc.repo import Repo

    yard = data.draw(yards())
    root = tmp_path_factory.mktemp("yard")
    here = Path.cwd()
    try:
        os.chdir(root)
        _write(root, {".dvc/config": "[core]\n    no_scm = true\n"})
        _write(root, yard.tracked | yard.outputs)
        for folder in yard.pipelines:
            (root / folder / "sub").mkdir(parents=True, exist_ok=True)
        with Repo(str(root)) as repo:
            repo.commit(force=True)
            repo.commit(force=True)  # the first one wrote pointers into folders that stages read
            dirty = _again(repo)
        for lock in root.rglob("dvc.lock"):
            yard.tracked[lock.relative_to(root).as_posix()] = ""
        yard.tracked = {name: (root / name).read_text(encoding="utf-8") for name in yard.tracked}
        before = dict(yard.tracked)
        path = _edit(data.draw, yard, yard.tracked)
        _write(root, yard.tracked | yard.outputs)
        with Repo(str(root)) as repo:
            again = _again(repo) - dirty
    finally:
        os.chdir(here)
        shutil.rmtree(root)
    found = touched(
        {name: text.encode() for name, text in before.items()}, {n: text.encode() for n, text in yard.tracked.items()}
    )
    assert again <= found.keys(), (path, again, found)


STAGE = "stages: {s: {cmd: x, deps: [%s], outs: [model.txt]}}"
CLEAN = "stages: {clean: {cmd: x, deps: [raw.csv, clean.py], outs: [clean.csv]}}"
REPOSITORY = {
    "models/churn/dvc.yaml": STAGE % "../../data/clean.csv",
    "models/fraud/dvc.yaml": STAGE % "../churn/model.txt",
    "models/price/dvc.yaml": STAGE % "../../data/x.csv",
    "data/dvc.yaml": CLEAN, "data/dvc.lock": "stages: {clean: {cmd: x}}", "data/raw.csv": "1", "data/clean.py": "",
    "data/sub/p.dvc": "wdir: ..\nouts: [{md5: a, path: x.csv}]", "shared/v.yaml": "a: 1", "README.md": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("before", "now", "models"),
    [
        ({}, {"README.md": "words"}, set()),
        ({}, {"data/clean.py": "x"}, {"churn", "fraud"}),
        ({}, {"data/dvc.yaml": CLEAN.replace("cmd: x", "cmd: y")}, {"churn", "fraud"}),
        ({}, {"data/dvc.yaml": CLEAN.replace("cmd: x", "desc: x, cmd: x") + " # said"}, {"churn", "fraud"}),
        ({}, {"data/dvc.yaml": CLEAN + " # said"}, set()),
        ({}, {"data/dvc.yaml": "stages: {clean: ["}, {"churn", "fraud", "price"}),
        ({}, {"data/dvc.yaml": "stages: {}"}, {"churn", "fraud"}),
        ({}, {"data/dvc.lock": "stages: {clean: {cmd: y}}"}, {"churn", "fraud"}),
        ({}, {"data/dvc.lock": "stages: {clean: {cmd: x}, other: {cmd: z}}"}, set()),
        ({}, {"data/dvc.lock": "<<<<"}, {"churn", "fraud"}),
        ({}, {"data/sub/p.dvc": "wdir: ..\nouts: [{md5: b, path: x.csv}]"}, {"price"}),
        ({}, {"models/churn/README.md": "words"}, {"churn", "fraud"}),
        ({}, {".dvcignore": "x"}, {"churn", "fraud", "price"}),
        ({}, {"data/.dvcignore": "x"}, {"churn", "fraud", "price"}),
        ({}, {".dvc/config": "[core]"}, set()),
        ({}, {".dvc/config": "[parsing]\nlist = append"}, {"churn", "fraud", "price"}),
        ({"models/price/dvc.yaml": "vars: [../../shared/v.yaml]\n" + STAGE % "'${a}'"}, {"shared/v.yaml": "a: 2"}, {"price"}),
        ({"models/price/dvc.yaml": "vars: [../../shared/v.yaml]\n" + STAGE % "b"}, {"shared/v.yaml": "a: 2"}, set()),
        ({"models/price/dvc.yaml": STAGE % ".."}, {"models/other/x": "1"}, {"price"}),
        ({"models/price/dvc.yaml": STAGE % "../../d/../shared"}, {"shared/v.yaml": "a: 2"}, {"price"}),
        ({"models/price/dvc.yaml": 'stages: {s: {cmd: x, deps: ["../../sh\\x61red/v.yaml"]}}'}, {"shared/v.yaml": ""}, {"price"}),
        ({"models/price/dvc.yaml": "stages: {s: {cmd: x, wdir: ../.., params: [a]}}"}, {"params.yaml": "a: 1"}, {"price"}),
        ({"models/price/dvc.yaml": "stages: {s: {cmd: x, wdir: ../../cfg, params: [a]}}"}, {"cfg/params.yaml": "a: 1"}, {"price"}),
        ({"data/dvc.yaml": "stages: {c: {cmd: x, params: [a], outs: [clean.csv]}}"}, {"data/params.yaml": "a: 1"}, {"churn", "fraud"}),
        ({"models/price/dvc.yaml": "stages: {s: {cmd: x, wdir: ../../shared, deps: [.]}}"}, {"shared/v.yaml": ""}, {"price"}),
        ({"models/price/dvc.yaml": "a: &d [../../shared/v.yaml]\nstages: {s: {cmd: x, deps: *d}}"}, {"shared/v.yaml": ""},
         {"price"}),
        ({"models/price/dvc.yaml": STAGE % "/root/shared"}, {"shared/v.yaml": ""}, {"price"}),
        ({"models/price/dvc.yaml": STAGE % "link/v.yaml"}, {"shared/v.yaml": ""}, {"price"}),
        ({"models/price/dvc.yaml": STAGE % "ds://dogs"}, {"dvc.yaml": "datasets: [{name: dogs, url: u}]"}, {"price"}),
        ({"models/price/dvc.yaml": STAGE % "ds://dogs", "dvc.lock": "datasets: [{name: dogs}]",
          "dvc.yaml": "datasets: [{name: dogs, url: u}]"}, {"dvc.lock": "datasets: [{name: dogs, rev: 2}]"}, {"price"}),
        ({"data/y.dvc": "deps: [{path: raw.csv}]\nouts: [{md5: a, path: y}]", "models/price/dvc.yaml": STAGE % "../../data/y"},
         {"data/raw.csv": "2"}, {"churn", "fraud", "price"}),
        ({"models/churn/dvc.yaml": (STAGE % "../../data/x.csv").replace("model.txt", "../../data/made.csv"),
          "models/fraud/dvc.yaml": STAGE % "../../data/made.csv"}, {"data/sub/p.dvc": "outs: []"}, {"churn", "fraud", "price"}),
        ({"models/price/dvc.yaml": "stages: {s: {cmd: x, # ../../shared/v.yaml\n deps: [a]}}"}, {"shared/v.yaml": ""}, set()),
        ({}, {f"docs/{i}.md": "x" for i in range(150)} | {"data/raw.csv": "2"}, {"churn", "fraud"}),
    ],
)  # fmt: skip
def test_what_a_change_touches(before: dict[str, str], now: dict[str, str], models: set[str]) -> None:
    old = {path: text.encode() for path, text in (REPOSITORY | before).items()}
    new = {path: text.encode() for path, text in (REPOSITORY | before | now).items()}
    assert touched(old, new, {"models/price/link": "../../shared"}, "/root").keys() == models


def test_a_deleted_pipeline_or_pointer_touches_its_readers() -> None:
    old = {path: text.encode() for path, text in REPOSITORY.items()}
    for gone, models in (("data/dvc.yaml", {"churn", "fraud"}), ("data/sub/p.dvc", {"price"})):
        assert touched(old, {path: text for path, text in old.items() if path != gone}).keys() == models
