"""The rules of ``policies/approvals.yaml``, read without a library: the part of YAML that such files need.

What this reader does not know, such as anchors and tags, fails the claim: nothing is guessed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from .objects import ClaimFailed, Repository

APPROVALS = "policies/approvals.yaml"
_KEY = re.compile(r"""("[^"]*"|'[^']*'|[A-Za-z0-9_][^\s:,\[\]{}#"']*)\s*:(?:\s+(.*))?$""")
_COMMENT = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')|(?:^|(?<=\s))#.*$""")


@dataclass
class Rule:
    id: str
    role: str
    count: int
    paths: list[str]

    def applies(self, files: Sequence[str]) -> bool:
        """Whether a change of these files needs it; a change of the rules needs every one."""
        return any(path == APPROVALS or fnmatchcase(path, pattern) for path in files for pattern in self.paths)


def read_rules(content: bytes) -> list[Rule]:
    """The rules of a file; ClaimFailed for one that cannot be read."""
    try:
        found = _Block(content.decode().split("\n")).read(0)["rules"]
        return [_rule(one) for one in found]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ClaimFailed(f"{APPROVALS} has YAML that this verifier does not read ({error})") from error


def _rule(said: dict[str, Any]) -> Rule:
    paths = [str(path) for path in said["paths"]]
    return Rule(str(said["id"]), str(said.get("role", "writers")), int(said.get("count", 1)), paths)


def require_rules(git: Repository, line: Mapping[str, str], change: dict[str, Any]) -> None:
    """ClaimFailed unless every rule of the file at the base for the changed files is among those that were met.

    ``line`` maps each commit of the default branch to the one before it.
    """
    commit = change["commit"]
    parent = _before(git, line, commit)
    base = change["base"] or parent
    if base and base not in _earlier(git, line, commit):
        raise ClaimFailed(f"{commit[:12]} was judged by the rules of {base[:12]}, which main did not have before it")
    rules = git.blob_at(base, APPROVALS) if base else None
    if (hashlib.sha256(rules).hexdigest() if rules is not None else "") != change["policy_sha256"]:
        raise ClaimFailed(f"{APPROVALS} of the base is not the one that was applied")
    if rules is None:
        if parent and git.blob_at(parent, APPROVALS) is not None:
            raise ClaimFailed(f"there were rules before {commit[:12]}, and none was applied")
        return
    files = git.differing(parent, commit) if parent else []
    met = {(rule["id"], rule["role"]): rule["needed"] for rule in change["rules"]}
    for rule in read_rules(rules):
        if rule.applies(files) and met.get((rule.id, rule.role), 0) < rule.count:
            raise ClaimFailed(f"{APPROVALS} wants {rule.count} of {rule.role} for {rule.id}, which is not recorded")


def _earlier(git: Repository, line: Mapping[str, str], commit: str) -> Iterator[str]:
    """The commits that main had before one, newest first."""
    while commit := _before(git, line, commit):
        yield commit


def _before(git: Repository, line: Mapping[str, str], commit: str) -> str:
    """The commit before one on the line, or in the first-parent history of any other one; '' for the first commit."""
    return line[commit] if commit in line else next(iter(git.commit(commit).parents), "")


class _Block:
    """Block mappings and sequences, by their indentation."""

    def __init__(self, lines: Sequence[str]) -> None:
        plain = [_COMMENT.sub(lambda found: found[1] or "", line).rstrip() for line in lines]
        self.lines = [
            (len(line) - len(line.lstrip(" ")), line.lstrip(" ")) for line in plain if line not in ("", "---")
        ]
        self.at = 0

    def read(self, indent: int) -> Any:
        return self._sequence(indent) if self.lines[self.at][1].startswith("-") else self._mapping(indent)

    def _here(self, indent: int) -> bool:
        return self.at < len(self.lines) and self.lines[self.at][0] == indent

    def _deeper(self, indent: int) -> bool:
        return self.at < len(self.lines) and self.lines[self.at][0] > indent

    def _sequence(self, indent: int) -> list[Any]:
        found = []
        while self._here(indent) and re.match("-( |$)", self.lines[self.at][1]):
            rest = self.lines[self.at][1][1:].lstrip(" ")
            if rest and _KEY.match(rest):
                inner = indent + len(self.lines[self.at][1]) - len(rest)
                self.lines[self.at] = (inner, rest)
                found.append(self._mapping(inner))
            else:
                self.at += 1
                found.append(self._value(rest, indent))
        return found

    def _mapping(self, indent: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self._here(indent):
            match = _KEY.match(self.lines[self.at][1])
            if match is None or (key := str(_scalar(match[1]))) in found:
                raise ValueError(self.lines[self.at][1][:40])
            self.at += 1
            found[key] = self._value(match[2] or "", indent)
        if self._deeper(indent):
            raise ValueError(self.lines[self.at][1][:40])
        return found

    def _value(self, text: str, indent: int) -> Any:
        if not text:
            if self._deeper(indent):
                return self.read(self.lines[self.at][0])
            listed = self._here(indent) and self.lines[self.at][1].startswith("-")
            return self._sequence(indent) if listed else None
        block = text[0] in "|>"
        while self._deeper(indent):  # the value goes on
            text += f" {self.lines[self.at][1]}"
            self.at += 1
        if block:
            return text
        if text[0] in "[{":
            value, rest = _flow(text)
            if rest.strip():
                raise ValueError(rest[:40])
            return value
        return _scalar(text)


def _flow(text: str) -> tuple[Any, str]:
    """A flow collection or scalar at the start of a text, and the text after it."""
    text = text.lstrip()
    if text[0] == "[":
        items, text = [], text[1:].lstrip()
        while text[0] != "]":
            item, text = _flow(text)
            items.append(item)
            text = _after(text, "]")
        return items, text[1:]
    if text[0] == "{":
        fields: dict[str, Any] = {}
        text = text[1:].lstrip()
        while text[0] != "}":
            key, text = _flow(text)
            text = text.lstrip()
            if text[0] != ":" or key in fields:
                raise ValueError(text[:40])
            fields[key], text = _flow(text[1:])
            text = _after(text, "}")
        return fields, text[1:]
    found = re.match(r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?:[^,\[\]{}:]|:(?=\S))+""", text)
    if found is None:
        raise ValueError(text[:40])
    return _scalar(found[0]), text[found.end() :]


def _after(text: str, end: str) -> str:
    text = text.lstrip()
    if text[0] == ",":
        return text[1:].lstrip()
    if text[0] != end:
        raise ValueError(text[:40])
    return text


def _scalar(text: str) -> Any:
    text = text.strip()
    if text[0] == '"':
        return json.loads(text)
    if text[0] == "'":
        if not re.fullmatch("'(?:[^']|'')*'", text):
            raise ValueError(text[:40])
        return text[1:-1].replace("''", "'")
    if text[0] in "&*!|>%@`?":
        raise ValueError(text[:40])
    return int(text) if re.fullmatch("[0-9]+", text) else text
