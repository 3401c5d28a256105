"""The demo: interrupted in the middle, then played to its end, with nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from modelyard.predictions.layout import Layout
from support.waiting import wait_for
from support.yard import tool


def test_ctrl_c_in_the_middle_then_the_whole_story(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    repository = folder / "repository"
    layouts = [Layout.of(repository, name) for name in ("staging", "production")]
    playing = subprocess.Popen(
        [sys.executable, "-m", "modelyard", "demo", str(folder)],
        stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's background ignores it
    )  # fmt: skip

    def both_up() -> bool:
        assert playing.poll() is None, playing.stderr.read() if playing.stderr else ""
        return all(layout.server_is_up() for layout in layouts)

    wait_for(both_up, "both servers of the demo")
    os.killpg(playing.pid, signal.SIGINT)  # as a terminal's Ctrl-C does
    _, said = playing.communicate()
    assert playing.returncode == 130 and said.rstrip().endswith("Stopped.") and "Traceback" not in said
    assert not any(layout.server_is_up() for layout in layouts)

    said = tool(tmp_path, "demo", str(folder)).stderr
    assert "2,000 requests were answered and logged" in said
    assert "2,000 predictions of v1.1.0" in said and "2,000 predictions have a label" in said
    assert "2,000 labelled rows for flight-delay" in said
    assert "worst by auc" in (folder / "august.html").read_text()
    assert "Do not merge flight-delay" in said and "dep_delay alone reaches AUC" in said
    assert "proposed by Ada Author, approved by Grace Reviewer" in said
    assert not any(layout.server_is_up() for layout in layouts), "no process is left behind"
    status = json.loads(tool(repository, "status", "--json").stdout)
    assert {(line["environment"], line["live"], line["sync"]) for line in status} == {
        ("staging", "v1.1.0", "in sync"), ("production", "v1.1.0", "in sync")}  # fmt: skip
    assert "Do not merge" in (folder / "refused" / "report.md").read_text()
