"""The table of kinds names tests and fixtures that exist."""

from __future__ import annotations

import re

import pytest
from support.kinds import PIPELINES, PROOFS, SERVERS, TESTS


@pytest.mark.parametrize("proof", PROOFS)
def test_a_proof_is_a_test(proof: str) -> None:
    file, _, test = proof.partition("::")
    assert re.search(rf"^def {test or 'test_'}", (TESTS / file).read_text(), re.M)


@pytest.mark.parametrize("name", sorted(PIPELINES | SERVERS))
def test_a_kind_of_fixture_is_a_fixture(name: str) -> None:
    found = [re.search(rf"^@pytest.fixture.*\ndef {name}\(", file.read_text(), re.M) for file in TESTS.rglob("*.py")]
    assert any(found)
