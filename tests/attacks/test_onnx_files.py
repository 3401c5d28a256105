"""What an attacker tries with an ONNX file: to run without end, to read other files, to fill the memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelyard.flavors.interface import Fault, Options
from modelyard.flavors.onnx import ONNX
from modelyard.flavors.onnx_file import check_model
from modelyard.flavors.protobuf import Message
from modelyard.flavors.signature import Input, Signature
from modelyard.flavors.unsound import Unsound
from onnx import TensorProto, helper

SIGNATURE = Signature("m", "v1.0.0", "binary", (Input("x", "float"),))
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
X, P = helper.make_tensor_value_info("x", FLOAT, [None, 1]), helper.make_tensor_value_info("p", FLOAT, [None, 1])


def graph(nodes: Sequence[Any], *weights: Any, inputs: Any = (X,), outputs: Any = (P,)) -> Any:
    return helper.make_graph(list(nodes), "g", list(inputs), list(outputs), list(weights))


def model(of: Any, *functions: Any, domains: Sequence[str] = ()) -> bytes:
    sets = [helper.make_opsetid(name, 1 if name else 17) for name in ("", *domains)]
    made = helper.make_model(of, opset_imports=sets, functions=list(functions))
    made.ir_version = 8
    return bytes(made.SerializeToString())


def sigmoid(given: str = "x") -> Any:
    return helper.make_node("Sigmoid", [given], ["p"])


def stepping(kind: str = "Scan", body: Sequence[Any] = ()) -> Any:
    """A node that steps through x and does ``body`` in each step."""
    nodes = [*body, helper.make_node("Identity", ["e"], ["f"])]
    inner = graph(nodes, inputs=[helper.make_tensor_value_info("e", FLOAT, [1])],
                  outputs=[helper.make_tensor_value_info("f", FLOAT, [1])])  # fmt: skip
    return helper.make_node(kind, ["x"], ["o"], body=inner, **({"num_scan_inputs": 1} if kind == "Scan" else {}))


def loop() -> list[Any]:
    """Nodes that repeat 2⁶² times where x is above 5."""
    body = graph(
        [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Identity", ["v"], ["v2"])],
        inputs=[
            helper.make_tensor_value_info("i", INT64, []), helper.make_tensor_value_info("c", BOOL, []),
            helper.make_tensor_value_info("v", FLOAT, None),
        ],
        outputs=[helper.make_tensor_value_info("c2", BOOL, []), helper.make_tensor_value_info("v2", FLOAT, None)],
    )  # fmt: skip
    return [
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
        helper.make_node("Greater", ["most", "five"], ["big"]),
        helper.make_node("Where", ["big", "many", "one"], ["n"]),
        helper.make_node("Loop", ["n", "yes", "x"], ["o"], body=body),
    ]


CONSTANTS = (
    helper.make_tensor("five", FLOAT, [], [5.0]), helper.make_tensor("many", INT64, [], [2**62]),
    helper.make_tensor("one", INT64, [], [1]), helper.make_tensor("yes", BOOL, [], [True]),
)  # fmt: skip


def inside(nodes: Sequence[Any]) -> Any:
    """A condition whose one branch is the nodes."""
    out = [helper.make_tensor_value_info("o", FLOAT, None)]
    branch = graph(nodes, inputs=(), outputs=out)
    other = graph([helper.make_node("Identity", ["x"], ["o"])], inputs=(), outputs=out)
    return helper.make_node("If", ["yes"], ["r"], then_branch=branch, else_branch=other)


def function(name: str, nodes: Sequence[Any], domain: str = "own") -> Any:
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_function(domain, name, ["x"], ["o"], list(nodes), sets)


def call(name: str, given: str = "x", made: str = "o", domain: str = "own") -> Any:
    return helper.make_node(name, [given], [made], domain=domain)


def doubling(levels: int) -> list[Any]:
    """Functions of which each calls the one before twice."""
    first = function("f0", [helper.make_node("Identity", ["x"], ["o"])])
    others = [function(f"f{i}", [call(f"f{i - 1}", "x", "t"), call(f"f{i - 1}", "t")]) for i in range(1, levels)]
    return [first, *others]


ENDLESS = {
    "loop": lambda: model(graph([*loop(), sigmoid("o")], *CONSTANTS)),
    "loop_in_a_branch": lambda: model(graph([inside(loop()), sigmoid("r")], *CONSTANTS)),
    "loop_in_branches": lambda: model(graph([inside([inside(loop())]), sigmoid("r")], *CONSTANTS)),
    "loop_in_a_step": lambda: model(graph([stepping(body=loop()), sigmoid("o")], *CONSTANTS)),
    "loop_in_a_function": lambda: model(graph([call("f"), sigmoid("o")]), function("f", loop()), domains=["own"]),
    "loop_by_another_name": lambda: model(
        graph([helper.make_node("Loop", ["x"], ["o"], domain="ai.onnx"), sigmoid("o")]), domains=["ai.onnx"]
    ),
    "steps_in_steps": lambda: model(graph([stepping(body=[stepping()]), sigmoid("o")])),
    "steps_in_steps_of_sequences": lambda: model(graph([stepping("SequenceMap", [stepping()]), sigmoid("o")])),
    "steps_in_a_function_in_steps": lambda: model(
        graph([stepping(body=[call("g")]), sigmoid("o")]),
        function("f", [stepping()]), function("g", [call("f")]), domains=["own"],
    ),
    "function_of_itself": lambda: model(graph([call("f"), sigmoid("o")]), function("f", [call("f")]), domains=["own"]),
    "functions_in_a_circle": lambda: model(
        graph([call("f"), sigmoid("o")]), function("f", [call("g")]), function("g", [call("f")]), domains=["own"]
    ),
    "functions_that_double": lambda: model(graph([call("f59"), sigmoid("o")]), *doubling(60), domains=["own"]),
    "branches_without_end": lambda: model(graph([_deep(20), sigmoid("r")], *CONSTANTS)),
}  # fmt: skip


def _deep(levels: int) -> Any:
    return inside([_deep(levels - 1)] if levels else [helper.make_node("Identity", ["x"], ["o"])])


@pytest.mark.parametrize("name", sorted(ENDLESS))
def test_to_stop_the_server_with_a_model_that_runs_without_end(name: str, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(ENDLESS[name]())
    for refuse in (ONNX().check, lambda path: ONNX().load(path, SIGNATURE, Options(threads=1))):
        with pytest.raises(Fault, match=r"model\.onnx is not a valid ONNX model: (it|its function) ") as caught:
            refuse(file)
        assert caught.value.remedy


PLACES = ("weights.bin", "/etc/hostname", "../../../../../etc/hostname", "/proc/self/environ", "*/_ORT_MEM_ADDR_/*")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("where", ["weight", "constant", "branch", "function"])
def test_to_read_another_file_through_the_weights_of_a_model(place: str, where: str, tmp_path: Path) -> None:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[1, 1], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", place), ("offset", "0"), ("length", "4")):
        tensor.external_data.add(key=key, value=value)
    product = helper.make_node("MatMul", ["x", "w"], ["o"])
    constant = helper.make_node("Constant", [], ["w"], value=tensor)
    made = {
        "weight": lambda: model(graph([product, sigmoid("o")], tensor)),
        "constant": lambda: model(graph([constant, product, sigmoid("o")])),
        "branch": lambda: model(graph([inside([constant, product]), sigmoid("r")], *CONSTANTS)),
        "function": lambda: model(
            graph([call("f"), sigmoid("o")]), function("f", [constant, product]), domains=["own"]
        ),
    }  # fmt: skip
    file = tmp_path / "model.onnx"
    (tmp_path / "weights.bin").write_bytes(bytes(4))
    file.write_bytes(made[where]())
    with pytest.raises(Fault, match="its weights are in another file"):
        ONNX().load(file, SIGNATURE, Options(threads=1))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda: model(graph([helper.make_node("Call", ["x"], ["p"], domain="evil")]), domains=["evil"]), "domain 'evil'"),
        (lambda: model(graph([helper.make_node("BeamSearch", ["x"], ["p"], domain="com.microsoft")]),
                       domains=["com.microsoft"]), "domain 'com.microsoft'"),
        (lambda: model(graph([sigmoid()]), function("Sigmoid", [call("g")], domain="")), "takes the place"),
        (lambda: model(graph([sigmoid()]), function("f", [sigmoid()]), function("f", [sigmoid()])), "function twice"),
        (lambda: b"\x08\x08\x12\x02ORTM" + model(graph([sigmoid()])), "own format"),
        (lambda: model(graph([sigmoid()])) * 2, "field 7 twice"),
        (lambda: b"\x08\x08", "no graph"),
        (lambda: model(graph([sigmoid()]))[:-9], "cut off"),
        (lambda: b"\x08\x08\x3b", "type 3"),
        (lambda: b"\x08" + b"\xff" * 20, "cut off"),
        (lambda: b"\x38\x01", "numbers in field 7"),
    ],
)  # fmt: skip
def test_to_have_onnx_runtime_read_what_was_not_checked(content: Any, said: str) -> None:
    with pytest.raises(Unsound, match=said):
        check_model(content())


def weight(dims: Sequence[int]) -> bytes:
    return model(graph([helper.make_node("MatMul", ["x", "w"], ["o"]), sigmoid("o")],
                       TensorProto(name="w", data_type=FLOAT, dims=dims, raw_data=bytes(4))))  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        lambda: weight([2**40]),
        lambda: weight([2**20, 2**20]),
        lambda: weight([-5]),
        lambda: model(graph([sigmoid()], inputs=[helper.make_tensor_value_info("x", FLOAT, [2**31])])),
        lambda: model(graph([sigmoid()], inputs=[helper.make_tensor_value_info("x", FLOAT, [2**20, 2**20])])),
        lambda: model(helper.make_graph(
            [sigmoid()], "g", [X], [P], sparse_initializer=[helper.make_sparse_tensor(
                helper.make_tensor("v", FLOAT, [1], [1.0]), helper.make_tensor("i", INT64, [1], [0]), [2**40])])),
    ],
)  # fmt: skip
def test_to_fill_the_memory_with_the_dimensions_of_a_model(content: Any) -> None:
    with pytest.raises(Unsound, match=r"dimensions|sparse"):
        check_model(content())


def test_sound_graphs_are_checked_and_score(tmp_path: Path) -> None:
    """Branches, functions that call functions, and one step for each row are what exporters write."""
    for made in (
        model(graph([sigmoid()])),
        model(graph([inside([helper.make_node("Identity", ["x"], ["o"])]), sigmoid("r")], *CONSTANTS)),
        model(graph([stepping(), sigmoid("o")])),
        model(graph([call("f3"), sigmoid("o")]), *doubling(4), domains=["own"]),
    ):
        file = tmp_path / "model.onnx"
        file.write_bytes(made)
        scorer = ONNX().load(file, SIGNATURE, Options(threads=1))
        np.testing.assert_allclose(scorer.score({"x": np.array([0.0, 9.0])}), [0.5, 0.9998766])


def test_a_size_that_is_not_known_may_be_written_as_minus_one() -> None:
    check_model(model(graph([sigmoid()], inputs=[helper.make_tensor_value_info("x", FLOAT, [-1, 1])])))


def test_numbers_are_read_packed_or_not() -> None:
    packed, single = b"\x0a\x03\x01\xac\x02", b"\x08\x01\x08\xac\x02"
    assert Message.of(packed).numbers(1) == Message.of(single).numbers(1) == [1, 300]
