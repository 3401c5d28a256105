"""ONNX files, checked before ONNX Runtime reads them, for what it would do without complaint.

A graph is a program. What could make it run without end is refused: loops, functions that call themselves, and parts
inside parts that multiply. So are weights in other files, operators of unknown domains, and tensors that are larger
than what the file holds. ONNX Runtime checks types, shapes and most indexes itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from .protobuf import Message
from .unsound import Unsound

# Numbers of fields in onnx.proto.
_GRAPH, _TRAINING, _FUNCTIONS = 7, 20, 25
_NODES, _TENSORS, _SPARSE = 1, 5, 15
_GRAPH_VALUES = (11, 12, 13)
_OPERATOR, _ATTRIBUTES, _DOMAIN = 4, 5, 7
_TENSOR_OF, _GRAPH_OF, _TENSORS_OF, _GRAPHS_OF, _SPARSE_OF = 5, 6, 10, 11, (22, 23)
_DIMS, _EXTERNAL, _LOCATION = 1, 13, 14
_FUNCTION_NAME, _FUNCTION_NODES, _FUNCTION_DOMAIN, _FUNCTION_DEFAULTS = 1, 7, 10, 11

_DOMAINS = frozenset({b"", b"ai.onnx.ml"})
_ENDLESS = frozenset({b"Loop"})
_STEPPING = frozenset({b"Scan", b"SequenceMap"})
"""One step for each element of an input."""
_DEEPEST, _MOST_NODES, _LARGEST_DIMENSION = 16, 1_000_000, 2**31 - 1

Name = tuple[bytes, bytes]


@dataclass
class _Size:
    """What one graph or function holds, with all graphs inside it."""

    nodes: int = 0
    calls: list[Name] = field(default_factory=list)
    """The functions of the model that it calls, once for each call."""
    steps: bool = False
    """Whether it steps through an input."""
    stepped: list[Name] = field(default_factory=list)
    """The functions that are called in each of its steps."""


def check_model(content: bytes) -> None:
    """Unsound unless a model ends for every input, and reads nothing but its own bytes."""
    if content[4:8] == b"ORTM":
        raise Unsound("it begins like a file of ONNX Runtime's own format, which is not checked")
    model = Message.of(content)
    if model.fields.get(_TRAINING):
        raise Unsound("it holds the graph of a training")
    functions: dict[Name, _Size] = {}
    bodies = list(model.messages(_FUNCTIONS))
    known = frozenset((_domain(body, _FUNCTION_DOMAIN), body.text(_FUNCTION_NAME)) for body in bodies)
    if len(known) != len(bodies):
        raise Unsound("it has a function twice")
    for body in bodies:
        name = (_domain(body, _FUNCTION_DOMAIN), body.text(_FUNCTION_NAME))
        if name[0] in _DOMAINS:
            raise Unsound(f"its function {_shown(name[1])} takes the place of an operator of ONNX")
        size = functions[name] = _Size()
        for default in body.messages(_FUNCTION_DEFAULTS):
            _check_attribute(default, known, size, 1, False)
        for node in body.messages(_FUNCTION_NODES):
            _check_node(node, known, size, 1, False)
    whole = _Size()
    graph = model.text(_GRAPH)
    if not graph:
        raise Unsound("it has no graph")
    _check_graph(Message.of(graph), known, whole, 0, False)
    _check_calls(functions, whole)


def _check_graph(graph: Message, known: frozenset[Name], size: _Size, depth: int, stepped: bool) -> None:
    if depth > _DEEPEST:
        raise Unsound(f"it has graphs inside graphs, deeper than {_DEEPEST} levels")
    if graph.fields.get(_SPARSE):
        raise Unsound("it has sparse weights")
    for tensor in graph.messages(_TENSORS):
        _check_tensor(tensor)
    for number in _GRAPH_VALUES:
        for value in graph.messages(number):
            _check_shape(value)
    for node in graph.messages(_NODES):
        _check_node(node, known, size, depth, stepped)


def _check_node(node: Message, known: frozenset[Name], size: _Size, depth: int, stepped: bool) -> None:
    name = (_domain(node, _DOMAIN), node.text(_OPERATOR))
    size.nodes += 1
    if size.nodes > _MOST_NODES:
        raise Unsound(f"it has more than {_MOST_NODES:,} nodes")
    if name in known:
        size.calls.append(name)
        if stepped:
            size.stepped.append(name)
    elif name[0] not in _DOMAINS:
        raise Unsound(f"it has the operator {_shown(name[1])} of the domain {_shown(name[0])}, which is not of ONNX")
    if name[1] in _ENDLESS and name not in known:
        raise Unsound(f"it has the operator {_shown(name[1])}, which may run without end")
    steps = name[1] in _STEPPING and name not in known
    if steps:
        if stepped:
            raise Unsound(f"it has the operator {_shown(name[1])} inside another one that steps through its input")
        size.steps = True
    for attribute in node.messages(_ATTRIBUTES):
        _check_attribute(attribute, known, size, depth, stepped or steps)


def _check_attribute(attribute: Message, known: frozenset[Name], size: _Size, depth: int, stepped: bool) -> None:
    if any(attribute.fields.get(number) for number in _SPARSE_OF):
        raise Unsound("it has sparse weights")
    for number in (_TENSOR_OF, _GRAPH_OF):
        attribute.text(number)  # readers merge several
    for number in (_TENSOR_OF, _TENSORS_OF):
        for tensor in attribute.messages(number):
            _check_tensor(tensor)
    for number in (_GRAPH_OF, _GRAPHS_OF):
        for graph in attribute.messages(number):
            _check_graph(graph, known, size, depth + 1, stepped)


def _check_tensor(tensor: Message) -> None:
    if tensor.fields.get(_EXTERNAL) or any(tensor.numbers(_LOCATION)):
        raise Unsound("its weights are in another file")
    held = sum(len(value) if isinstance(value, bytes) else 8 for values in tensor.fields.values() for value in values)
    dims = tensor.numbers(_DIMS)
    if any(size > _LARGEST_DIMENSION for size in dims) or prod(dims) > 4 * held:  # four numbers of 2 bits in a byte
        raise Unsound(f"a tensor has the dimensions {str(dims)[:60]}, which are more than the file holds")


def _check_shape(value: Message) -> None:
    """The declared shape of an input, output or intermediate value: ValueInfoProto, TypeProto, TensorShapeProto."""
    for kind in value.messages(2):
        for tensor in kind.messages(1):
            sizes = [size for shape in tensor.messages(2) for dim in shape.messages(1) for size in dim.numbers(1)]
            sizes = [size for size in sizes if size < 2**63]  # some exporters write -1 for a size that is not known
            if prod(sizes) > _LARGEST_DIMENSION:
                raise Unsound(f"a value has the dimensions {str(sizes)[:60]}")


def _check_calls(functions: dict[Name, _Size], whole: _Size) -> None:
    """No function calls itself, and the graph with every function in its place is not too large."""
    order = _ordered(functions)
    total: dict[Name, int] = {}
    for name in order:
        size = functions[name]
        size.steps = size.steps or any(functions[called].steps for called in size.calls)
        total[name] = size.nodes + sum(total[called] for called in size.calls)
        if total[name] > _MOST_NODES:
            raise Unsound(f"its function {_shown(name[1])} becomes more than {_MOST_NODES:,} nodes")
    if whole.nodes + sum(total[called] for called in whole.calls) > _MOST_NODES:
        raise Unsound(f"its functions become more than {_MOST_NODES:,} nodes")
    if any(functions[called].steps for size in (*functions.values(), whole) for called in size.stepped):
        raise Unsound("it calls, in each step through an input, a function that steps through another one")


def _ordered(functions: dict[Name, _Size]) -> list[Name]:
    """The functions, each after those that it calls; Unsound for a circle."""
    found: dict[Name, None] = {}
    waiting = dict.fromkeys(functions)
    while waiting:
        ready = [name for name in waiting if all(called in found for called in functions[name].calls)]
        if not ready:
            raise Unsound(f"its function {_shown(next(iter(waiting))[1])} calls itself")
        for name in ready:
            found[name] = None
            del waiting[name]
    return list(found)


def _domain(message: Message, number: int) -> bytes:
    found = message.text(number)
    return b"" if found == b"ai.onnx" else found


def _shown(name: bytes) -> str:
    return repr(name[:60].decode(errors="replace"))
