"""No rule is wrong more often than it says, and each finds what it is for: the small, seeded version of
``benchmarks/honesty.py``; and the table in docs/measurements.md is of these claims.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.honesty.claim import Claim, Observed, row
from support.honesty.claims import CLAIMS

DOCS = Path(__file__).parents[2] / "docs" / "measurements.md"
SMALL = [claim for claim in CLAIMS if claim.few]
LINE = re.compile(r"(\| .+ \|) (?:([\d.]+) ± ([\d.]+) %|said nothing) \|")


@pytest.mark.parametrize("claim", SMALL, ids=lambda claim: f"{claim.part}: {claim.what}")
def test_a_rate_is_on_its_side_of_what_the_rule_says(claim: Claim) -> None:
    found = claim.observe(claim.few)
    assert not claim.refuted(found), f"{found.events} of {found.chances}, wanted {claim.side} {claim.nominal:.1%}"


def test_every_part_is_simulated_from_both_sides_with_every_change() -> None:
    for part in {claim.part for claim in CLAIMS}:
        assert {claim.side for claim in SMALL if claim.part == part} == {"at most", "at least"}, part


def test_a_refuted_claim_is_seen() -> None:
    claim = SMALL[0]
    assert not claim.refuted(Observed(1, 30)) and claim.refuted(Observed(9, 30))


def test_the_table_in_the_documentation_is_of_these_claims_and_refutes_none() -> None:
    shown = [match for line in DOCS.read_text().splitlines() if (match := LINE.fullmatch(line))]
    assert [match[1] for match in shown] == [row(claim) for claim in CLAIMS], "print it with benchmarks/honesty.py"
    for claim, match in zip(CLAIMS, shown, strict=True):
        if match[2] is None:
            continue
        rate, error = float(match[2]) / 100, float(match[3]) / 100
        away = rate - claim.nominal if claim.side == "at most" else claim.nominal - rate
        assert away <= 3.1 * error, match[0]


@pytest.mark.parametrize("pack", ["standard", "regulated"])
def test_every_number_of_a_policy_pack_has_a_sentence(pack: str) -> None:
    text = (DOCS.parents[1] / "policies" / f"{pack}.yaml").read_text()
    numbers = [line for line in text.splitlines() if re.match(r"\s*(?!long:)\w+: (?:[-\d.]+[dhm]?)(?: |$)", line)]
    assert len(numbers) > 30 and [line for line in numbers if " # " not in line] == []
