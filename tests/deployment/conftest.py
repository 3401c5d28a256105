"""The repository that most tests of deployments begin with; a module may have a ``yard`` of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.memory import MemoryYard, memory_yard


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryYard:
    """Version v1.0.0 serves in production; v1.1.0 is registered. Staging has nothing."""
    found = memory_yard(tmp_path, monkeypatch)
    found.add_version("v1.0.0")
    found.deploy_manifest("v1.0.0")
    found.deploy()
    found.add_version("v1.1.0")
    return found
