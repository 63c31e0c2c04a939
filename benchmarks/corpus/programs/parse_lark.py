"""Lark parses JSON and arithmetic with both of its parsers and transforms the trees."""

import json
from typing import Any

from lark import Lark, Transformer, v_args

ROUNDS = 100
JSON = r"""
?value: object | array | string | SIGNED_NUMBER -> number | "true" -> true | "false" -> false | "null" -> null
array: "[" (value ("," value)*)? "]"
object: "{" (pair ("," pair)*)? "}"
pair: string ":" value
string: ESCAPED_STRING
%import common (ESCAPED_STRING, SIGNED_NUMBER, WS)
%ignore WS
"""
SUMS = """
?sum: product | sum "+" product -> add | sum "-" product -> sub
?product: atom | product "*" atom -> mul
?atom: NUMBER -> number | "-" atom -> neg | "(" sum ")"
%import common (NUMBER, WS_INLINE)
%ignore WS_INLINE
"""


class ToPython(Transformer):
    def array(self, children: list[Any]) -> list[Any]:
        return children

    def object(self, children: list[Any]) -> dict[str, Any]:
        return dict(children)

    def pair(self, children: list[Any]) -> tuple[Any, ...]:
        return tuple(children)

    def string(self, children: list[Any]) -> str:
        return str(children[0][1:-1])

    def number(self, children: list[Any]) -> float:
        return float(children[0])

    def true(self, children: list[Any]) -> bool:
        return True

    def false(self, children: list[Any]) -> bool:
        return False

    def null(self, children: list[Any]) -> None:
        return None


@v_args(inline=True)
class Calculate(Transformer):
    from operator import add, mul, neg, sub

    number = float


def main() -> None:
    text = json.dumps([{"name": f"n{n}", "on": n % 2 == 0, "parts": [n, -1.5, None, "x"], "in": {}} for n in range(40)])
    lalr = Lark(JSON, start="value", parser="lalr", transformer=ToPython())
    earley = Lark(SUMS, start="sum", parser="earley")
    total = 0.0
    for turn in range(ROUNDS):
        assert lalr.parse(text) == json.loads(text)
        tree = earley.parse("+".join(f"({n} - {turn}) * -{n % 3}" for n in range(25)))
        total += Calculate().transform(tree)
    print(ROUNDS, "rounds, total", total)


main()
