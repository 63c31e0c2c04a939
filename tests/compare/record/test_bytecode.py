"""Which look-ups a code object makes."""

import textwrap
from types import CodeType
from typing import Any

from depwatch.compare.record import bytecode


def code_of(text: str) -> CodeType:
    """The first function or class body in text."""
    module = compile(textwrap.dedent(text), "text", "exec")
    return next(constant for constant in module.co_consts if isinstance(constant, CodeType))


def looked_up(text: str) -> list[tuple[str, bool]]:
    uses = bytecode.uses(code_of(text))
    return [(("." if use.of_first_argument else "") + ".".join(use.names), use.called) for use in uses]


def test_a_global_that_is_called_and_one_that_is_read() -> None:
    assert looked_up("def f(x):\n return helper(x) + RATE") == [("helper", True), ("RATE", False)]


def test_each_form_of_call_is_one() -> None:
    calls = "def f(x):\n a(x)\n b(*x)\n c(k=1)\n d(**x)\n m.e(x)\n m.n.g(x, k=1)\n m.h(*x)"
    assert looked_up(calls) == [(name, True) for name in ("a", "b", "c", "d", "m.e", "m.n.g", "m.h")]


def test_a_chain_of_attributes_is_followed_to_its_end() -> None:
    assert looked_up("def f():\n return os.path.sep.x") == [("os.path.sep.x", False)]


def test_what_an_augmented_assignment_changes_is_read_first() -> None:
    uses = looked_up("def f(self):\n Shape.sides += 1\n self.n += 1\n math.tau.x -= 1\n return (y := RATE)")
    assert uses == [(name, False) for name in ("Shape.sides", ".n", "math.tau.x", "RATE")]


def test_a_chain_ends_where_another_value_may_arrive() -> None:
    uses = looked_up("def f(a):\n return (a or math).pi")
    assert uses == [("math", False)]


def test_methods_and_attributes_of_the_first_argument() -> None:
    assert looked_up("def f(self, x):\n return self.go(x) + self.rate + x.other") == [(".go", True), (".rate", False)]


def test_a_first_argument_in_a_cell_is_still_the_first_argument() -> None:
    assert looked_up("def f(self):\n self.go()\n return lambda: self") == [(".go", True)]


def test_a_first_argument_that_is_loaded_together_with_another_variable() -> None:
    assert looked_up("def f(self, x):\n y = x\n return y + self.rate") == [(".rate", False)]


def test_a_first_argument_that_is_rebound_says_nothing_about_its_type() -> None:
    assert looked_up("def f(self):\n self = other\n return self.rate") == [("other", False)]


def test_names_that_a_class_body_sets_itself_are_not_globals() -> None:
    names = [name for name, _ in looked_up("class C:\n a = RATE\n b = a\n c = helper(b)")]
    assert "RATE" in names
    assert "helper" in names
    assert "a" not in names


def test_a_use_knows_the_line_of_each_of_its_names() -> None:
    (use,) = bytecode.uses(code_of("def f():\n return (math\n   .pi)"))
    assert use.names == ("math", "pi")
    assert use.lines == (2, 3)


def test_code_that_has_been_specialised_reads_the_same() -> None:
    namespace: dict[str, Any] = {}
    exec("RATE = 2\ndef helper(x): return x\ndef f(x): return helper(x) + RATE", namespace)
    function = namespace["f"]
    before = bytecode.uses(function.__code__)
    for _ in range(1000):
        function(1)
    assert bytecode.uses(function.__code__) == before
