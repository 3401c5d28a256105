"""The line of main that the verifier finds by itself is the one that the door judges."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from modelyard.audit.verifier.line import line_of
from modelyard.audit.verifier.objects import Repository
from modelyard.git import Git
from modelyard.review.line import Line

Parents = dict[str, tuple[str, ...]]


class Graph:
    """Commits of which only the parents are known, read by the door's line and by the verifier's."""

    def __init__(self, parents: Parents) -> None:
        self._parents = parents

    def commit_of(self, revision: str) -> str:
        return revision

    def has_commit(self, sha: str) -> bool:
        return sha in self._parents

    def line(self, tip: str) -> list[str]:
        found = [tip]
        while self._parents[found[-1]]:
            found.append(self._parents[found[-1]][0])
        return found

    def graph(self, tip: str) -> Parents:
        return self._parents

    def commit(self, sha: str) -> Any:
        return SimpleNamespace(parents=list(self._parents[sha]))

    commit_info = commit


@st.composite
def histories(draw: st.DrawFn) -> tuple[Parents, list[str]]:
    """Commits with their parents, and the heads that main had, the newest last: merges are turned at random."""
    parents: Parents = {"c0": ()}
    heads = ["c0"]
    for _ in range(draw(st.integers(1, 10))):
        kind = draw(st.sampled_from(["commit", "merge", "turned", "three"]))
        if kind == "commit":
            beside: list[str] = []
        else:
            own = f"c{len(parents)}"
            parents[own] = (draw(st.sampled_from(list(parents))),)
            beside = [own, draw(st.sampled_from(list(parents)))] if kind == "three" else [own]
        order = [heads[-1], *beside] if kind == "merge" else [*beside, heads[-1]]
        heads.append(f"c{len(parents)}")
        parents[heads[-1]] = tuple(dict.fromkeys(order))
    return parents, heads


@given(histories(), st.data())
def test_it_is_the_line_that_the_door_judges(history: tuple[Parents, list[str]], data: st.DataObject) -> None:
    parents, heads = history
    known = data.draw(st.sets(st.sampled_from(heads)))
    graph: Any = Graph(parents)
    found = line_of(cast(Repository, graph), heads[-1], known)
    judged = Line(cast(Git, graph), heads[-1], known)
    assert list(found) == sorted(judged.positions, key=judged.positions.__getitem__, reverse=True)
    assert all(judged.parent(commit) == before for commit, before in found.items())


@given(histories())
def test_where_every_head_is_known_each_is_on_it_in_order(history: tuple[Parents, list[str]]) -> None:
    parents, heads = history
    graph: Any = Graph(parents)
    assert [sha for sha in line_of(graph, heads[-1], heads) if sha in heads] == heads[::-1]
