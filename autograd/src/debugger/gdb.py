# How gdb shows the types of this crate. rustc embeds this file in every program that uses the crate
# (`debugger_visualizer` in lib.rs), and gdb loads it from there:
#
#   Tensor [2, 3] = [1, 2, 3, 4, 5, 6]
#   Var %2 MatMul [2, 1] in neuron = [-0.75, -1.5]
#
# It reads memory and calls nothing, so that it works on a core dump as well.

import re

import gdb
import gdb.printing

SHOWN = 8  # leading values


def pointer(value):
    """The address inside a NonNull, a Unique, a Box, or a pointer itself."""
    while value.type.strip_typedefs().code != gdb.TYPE_CODE_PTR:
        value = value[value.type.fields()[0]]
    return value


def vec(value):
    """Where a Vec<T> begins, and its length."""
    item = value.type.template_argument(0).pointer()
    return pointer(value["buf"]["inner"]["ptr"]).cast(item), int(value["len"])


def utf8(start, length):
    return bytes(gdb.selected_inferior().read_memory(int(start), length)).decode() if length else ""


def sizes(shape):
    return small_numbers(shape["__0"], "usize")


def small_numbers(small, kind):
    """The numbers of a SmallVec: its capacity is its length while it is on the stack."""
    size = gdb.lookup_type(kind).pointer()
    data = small["data"]
    variant = [field.name for field in data.type.fields() if field.name][0]
    if variant == "Inline":
        start, length = data[variant]["__0"].address.cast(size), int(small["capacity"])
    else:
        start, length = pointer(data[variant]["ptr"]).cast(size), int(data[variant]["len"])
    return [int(start[i]) for i in range(length)]


def values(tensor):
    """The leading numbers of a Tensor, as text."""
    buffer = pointer(tensor["storage"]["ptr"]).dereference()["data"]
    start, _ = vec(buffer["block"]["storage"])
    start, length = start + int(buffer["block"]["start"]), int(buffer["len"])
    shown = [number(start[i]) for i in range(min(SHOWN, length))]
    return "[" + ", ".join(shown + (["…"] if length > SHOWN else [])) + "]"


def number(value):
    if value.type.strip_typedefs().code == gdb.TYPE_CODE_FLT:
        return f"{float(value):.6g}"
    return f"{number(value['value'])} + {number(value['tangent'])}ε"  # a Dual


def op_name(node):
    """The type of the op: the functions of its vtable are named after it."""
    op = node["op"]
    if [field.name for field in op.type.fields() if field.name] != ["Some"]:
        return "leaf"
    table = op["Some"]["__0"]["vtable"].cast(gdb.lookup_type("usize").pointer())
    for slot in range(3, 10):  # after drop, size and align
        function = gdb.block_for_pc(int(table[slot]))
        found = re.search(r"\{impl#\d+\}::(?:name|forward|vjp)<(.*)>$", function.function.name or "") if function else None
        symbol = gdb.execute(f"info symbol {int(table[slot])}", to_string=True)
        named = re.match(r"<(.*) as autograd::op::Op<", symbol)
        if named:
            inner = found.group(1).split(", ")[-1] if found and "<" in named.group(1) else named.group(1)
            return re.sub(r"\w+::", "", inner)
    return "op"


def node_text(tape, index):
    """%5 Sum [] in loss = [1.2]"""
    start, _ = vec(tape["nodes"]["value"]["value"])
    node = start[index]
    inputs = " ".join(f"%{i}" for i in small_numbers(node["inputs"], "u32"))
    scopes, _ = vec(tape["scopes"]["value"]["value"]["names"])
    scope = utf8(*vec(scopes[int(node["scope"]["__0"])]["vec"]))
    name, where = utf8(*vec(node["name"]["vec"])), f" in {scope}" if scope else ""
    words = [f"%{index}", op_name(node), inputs, name, str(sizes(node["value"]["shape"]))]
    return " ".join(filter(None, words)) + f"{where} = {values(node['value'])}"


class TensorPrinter:
    def __init__(self, tensor):
        self.tensor = tensor

    def to_string(self):
        return f"Tensor {sizes(self.tensor['shape'])} = {values(self.tensor)}"


class VarPrinter:
    def __init__(self, var):
        self.var = var

    def to_string(self):
        return "Var " + node_text(self.var["tape"].dereference(), int(self.var["index"]))


class TapePrinter:
    """The program that the tape has recorded, a node a line."""

    def __init__(self, tape):
        self.tape = tape

    def to_string(self):
        _, length = vec(self.tape["nodes"]["value"]["value"])
        return "\n".join([f"Tape of {length} nodes"] + [node_text(self.tape, i) for i in range(length)])


class GradientsPrinter:
    """The cotangents that have been kept, a node a line."""

    def __init__(self, gradients):
        self.by_node = gradients["by_node"]

    def to_string(self):
        start, length = vec(self.by_node)
        lines = [f"Gradients of {length} nodes"]
        for index in range(length):
            fields = [field.name for field in start[index].type.fields() if field.name]
            if fields == ["Some"]:
                tensor = start[index]["Some"]["__0"]
                lines.append(f"%{index} {sizes(tensor['shape'])} = {values(tensor)}")
        return "\n".join(lines)


class ShapePrinter:
    def __init__(self, shape):
        self.shape = shape

    def to_string(self):
        return str(sizes(self.shape))


def printers():
    all_of_them = gdb.printing.RegexpCollectionPrettyPrinter("autograd")
    all_of_them.add_printer("Tensor", r"^autograd::tensor::Tensor<.*>$", TensorPrinter)
    all_of_them.add_printer("Var", r"^autograd::tape::Var<.*>$", VarPrinter)
    all_of_them.add_printer("Tape", r"^autograd::tape::Tape<.*>$", TapePrinter)
    all_of_them.add_printer("Gradients", r"^autograd::gradients::Gradients<.*>$", GradientsPrinter)
    all_of_them.add_printer("Shape", r"^autograd::shape::Shape$", ShapePrinter)
    return all_of_them


gdb.printing.register_pretty_printer(gdb.current_objfile(), printers(), replace=True)
