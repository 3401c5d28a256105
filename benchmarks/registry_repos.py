"""Generated model repositories with many annotated tags, for the figures of the registry."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from clock import ENVIRONMENT
from modelyard.checkout.evidence_branch import BRANCH
from modelyard.checkout.evidence_store import copy_of
from modelyard.git import Git
from support.yard import MODEL_YAML, git

_CONFIG = """\
toolkit: 0.1.0
environments:
  - {name: staging, target: local, port: 8081}
  - {name: production, target: local, port: 8080}
"""
_BEGUN = 1_700_000_000


def tagged_repository(folder: Path, models: int, versions: int, stages: tuple[str, ...]) -> Path:
    """Of every version one commit, one tag, one tag for each stage, and their filed copies; packed as a clone is."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    names = [f"model-{i:03}" for i in range(models)]
    files = {"modelyard.yaml": _CONFIG}
    for name in names:
        files[f"models/{name}/model.yaml"] = MODEL_YAML.format(name=name)
        for stage in stages:
            files[f"deployments/{stage}/{name}.yaml"] = f"model: {name}\nversion: v1.{versions - 1}.0\n"
    # One stream for everything: `git tag` a time, 75,000 tags would take an hour.
    stream = [_commit(1, _BEGUN, files, None)]
    mark, when = 1, _BEGUN
    for version in range(versions):
        for i, name in enumerate(names):
            mark, when = mark + 1, when + 60
            number = f"v1.{version}.0"
            stream.append(_commit(mark, when, {f"models/{name}/note": number}, mark - 1))
            artifact = f"{i:08x}{version:056x}"
            record: dict[str, object]
            record = {"artifact": artifact, "code": "c" * 40, "data": {"data/flights": f"{version:032x}"},
                      "metrics": {"auc": 0.7 + version / 1000}, "params": {"train": {"trees": 40}},
                      "verdict": "pass"}  # fmt: skip
            headline = f"Registering artifact {name} version {number}"
            stream.append(_tag(f"{name}@{number}", mark, when, headline, record))
            for n, stage in enumerate(stages):
                record = {"version": number, "artifact": artifact, "why": "follows latest", "by": "ada"}
                headline = f"Assigning stage {stage} to artifact {name} version {number}"
                counter = version * len(stages) + n + 1
                stream.append(_tag(f"{name}#{stage}#{counter}", mark, when + n + 1, headline, record))
    subprocess.run(["git", "fast-import", "--quiet"], cwd=folder, env=ENVIRONMENT, input=b"".join(stream), check=True)
    subprocess.run(
        ["git", "fast-import", "--quiet"], cwd=folder, env=ENVIRONMENT, input=_evidence(folder, when), check=True
    )
    git(folder, "reset", "--quiet", "--hard", "main")
    git(folder, "pack-refs", "--all")
    git(folder, "gc", "--quiet")
    return folder


def _evidence(folder: Path, when: int) -> bytes:
    """The evidence branch with a copy of every tag, as one commit."""
    tags = Git(folder).refs("refs/tags")
    head = f"commit refs/heads/{BRANCH}\ncommitter Ada <ada@example.org> {when} +0000\n{_data('copies')}".encode()
    lines = []
    for ref, content in Git(folder).objects(tags).items():
        name, raw = ref.removeprefix("refs/tags/"), content.partition(b"\0")[2]
        path = copy_of(name.partition("#")[0].partition("@")[0], name)
        lines.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(raw), raw))
    return head + b"".join(lines)


def _commit(mark: int, when: int, files: dict[str, str], parent: int | None) -> bytes:
    lines = [f"commit refs/heads/main\nmark :{mark}\ncommitter Ada <ada@example.org> {when} +0000\n{_data('c')}"]
    lines += [f"from :{parent}\n"] if parent else []
    lines += [f"M 100644 inline {path}\n{_data(content)}" for path, content in files.items()]
    return "".join(lines).encode()


def _tag(name: str, mark: int, when: int, headline: str, record: dict[str, object]) -> bytes:
    message = f"{headline}\n\n{json.dumps(record, sort_keys=True, separators=(',', ':'))}\n"
    return f"tag {name}\nfrom :{mark}\ntagger Ada <ada@example.org> {when} +0000\n{_data(message)}".encode()


def _data(content: str) -> str:
    return f"data {len(content.encode())}\n{content}\n"
