"""Every way to change a namespace that host-contract.md lists."""

import builtins
import collections
import types
from typing import Any
from unittest import mock

from fuzz import keys
from fuzz.routes import route
from fuzz.world import HELPERS, NAMES, Holder, OtherHolder, World


def place(world: World, x: int) -> dict[Any, Any]:
    """A namespace, or the builtins behind one."""
    choice = x % 8
    if choice < 6:
        found = world.spaces[choice % 4].dict
        assert found is not None
        return found
    return world.fake_builtins if choice == 6 else vars(builtins)


def own_place(world: World, x: int) -> dict[Any, Any]:
    """One that may be emptied: not the interpreter's own builtins."""
    found = place(world, x)
    return world.fake_builtins if found is vars(builtins) else found


def name(y: int) -> str:
    return NAMES[y % 4]


def keep_special(space: dict[Any, Any]) -> dict[Any, Any]:
    """Emptying a namespace keeps what is no name of ours: its builtins, its module's spec, what code needs to run."""
    return {key: value for key, value in space.items() if type(key) is str and (key[:2] == "__" or key in HELPERS)}


@route(8)
def store(m: Any, x: int, y: int, z: int) -> None:
    place(m.world, x)[name(y)] = m.world.value(z)


@route(3)
def store_by_another_key(m: Any, x: int, y: int, z: int) -> None:
    where = own_place(m.world, x)
    with m.meddling(z):
        where[keys.key(name(y), y >> 2, name(y) in where)] = m.world.value(z)


@route(1)
def store_by_a_late_key(m: Any, x: int, y: int, z: int) -> None:
    """It may equal a name now: change_of_keys says so. Not often, as it gives up a name in any case."""
    if z >= 100:
        return
    where = own_place(m.world, x)
    keys.late.append((keys.Late, keys.Late, keys.Late, keys.Hashed)[z % 4](hash(name(y))))
    keys.Odd.made += 1
    where[keys.late[-1]] = m.world.value(z)


@route(3)
def change_of_keys(m: Any, x: int, y: int, z: int) -> None:
    keys.change_mind(x, y)


@route(1)
def store_by_an_unrelated_key(m: Any, x: int, y: int, z: int) -> None:
    own_place(m.world, x)[keys.unrelated(y)] = m.world.value(z)


@route(1)
def store_by_an_int_of_the_same_hash(m: Any, x: int, y: int, z: int) -> None:
    where = own_place(m.world, x)
    with m.meddling(z):
        where[hash(name(y))] = m.world.value(z)


@route(3)
def store_attribute(m: Any, x: int, y: int, z: int) -> None:
    setattr(m.world.spaces[1 + x % 2].owner, name(y), m.world.value(z))


@route(3)
def delete_attribute(m: Any, x: int, y: int, z: int) -> None:
    owner = m.world.spaces[1 + x % 2].owner
    if name(y) in vars(owner):
        delattr(owner, name(y))


@route(2)
def setdefault(m: Any, x: int, y: int, z: int) -> None:
    place(m.world, x).setdefault(name(y), m.world.value(z))


@route(2)
def update_from_a_dict(m: Any, x: int, y: int, z: int) -> None:
    place(m.world, x).update({name(y): m.world.value(z), name(z): m.world.value(y)})


@route(1)
def update_from_a_dict_with_a_hole(m: Any, x: int, y: int, z: int) -> None:
    source = {"hole": 1, name(y): m.world.value(z)}
    del source["hole"]
    own_place(m.world, x).update(source)


@route(1)
def update_from_keywords(m: Any, x: int, y: int, z: int) -> None:
    place(m.world, x).update(**{name(y): m.world.value(z)})


@route(1)
def update_from_pairs(m: Any, x: int, y: int, z: int) -> None:
    place(m.world, x).update([(name(y), m.world.value(z)), (name(y + 1), m.world.value(x))])


class Mapping(dict):
    """A source that is no exact dict."""


@route(1)
def update_from_a_mapping(m: Any, x: int, y: int, z: int) -> None:
    items = {name(y): m.world.value(z), name(z): m.world.value(y)}
    kinds = (Mapping, collections.OrderedDict, collections.UserDict, types.MappingProxyType, collections.ChainMap)
    place(m.world, x).update(kinds[z % len(kinds)](items))


@route(1)
def or_into(m: Any, x: int, y: int, z: int) -> None:
    where = place(m.world, x)
    where |= {name(y): m.world.value(z)}


@route(1)
def init_again(m: Any, x: int, y: int, z: int) -> None:
    dict.__init__(own_place(m.world, x), {name(y): m.world.value(z)})


@route(4)
def delete(m: Any, x: int, y: int, z: int) -> None:
    where = place(m.world, x)
    if name(y) in where:
        del where[name(y)]


@route(1)
def delete_by_another_key(m: Any, x: int, y: int, z: int) -> None:
    with m.meddling(z):
        own_place(m.world, x).pop(keys.key(name(y), z, True), None)


@route(2)
def pop(m: Any, x: int, y: int, z: int) -> None:
    place(m.world, x).pop(name(y), None)


@route(1)
def popitem(m: Any, x: int, y: int, z: int) -> None:
    where = own_place(m.world, x)
    if next(reversed(where), "__") in NAMES:
        where.popitem()


@route(1, transient=True)
def clear(m: Any, x: int, y: int, z: int) -> None:
    where = own_place(m.world, x)
    special = keep_special(where)
    where.clear()
    if z & 1:
        where.update(special)  # into an empty dict: CLONED
    else:
        for key, value in special.items():
            where[key] = value


@route(1, transient=True)
def clone_into_empty(m: Any, x: int, y: int, z: int) -> None:
    """Into a fresh namespace, the old one gone."""
    where = own_place(m.world, x)
    source = keep_special(where) | {name(y): m.world.value(z), name(z): m.world.value(y)}
    where.clear()
    where |= source


@route(1, transient=True)
def clear_and_fill_with_the_same(m: Any, x: int, y: int, z: int) -> None:
    where = own_place(m.world, x)
    before = dict(where)
    where.clear()
    where.update(before)


@route(1, transient=True)
def patch_and_undo(m: Any, x: int, y: int, z: int) -> None:
    with mock.patch.dict(own_place(m.world, x), {name(y): m.world.value(z)}):
        pass


@route(2, transient=True)
def store_twice(m: Any, x: int, y: int, z: int) -> None:
    where = place(m.world, x)
    before = where.get(name(y))
    where[name(y)] = m.world.value(z)
    where[name(y)] = before


@route(1, transient=True)
def delete_and_store_again(m: Any, x: int, y: int, z: int) -> None:
    where = place(m.world, x)
    if name(y) in where:
        m.world.takes(where[name(y)])
        where[name(y)] = where.pop(name(y))


@route(1)
def store_what_is_there(m: Any, x: int, y: int, z: int) -> None:
    where = place(m.world, x)
    if name(y) in where:
        where[name(y)] = where[name(y)]


@route(1)
def copies_and_reads(m: Any, x: int, y: int, z: int) -> None:
    where = place(m.world, x)
    dict(where)
    where | {name(y): 1}
    where.get(name(z))


@route(1, transient=True)
def grow(m: Any, x: int, y: int, z: int) -> None:
    """Many other keys, and away again: the table is resized."""
    where = own_place(m.world, x)
    for number in range(20):
        where[f"other{number}"] = z
    for number in range(20):
        del where[f"other{number}"]


@route(1)
def renew_namespace(m: Any, x: int, y: int, z: int) -> None:
    m.world.renew_space(x)


@route(1)
def replace_builtins(m: Any, x: int, y: int, z: int) -> None:
    """Code that is run in the namespace finds other builtins; functions that exist keep theirs."""
    where = m.world.spaces[0 if x & 1 else 3].dict
    chosen = (m.world.fake_builtins, m.world.other_builtins, builtins, vars(builtins))[y % 4]
    if z < 32:
        where.pop("__builtins__", None)
    else:
        where["__builtins__"] = chosen


@route(1)
def dict_of_an_instance(m: Any, x: int, y: int, z: int) -> None:
    """The namespace stays what it is, with or without the instance."""
    space = m.world.spaces[2]
    match z % 4:
        case 0:
            space.owner.__dict__ = {name(y): m.world.value(x)}
        case 1:
            del space.owner.__dict__
        case 2:
            space.owner.__dict__ = space.dict
        case 3:
            space.owner.__class__ = OtherHolder if type(space.owner) is Holder else Holder


@route(1, transient=True)
def exec_adds_builtins(m: Any, x: int, y: int, z: int) -> None:
    where = m.world.spaces[2].dict
    where.pop("__builtins__", None)
    exec("0", where)
