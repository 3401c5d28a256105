"""Our server spoken with by the clients that Triton and MLServer come with, from an environment of their own."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from modelyard.predictions.layout import Layout
from modelyard.predictions.segments import read_predictions
from support.server import Server, request, serving
from support.waiting import SECONDS
from targets.conftest import TARGETS, targets_python

pytestmark = pytest.mark.skipif(
    targets_python() >= (3, 13), reason="tritonclient comes with MLServer 1.7.1, which needs Python below 3.13"
)

TRITON = """\
import json, sys
import numpy as np
import tritonclient.http as triton

port, given = sys.argv[1], json.loads(sys.argv[2])
client = triton.InferenceServerClient(f"127.0.0.1:{port}")
kinds = {"FP64": np.float64, "INT64": np.int64, "BYTES": np.object_, "BOOL": np.bool_}
found = {
    "live": client.is_server_live(), "ready": client.is_server_ready(), "model": client.is_model_ready("flight-delay"),
    "version": client.is_model_ready("flight-delay", "v1.0.0"), "other": client.is_model_ready("flight-delay", "v9.0.0"),
    "metadata": client.get_model_metadata("flight-delay", "v1.0.0")["name"],
    "server": client.get_server_metadata()["name"], "scores": {},
}
output = client.get_model_metadata("flight-delay")["outputs"][0]["name"]
for binary in (False, True):
    for shape in ("flat", "column"):
        for packing in (None, "gzip", "deflate"):
            inputs = []
            for one in given:
                values = [np.nan if value is None else value for value in one["data"]]
                kind = "FP64" if None in one["data"] else one["datatype"]
                data = np.array(values, dtype=kinds[kind])
                data = data if shape == "flat" else data.reshape(-1, 1)
                tensor = triton.InferInput(one["name"], list(data.shape), kind)
                tensor.set_data_from_numpy(data, binary_data=binary or kind == "FP64" and None in one["data"])
                inputs.append(tensor)
            answer = client.infer(
                "flight-delay", inputs, request_compression_algorithm=packing, response_compression_algorithm=packing,
                outputs=[triton.InferRequestedOutput(output, binary_data=binary)],
            )
            found["scores"][f"{binary} {shape} {packing}"] = answer.as_numpy(output).tolist()
print(json.dumps(found))
"""
MLSERVER = """\
import base64, json, sys, urllib.request
import pandas as pd
from mlserver.codecs import Base64Codec, PandasCodec

port, given = sys.argv[1], json.loads(sys.argv[2])
frame = pd.DataFrame({one["name"]: one["data"] for one in given})
frame = frame.apply(lambda column: column.astype(float if column.isna().all() else object if column.dtype == "str" else column.dtype))
request = PandasCodec.encode_request(frame, use_bytes=False)
found = {}
for name in ("frame", "base64"):
    body = json.loads(request.model_dump_json() if hasattr(request, "model_dump_json") else request.json())
    if name == "base64":
        for tensor in body["inputs"]:
            if tensor["datatype"] == "BYTES":
                texts = [base64.b64encode(str(value).encode()).decode() for value in tensor["data"]]
                tensor |= {"data": texts, "parameters": {"content_type": "base64"}}
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/v2/models/flight-delay/infer", json.dumps(body).encode())
    with urllib.request.urlopen(asked, timeout=60) as answer:
        found[name] = json.loads(answer.read())["outputs"][0]["data"]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def server(champion_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    folder = tmp_path_factory.mktemp("clients") / "champion"
    shutil.copytree(champion_template.parent, folder, symlinks=True)
    with serving(folder / "repository", "production") as running:
        yield running, folder / "repository"


def spoken(script: str, server: Server, inputs: list[dict[str, Any]]) -> Any:
    done = subprocess.run(
        [str(TARGETS / "python"), "-c", script, str(server.port), json.dumps(inputs)],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_tritons_client_gets_the_same_scores_in_every_form(server: tuple[Server, Path]) -> None:
    running, _ = server
    body = request(3, weekday=2)
    wanted = running.call("POST", "/v2/models/flight-delay/infer", body)[1]["outputs"][0]["data"]
    found = spoken(TRITON, running, body["inputs"])
    scores = found.pop("scores")
    assert len(scores) == 12 and all(one == wanted for one in scores.values()), scores
    assert found == {
        "live": True, "ready": True, "model": True, "version": True, "other": False, "metadata": "flight-delay",
        "server": "modelyard",
    }  # fmt: skip


def test_mlservers_own_encoding_of_a_table_and_base64(server: tuple[Server, Path]) -> None:
    running, yard = server
    body = request(3, weekday=2)
    wanted = running.call("POST", "/v2/models/flight-delay/infer", body)[1]["outputs"][0]["data"]
    found = spoken(MLSERVER, running, [one for one in body["inputs"] if one["name"] != "id"])
    assert found == {"frame": wanted, "base64": wanted}
    tables = read_predictions(Layout.of(yard, "production").logs / "flight-delay")
    assert {carrier for table in tables for carrier in table["inputs.carrier"].to_pylist()} == {"UA"}
