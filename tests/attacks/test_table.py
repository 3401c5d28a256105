"""The table of attacks in docs/security.md is the tests of this folder."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "security.md"


def attacks() -> set[tuple[str, str]]:
    """(what the attacker wants, test file) of every test here that is named after an attack."""
    found = set()
    for file in HERE.glob("test_*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_to_"):
                found.add((node.name.removeprefix("test_to_").replace("_", " "), file.name))
    return found


def test_the_page_lists_every_attack_and_no_other() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| to ([^|]+?) \| `(test_\w+\.py)` \|$", text, re.MULTILINE))
    assert rows == attacks() and len(rows) >= 60
