"""SymPy integrates, solves, simplifies and expands series, with its cache emptied between rounds."""

from sympy import Matrix, cos, dsolve, exp, expand, factor, integrate, log, series, simplify, sin, solve, symbols
from sympy.abc import x, y, z
from sympy.core.cache import clear_cache
from sympy.core.function import Function

ROUNDS = 6


def main() -> None:
    f = Function("f")
    a = symbols("a", positive=True)
    total = 0
    for turn in range(1, ROUNDS + 1):
        clear_cache()
        results = [
            integrate(x**turn * exp(-a * x), x),
            integrate(sin(x) * cos(x) ** turn, x),
            solve(x**3 - turn * x + 1, x),
            solve([x + y - turn, x * y - 2], [x, y]),
            simplify((sin(x) ** 2 + cos(x) ** 2 + turn) / (x + 1) + log(exp(a))),
            factor(expand((x + y + z) ** (turn + 3) - z**2)),
            series(exp(sin(x)) / (1 - x), x, 0, 5 + turn),
            Matrix(3, 3, lambda row, column: x ** (row + column) + turn).det(),
            dsolve(f(x).diff(x, 2) + turn * f(x), f(x)),
        ]
        total += sum(len(str(result)) for result in results)
    print(ROUNDS, "rounds, results of", total, "characters")


main()
