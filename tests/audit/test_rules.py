"""The verifier applies the rules that main had before a change to the files that the change brought to main."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from modelyard.audit.verifier.line import line_of
from modelyard.audit.verifier.objects import ClaimFailed
from modelyard.audit.verifier.rules import require_rules
from support.bundle import Bundle

STRICT = """
rules:
  - {id: production, paths: ['deployments/production/*'], role: writers, count: 1, why: w}
  - {id: policies, paths: ['policies/*'], role: risk, count: 2, why: w}
"""
WEAK = "rules:\n  - {id: any, paths: ['nothing'], role: writers, count: 1, why: w}\n"
PRODUCTION = {"id": "production", "role": "writers", "needed": 1}
POLICIES = {"id": "policies", "role": "risk", "needed": 2}


class History:
    """Commits of a few files, and the rules of each."""

    def __init__(self) -> None:
        self.bundle = Bundle()

    def commit(self, rules: str, *parents: str, deployed: str = "v1", policy: str = "a") -> str:
        def blob(text: str) -> str:
            return self.bundle.add("blob", text.encode())

        tree = self.bundle.tree
        policies = tree({"approvals.yaml": blob(rules), "standard.yaml": blob(policy)})
        deployments = tree({"production": tree({"churn.yaml": blob(deployed)})}, "production")
        root = tree({"deployments": deployments, "policies": policies}, "deployments", "policies")
        return self.bundle.commit("".join(f"parent {parent}\n" for parent in parents), tree=root)

    def require(self, head: str, known: set[str], base: str, rules: str, *met: dict[str, Any], main: str = "") -> None:
        """Of a change that was merged as ``head``; it is beside ``main``, where that is another commit."""
        git = self.bundle.opened()
        sha256 = hashlib.sha256(rules.encode()).hexdigest()
        change = {"commit": head, "base": base, "policy_sha256": sha256, "rules": met}
        require_rules(git, line_of(git, main or head, known), change)


def test_a_change_needs_the_rules_of_its_files() -> None:
    history = History()
    one = history.commit(STRICT)
    two = history.commit(STRICT, one, deployed="v2")
    for base in (one, ""):
        history.require(two, {one}, base, STRICT, PRODUCTION)
        with pytest.raises(ClaimFailed, match="wants 1 of writers for production"):
            history.require(two, {one}, base, STRICT, POLICIES)


def test_of_a_turned_merge_the_files_are_those_that_it_brought_to_main() -> None:
    """Its first parent is one's own work, and against it the merge seems to bring what main had."""
    history = History()
    one = history.commit(STRICT)
    main = history.commit(STRICT, one, policy="b")
    own = history.commit(STRICT, one, deployed="v2")
    merge = history.commit(STRICT, own, main, deployed="v2", policy="b")
    history.require(merge, {one, main}, main, STRICT, PRODUCTION)
    with pytest.raises(ClaimFailed, match="wants 1 of writers for production"):
        history.require(merge, {one, main}, main, STRICT, POLICIES)


def test_rules_that_main_never_had_judge_nothing() -> None:
    history = History()
    one = history.commit(STRICT)
    aside = history.commit(WEAK, one)
    two = history.commit(STRICT, one, aside, deployed="v2")
    later = history.commit(WEAK, two, deployed="v2")
    for base in (aside, two, later):
        with pytest.raises(ClaimFailed, match="which main did not have before it"):
            history.require(two, {one}, base, WEAK, PRODUCTION)


def test_a_change_beside_the_line_is_judged_by_its_first_parents() -> None:
    """Such as one of before main was rewritten and merged again."""
    history = History()
    one = history.commit(STRICT)
    unapproved = history.commit(WEAK, one)
    two = history.commit(WEAK, unapproved, deployed="v2")
    main = history.commit(STRICT)
    history.require(two, set(), one, STRICT, PRODUCTION, main=main)
    with pytest.raises(ClaimFailed, match="which main did not have before it"):
        history.require(two, set(), two, STRICT, PRODUCTION, main=main)


def test_after_a_change_that_nobody_approved_the_rules_before_it_stay_in_force() -> None:
    history = History()
    one = history.commit(STRICT)
    unapproved = history.commit(WEAK, one)
    two = history.commit(WEAK, unapproved, deployed="v2")
    history.require(two, {one}, one, STRICT, PRODUCTION)
