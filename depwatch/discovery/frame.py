"""One code object with what is known of its variables: from its uses to what they find."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from depwatch.discovery import asks, attributes, calls
from depwatch.discovery.abstract import (
    ANY,
    DATA,
    PLAIN,
    UNKNOWN,
    Value,
    Values,
    class_of,
    ids,
    is_plain,
    known,
    leads_on,
    union,
)
from depwatch.discovery.reads import MISSING, Cause, OpaqueKind, Read
from depwatch.discovery.uses import uses
from depwatch.naming import is_immutable
from depwatch.values import is_a

if TYPE_CHECKING:
    from depwatch.discovery.walk import Walk

MOST_PASSES: Final = 5
_NUMBERS: Final = ids(int, float, str)
_NOT_BY_LINE: Final = frozenset({"unknown", "variable", "constant", "plain", "join"})


class Frame:
    """The function gives the globals; nested code has that of the function around it."""

    def __init__(
        self,
        walk: Walk,
        function: types.FunctionType,
        code: types.CodeType,
        variables: dict[str, Values],
        via: Read | None,
        depth: int,
        lines: frozenset[int] | None,
    ) -> None:
        self.walk: Final = walk
        self.function: Final = function
        self.code: Final = code
        self.variables: Final = variables
        self.via: Final = via
        self.depth: Final = depth
        self.lines: Final = lines
        self.line: int | None = None
        self.globals: Final = walk.namespace_of(function)
        self.uses: Final = uses(code)
        self.values: list[Values] = [()] * len(self.uses.uses) + [ANY]  # the last is that of NULL

    def run(self) -> Values:
        """What it returns."""
        for _ in range(MOST_PASSES if self.uses.again else 0):
            before = [len(values) for values in self.values]
            self._look()
            if [len(values) for values in self.values] == before:
                break
        self._look(last=True)
        self._nested()
        return union(self.values[number] for number in self.uses.returns) or ANY

    def _look(self, last: bool = False) -> None:
        lines, values = self.lines, self.values
        nothing = ANY if last else ()
        for number, (what, line, a, b) in enumerate(self.uses.uses):
            if lines is not None and line is not None and line not in lines and what not in _NOT_BY_LINE:
                values[number] = ANY
                continue
            self.line = line
            values[number] = _LOOKS[what](self, a, b) or nothing

    def _nested(self) -> None:
        """The code that this code makes functions and classes of: with any arguments, and what this knows."""
        for index in self.uses.nested:
            inner: types.CodeType = self.code.co_consts[index]
            shared = {name: self._shared(name) for name in inner.co_freevars}
            for name in inner.co_varnames[: inner.co_argcount + inner.co_kwonlyargcount]:
                shared.setdefault(name, ANY)
            Frame(self.walk, self.function, inner, shared, self.via, self.depth, self.lines).run()

    def _shared(self, name: str) -> Values:
        """A variable that nested code shares. `nonlocal` lets that assign it."""
        stored = union(self.values[number] for number in self.uses.stores.get(name, ()))
        inside = any(name in uses(self.code.co_consts[index]).stores for index in self.uses.nested)
        return union((self.variables.get(name, ()), stored, ANY if inside else ())) or ANY

    # --- for the looks at attributes and calls ---

    def read(self, kind: Any, owner: Any, name: str, via: Read | None) -> Read | None:
        return self.walk.read(kind, owner, name, via, self.code, self.line)

    def tell(self, kind: OpaqueKind, cause: Cause, text: str, value: Value | None = None) -> None:
        about = value.obj if value is not None and value.what == "known" else MISSING
        cls = None if value is None else class_of(value)
        self.walk.tell(kind, cause, self.code, self.line, text, about, cls)

    def of(self, number: int) -> Values:
        return self.values[number]

    def escape(self, values: Values) -> None:
        """Something that is not known gets these values, and may call them with any arguments."""
        for value in values:
            if leads_on(value):
                calls.passed_on(self, value)

    # --- what each use finds ---

    def variable(self, name: str, _: Any) -> Values:
        stores = self.uses.stores.get(name, ())
        given = self.variables.get(name)
        if not stores:
            return ANY if given is None else given
        parts = [self.values[number] for number in stores]
        return union(parts if given is None else [given, *parts])

    def constant(self, index: int, _: Any) -> Values:
        value = self.code.co_consts[index]
        if type(value) is types.CodeType:
            return (Value("made", value),)
        return DATA if id(type(value)) in _NUMBERS else (known(value, None),)

    def global_(self, name: str, _: Any) -> Values:
        found = self.globals.found.get(name)
        return self.walk.look_up_global(self, name) if found is None else found

    def builtin(self, name: str, _: Any) -> Values:
        function: Any = self.function
        builtins = function.__builtins__
        read = self.read("item", builtins, name, self.via)
        return ANY if read is None or read.value is MISSING else (known(read.value, read),)

    def attribute(self, name: str, owner: int) -> Values:
        return union(attributes.attribute(self, value, name) for value in self.of(owner))

    def store_attribute(self, name: str, owner: int) -> Values:
        for value in self.of(owner):
            attributes.store(self, value, name)
        return ANY

    def delete_attribute(self, name: str, owner: int) -> Values:
        for value in self.of(owner):
            attributes.delete(self, value, name)
        return ANY

    def raise_(self, parts: tuple[int, ...], _: Any) -> Values:
        """`except` asks for the bases of the class; a class is called."""
        for value in (each for part in parts for each in self.of(part)):
            if value.what == "known" and is_a(value.obj, type):
                self.walk.bases_seen(value.obj)
                calls.construct(self, value, (), {})
            elif (cls := class_of(value)) is not None:
                self.walk.bases_seen(cls)
        return ANY

    def special_method(self, name: str, owner: int) -> Values:
        return union(attributes.special(self, value, name) for value in self.of(owner))

    def special(self, name: str, owner: int) -> Values:
        return union(self.operator(value, name) for value in self.of(owner))

    def operator(self, value: Value, name: str) -> Values:
        """The result of an operator of one operand."""
        if name == "__bool__" and (value.what in ("bound", "made") or is_plain(value)):
            return DATA
        if value.what == "known" and name in ("__iter__", "__next__") and type(value.obj) is tuple:
            return (value,) if name == "__iter__" else self.elements(value)
        if is_plain(value):
            return DATA
        methods = attributes.special(self, value, name)
        if not methods:
            return ANY
        if name == "__bool__":
            methods = tuple(method for method in methods if method is not UNKNOWN)
        results = [calls.call(self, method, (), {}) for method in methods if method is not UNKNOWN]
        found = union(results) or ANY
        if name == "__iter__":  # who iterates is not always code that is looked at
            for each in found:
                cls = class_of(each)
                if cls is not None and not is_immutable(cls):
                    self.operator(each, "__next__")
        return found

    def elements(self, value: Value) -> Values:
        """What a tuple that is known has in it."""
        return union((known(each, value.via),) for each in value.obj) or DATA

    def element(self, container: int, _: Any) -> Values:
        parts = []
        for value in self.of(container):
            if value.what == "known" and type(value.obj) is tuple:
                parts.append(self.elements(value))
            else:
                parts.append(self.operator(value, "__iter__"))
                parts.append(DATA if is_plain(value) else ANY)
        return union(parts)

    def item(self, container: int, key: int) -> Values:
        self.key(container, key)
        return union(self._item(value, key) for value in self.of(container))

    def key(self, container: int, key: int) -> Values:
        keys = self.of(key)
        for value in self.of(container):
            if class_of(value) is dict:
                asks.keys_of(self, value)
                asks.key(self, keys)
            else:
                asks.index(self, keys)
        return ANY

    def contains(self, item: int, container: int) -> Values:
        self.special("__contains__", container)
        asks.compared(self, self.of(item), self.of(container))
        return DATA

    def keys(self, parts: tuple[int, ...], _: Any) -> Values:
        for part in parts:
            asks.key(self, self.of(part))
        return ANY

    def bounds(self, parts: tuple[int, ...], _: Any) -> Values:
        for part in parts:
            asks.index(self, self.of(part))
        return ANY

    def _item(self, value: Value, key: int) -> Values:
        constant = self._constant_of(key)
        obj = value.obj
        if value.what == "known" and type(obj) is dict:
            if type(constant) is str:
                read = self.read("item", obj, constant, value.via)
                return ANY if read is None or read.value is MISSING else (known(read.value, read),)
            self.read("whole", obj, "", value.via)
            return self.contained(list(dict.values(obj)), value)
        if value.what == "known" and type(obj) is tuple:
            if type(constant) is int and -len(obj) <= constant < len(obj):
                return (known(obj[constant], value.via),)
            return union((self.elements(value), ANY))
        if is_plain(value):
            return DATA
        if value.what == "known" and is_a(obj, type):  # list[int]
            return attributes.subscript_class(self, value)
        return self.operator(value, "__getitem__")

    def contained(self, objects: list[Any], value: Value) -> Values:
        """Any of these, which an assumption keeps as they are."""
        if len(objects) > 200:
            self.tell("world", "item", f"more than 200 values of {attributes.short(value)}", value)
            return ANY
        return union((ANY, *((known(each, value.via),) for each in objects)))

    def _each_of(self, number: int) -> Values:
        """The values in a tuple that is made here, such as that of classes."""
        what, _, parts, name = self.uses.uses[max(number, 0)]
        if (what, name) == ("build", "BUILD_TUPLE"):
            return union(self.of(part) for part in parts)
        return self.of(number)

    def _constant_of(self, number: int) -> Any:
        what, _, index, _ = self.uses.uses[max(number, 0)]
        if what == "constant" and index is not None:
            return self.code.co_consts[index]
        if what == "plain" and index is not None:
            return index
        values = self.of(number)
        if (
            len(values) == 1
            and values[0].what == "known"
            and (type(values[0].obj) is str or type(values[0].obj) is int)
        ):
            return values[0].obj
        return None

    def binary(self, names: tuple[str, str, str], operands: tuple[int, int]) -> Values:
        left, right = self.values[operands[0]], self.values[operands[1]]
        for value in right if left is DATA else left + right:
            if value is not PLAIN and not is_plain(value):
                break
        else:
            return DATA
        name, swapped, symbol = names
        parts = []
        methods = [(value, name) for value in left] + [(value, swapped) for value in right]
        if symbol.endswith("=") and symbol[:-1] and symbol not in ("==", "!=", "<=", ">="):
            methods += [(value, f"__i{name[2:]}") for value in left]
        if symbol.startswith("%") and any(map(is_plain, left)):  # "%s" % value
            methods += [(value, each) for value in right if value.what != "unknown" for each in ("__str__", "__repr__")]
        if symbol.startswith("*"):  # "-" * value
            methods += [(value, "__index__") for value in left + right if value.what == "instance"]
        for value, method in methods:
            if not is_plain(value):
                parts.append(self.operator(value, method))
        return union((*parts, ANY))

    def build(self, parts: tuple[int, ...], name: str) -> Values:
        values = [self.of(part) for part in parts]
        for each in values:
            self.escape(each)
        if name == "BUILD_STRING" or (name == "BUILD_TUPLE" and all(is_plain(v) for each in values for v in each)):
            return DATA
        kinds = {"BUILD_TUPLE": tuple, "BUILD_LIST": list, "BUILD_SET": set, "BUILD_MAP": dict}
        return (Value("instance", kinds.get(name, slice if name == "BUILD_SLICE" else dict)),)

    def leave(self, parts: tuple[int, ...], _: Any) -> Values:
        for part in parts:
            self.escape(self.of(part))
        return ANY

    def join(self, parts: tuple[int, ...], _: Any) -> Values:
        return union(self.of(part) for part in parts)

    def made(self, code: int, _: Any) -> Values:
        return self.of(code)

    def call(self, called: int, given: tuple[tuple[int, ...], tuple[str, ...]]) -> Values:
        numbers, names = given
        arguments = [self.of(number) for number in numbers]
        if len(numbers) == 2 and any(value.obj is isinstance or value.obj is issubclass for value in self.of(called)):
            arguments[1] = self._each_of(numbers[1])
        split = len(arguments) - len(names)
        keywords = dict(zip(names, arguments[split:], strict=True))
        constants = tuple(self._constant_of(number) for number in numbers[:split])
        return union(
            calls.call(self, value, tuple(arguments[:split]), keywords, constants) for value in self.of(called)
        )

    def merge(self, parts: tuple[int, int], _: Any) -> Values:
        """{**b}, where `a` is what is made before: f(**b) makes one of nothing else."""
        a, b = parts
        what, _, inside, name = self.uses.uses[max(a, 0)]
        alone = (what, inside, name) == ("build", (), "BUILD_MAP")
        return self.of(b) if alone and all(map(is_plain, self.of(b))) else self.of(a)

    def call_with_all(self, called: int, given: tuple[int, ...]) -> Values:
        if not all(self.of(number) for number in given):
            return ()  # what is given is found in the next pass
        if given and all(is_plain(value) for number in given for value in self.of(number)):
            return union(calls.call(self, value, (), {"*": DATA}) for value in self.of(called))
        for number in given:
            for value in self.of(number):
                self.escape((value,))
                if not leads_on(value):
                    self.operator(value, "__iter__")
        return union(calls.call(self, value, None, {}) for value in self.of(called))

    def super_(self, name: str, operands: tuple[int, int]) -> Values:
        classes, instances = self.of(operands[0]), self.of(operands[1])
        return union(attributes.of_super(self, cls, instance, name) for cls in classes for instance in instances)

    def match(self, names: int, operands: tuple[int, int]) -> Values:
        subject, cls = operands
        for value in self.of(cls):
            attributes.attribute(self, value, "__match_args__")
        constant = self._constant_of(names)
        for name in constant if type(constant) is tuple else ():
            for value in self.of(subject):
                attributes.attribute(self, value, name)
        for value in self.of(subject):
            if value.what == "unknown":
                self.tell("world", "class", "match of a value of unknown class")
        return ANY

    def import_(self, name: str, given: tuple[int, int]) -> Values:
        level, names = self._constant_of(given[0]), self._constant_of(given[1])
        return calls.imported(self, name, level if type(level) is int else 0, names)


_LOOKS: Final[dict[str, Callable[[Frame, Any, Any], Values]]] = {
    "unknown": lambda frame, a, b: ANY,
    "plain": lambda frame, a, b: DATA,
    "variable": Frame.variable,
    "constant": Frame.constant,
    "global": Frame.global_,
    "builtin": Frame.builtin,
    "attribute": Frame.attribute,
    "store attribute": Frame.store_attribute,
    "special": Frame.special,
    "special method": Frame.special_method,
    "element": Frame.element,
    "item": Frame.item,
    "binary": Frame.binary,
    "bounds": Frame.bounds,
    "contains": Frame.contains,
    "delete attribute": Frame.delete_attribute,
    "key": Frame.key,
    "raise": Frame.raise_,
    "keys": Frame.keys,
    "build": Frame.build,
    "escape": Frame.leave,
    "join": Frame.join,
    "made": Frame.made,
    "call": Frame.call,
    "call with all": Frame.call_with_all,
    "super": Frame.super_,
    "match": Frame.match,
    "merge": Frame.merge,
    "import": Frame.import_,
}
