"""A program: an opcode trace of functions that run while modules are imported, beside what discovery finds in them.

python oracle.py SEED NUMBER MODULE...      JSON: the functions, the names that they were seen to read, those missed
"""

import gc
import importlib
import json
import opcode
import random
import sys
import types

import depwatch

TOOL = 4
# Of each instruction that reads a name: how many bits of its argument are flags.
LOADS = {
    "LOAD_GLOBAL": 1, "LOAD_ATTR": 1, "LOAD_SUPER_ATTR": 2, "LOAD_NAME": 0, "LOAD_FROM_DICT_OR_GLOBALS": 0,
    "IMPORT_NAME": 2 if sys.version_info >= (3, 15) else 0, "IMPORT_FROM": 0,
}  # fmt: skip
CELLS = {"LOAD_DEREF", "LOAD_FROM_DICT_OR_DEREF"}


def traced(modules):
    """The offsets that ran, by code object."""
    ran = {}

    def instruction(code, offset):
        ran.setdefault(code, set()).add(offset)
        return sys.monitoring.DISABLE

    sys.monitoring.use_tool_id(TOOL, "oracle")
    event = sys.monitoring.events.INSTRUCTION
    sys.monitoring.register_callback(TOOL, event, instruction)
    sys.monitoring.set_events(TOOL, event)
    try:
        for module in modules:
            importlib.import_module(module)
    finally:
        sys.monitoring.set_events(TOOL, 0)
        sys.monitoring.free_tool_id(TOOL)
    return ran


def names_seen(code, offsets):
    """(instruction, name, line) of what code was seen to look up; that of closures from outside."""
    lines = {at: line for start, end, line in code.co_lines() for at in range(start, end)}
    bytecode, extended = code.co_code, 0
    for at in range(0, len(bytecode), 2):
        name = opcode.opname[bytecode[at]]
        argument = bytecode[at + 1] | extended
        extended = argument << 8 if name == "EXTENDED_ARG" else 0
        if at not in offsets or (name not in LOADS and name not in CELLS):
            continue
        if name in CELLS:
            found = code._varname_from_oparg(argument)
            if found not in code.co_freevars:
                continue
        else:
            found = code.co_names[argument >> LOADS[name]]
        yield name, found, lines[at]


def with_nested(code):
    yield code
    for constant in code.co_consts:
        if type(constant) is types.CodeType:
            yield from with_nested(constant)


def missed(function, ran):
    """How many names were seen, and those that are in none of the lists."""
    found = depwatch.discover(function, follow=lambda other: False)
    reads = {(read.kind, read.name) for read in (*found.reads, *(read for read, _ in found.refused))}
    attributes = {name for kind, name in reads if kind in ("module", "class")}
    opaque = {(each.code, each.line, each.text.split(" ")[0]) for each in found.opaque}
    cells = {cell.name for cell in found.cells}
    seen, lost = 0, []
    for code in with_nested(function.__code__):
        for instruction, name, line in names_seen(code, ran.get(code, ())):
            seen += 1
            if instruction in ("LOAD_ATTR", "IMPORT_FROM"):
                ok = name in attributes or (code, line, f".{name}") in opaque
            elif instruction == "LOAD_SUPER_ATTR":
                ok = name in attributes or (code, line, f"super().{name}") in opaque
            elif instruction == "IMPORT_NAME":
                ok = (code, line, "import") in opaque or any(
                    kind == "item" and f".{read}".endswith(f".{name}") for kind, read in reads
                )
            elif instruction in CELLS:
                ok = name in cells or code is not function.__code__
            else:
                ok = ("global", name) in reads or (instruction == "LOAD_NAME" and name in code.co_names)
            if not ok:
                lost.append(f"{function.__module__}.{code.co_qualname}:{line} {instruction} {name}")
    return seen, lost


def main(seed, number, *modules):
    ran = traced(modules)
    functions = [each for each in gc.get_objects() if type(each) is types.FunctionType and each.__code__ in ran]
    functions.sort(key=lambda each: (each.__code__.co_filename, each.__code__.co_firstlineno, each.__qualname__))
    random.Random(int(seed)).shuffle(functions)
    functions = functions[: int(number)]
    found = [missed(function, ran) for function in functions]
    lost = [each for _, names in found for each in names]
    print(json.dumps({"functions": len(found), "names": sum(seen for seen, _ in found), "missed": lost}))


if __name__ == "__main__":
    main(*sys.argv[1:])
