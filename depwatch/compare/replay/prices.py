"""What things cost: named lists of prices, and what a policy costs under one."""

import math
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Meta, Struct
from msgspec.structs import replace

from depwatch import DepwatchError

type Counts = Mapping[str, Any]

Amount = Annotated[float, Meta(ge=0, le=1e30)]  # in a file

# A place that leaves the code from now on is rewritten for that: a patch.
BOUGHT: Final = {
    "recompile": ("recompiled",),
    "patch": ("patches", "deopts"),
    "deopt": ("deopt_calls",),
    "guard": ("guards",),
    "revalidation": ("revalidations",),
    "cold_call": ("cold_calls",),
}
PRICES: Final = tuple(BOUGHT)


class PriceError(DepwatchError):
    """A file of prices that cannot be read; the message is one line."""


class Prices(Struct, frozen=True, kw_only=True):
    """In ns."""

    recompile: Amount
    patch: Amount
    deopt: Amount
    guard: Amount
    revalidation: Amount
    cold_call: Amount
    source: str = ""
    assumed: list[str] = []  # the prices that nobody has measured

    def cost(self, counts: Counts) -> float:
        """Of what was counted, in ns."""
        return math.fsum(getattr(self, price) * bought(counts, price) for price in PRICES)

    def lost(self, recompiled: int, hot_after: int) -> float:
        """By so much that was compiled again, and the calls that ran cold until then, in ns."""
        return recompiled * (self.recompile + hot_after * self.cold_call)

    def but(self, price: str, ns: float) -> "Prices":
        """The same list with another price."""
        return replace(self, **{price: ns})


def bought(counts: Counts, price: str) -> int:
    """How often that price is paid."""
    return sum(counts[name] for name in BOUGHT[price])


def load_prices(path: str | None = None) -> dict[str, Prices]:
    """The lists in this file, or those that come with depwatch. Raises PriceError."""
    try:
        text = Path(path).read_text("utf-8") if path else (files(__package__) / "prices.toml").read_text("utf-8")
        lists = tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise PriceError(f"{path}: no prices can be read: {str(error).splitlines()[0]}") from None
    if not lists:
        raise PriceError(f"{path}: has no list of prices: write [NAME] and {', '.join(PRICES)} = ns below it")
    return {name: _prices(f"{path or 'prices.toml'}: [{name}]", found) for name, found in lists.items()}


def _prices(where: str, found: Any) -> Prices:
    if not isinstance(found, dict):
        raise PriceError(f"{where} is {found!r}, not a list of prices")
    if unknown := sorted(found.keys() - set(Prices.__struct_fields__)):
        raise PriceError(f"{where} has a price {unknown[0]!r}; there are: {', '.join(PRICES)}")
    for price in PRICES:
        if price not in found:
            raise PriceError(f"{where} has no {price}: give it in ns, 0 if it costs nothing")
        value = found[price]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise PriceError(f"{where} {price} is {value!r}: it must be a number of ns, 0 or more")
    source = found.get("source", "")
    if not isinstance(source, str):
        raise PriceError(f"{where} source is {source!r}: it must be text")
    assumed = found.get("assumed", [])
    if not isinstance(assumed, list) or any(each not in PRICES for each in assumed):
        raise PriceError(f"{where} assumed is {assumed!r}: it must be a list of some of {', '.join(PRICES)}")
    return Prices(**{price: float(found[price]) for price in PRICES}, source=source, assumed=assumed)
