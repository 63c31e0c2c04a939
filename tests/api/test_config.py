"""depwatch.Config: an object whose attributes code may rely on, and the classes that it may have."""

import copy
import functools
import pickle
import sys
import types
import typing

import pytest

import depwatch
from depwatch import Config
from support import NO_NUMBA, f64_at


class Limits(Config):
    scale: float = 2.0
    names: tuple[str, ...] = ()
    rate: "Undefined"  # noqa: F821 (no annotation is evaluated)


class Narrow(Limits):
    rate: int = 7
    width = 80


def items(cfg):
    return {name: value for name, value in vars(cfg).items() if name != "__name__"}


@pytest.fixture
def cfg():
    return Config("limits", scale=2.0)


# --- an object --------------------------------------------------------------------------------------------------------


def test_attributes_are_given_set_and_deleted_as_those_of_any_object(cfg):
    cfg.rate = 1
    setattr(cfg, "size", 2)  # noqa: B010
    del cfg.scale
    assert items(cfg) == {"rate": 1, "size": 2}
    with pytest.raises(AttributeError, match="scale"):
        _ = cfg.scale


def test_annotations_and_defaults_of_a_class_are_copied_into_the_instance():
    first, second = Limits(rate=1), Narrow("narrow", scale=3.0)
    first.scale = 4.0
    assert items(first) == {"scale": 4.0, "names": (), "rate": 1}
    assert items(second) == {"scale": 3.0, "names": (), "rate": 7, "width": 80}
    assert [each.__name__ for each in (first, second, Config())] == ["Limits", "narrow", "Config"]
    del first.scale
    assert not hasattr(first, "scale")


def test_what_a_class_does_not_declare_or_was_not_given_is_refused_by_name():
    class Two(Config):
        first: int
        second: int
        third: int = 3

    refused = []
    for make in (lambda: Two(third=1), lambda: Two(first=1, second=2, fourth=4), lambda: Config(__name__="x")):
        with pytest.raises(TypeError) as error:
            make()
        refused.append(str(error.value).replace(Two.__qualname__, "Two"))
    assert refused == [
        "Two declares 'first', 'second' without a default: pass a value by keyword",
        "Two declares no 'fourth', but 'first', 'second', 'third': add an annotation to the class, or use "
        "depwatch.Config, which takes any name",
        "'__name__' of Config: such names are Python's own; choose one without the underscores",
    ]


def test_the_name_is_a_str_and_may_also_be_a_keyword():
    assert items(Config("a", name="b")) == {"name": "b"}
    with pytest.raises(TypeError, match="a name must be a str, not 1"):
        Config(1)


def test_its_repr_is_short():
    many = Config("many", **{f"n{i}": i for i in range(20)})
    assert [repr(each) for each in (Config(), Limits(rate=len), many)] == [
        "Config()",
        "Limits(scale=2.0, names=<tuple of 0 items>, rate=<built-in len>)",
        "Config('many', n0=0, n1=1, n2=2, n3=3, n4=4, n5=5, n6=6, ... 13 more)",
    ]


def test_two_configs_are_equal_only_if_they_are_the_same_object():
    one, other = Config(a=1), Config(a=1)
    assert (one == one, one == other, len({one, other})) == (True, False, 2)


@pytest.mark.parametrize("again", [copy.copy, lambda cfg: pickle.loads(pickle.dumps(cfg))])
def test_a_copy_and_an_unpickled_config_are_others_with_the_same_attributes(again):
    cfg = Narrow("narrow", names=("a",))
    cfg.extra = 1
    made = again(cfg)
    assert (type(made), vars(made), made is cfg) == (Narrow, vars(cfg), False)
    made.width = 1
    assert cfg.width == 80


def test_a_deep_copy_copies_what_the_attributes_hold():
    cfg = Config(items=[1])
    cfg.me = cfg
    made = copy.deepcopy(cfg)
    made.items.append(2)
    assert (cfg.items, made.items, made.me is made) == ([1], [1, 2], True)


# --- its class --------------------------------------------------------------------------------------------------------

SPECIAL = ("__init__", "__setattr__", "__delattr__", "__getattr__", "__getattribute__", "__init_subclass__", "__eq__")
CODE = {
    "a method": ("total", lambda cfg: 1),
    "a property": ("total", property(lambda cfg: 1)),
    "a class method": ("total", classmethod(lambda cls: 1)),
    "a static method": ("total", staticmethod(lambda: 1)),
    "a cached property": ("total", functools.cached_property(lambda cfg: 1)),
    "a built-in as a special method": ("__getattr__", print),
    **{name: (name, lambda *arguments: 1) for name in SPECIAL},
}


def making(bases=(Config,), metaclass=type, **body):
    return metaclass("Made", bases, body)


@pytest.mark.parametrize("what", CODE)
def test_code_in_a_class_is_refused_when_the_class_is_made(what):
    name, value = CODE[what]
    with pytest.raises(TypeError) as error:
        making(**{name: value})
    told = str(error.value)
    assert told.startswith(f"{name!r} of Made is <")
    assert told.endswith(
        ": a Config has values and no code, because CPython reports no change of what code computes; make it a "
        "function that takes the config, or give it to the instance by keyword"
    )


class Meta(type):
    pass


class Plain:
    pass


OTHERS = {
    "slots": (lambda: making(__slots__=("a",)), "Made has __slots__, .*: leave them out"),
    "a metaclass": (lambda: making(metaclass=Meta), "Made has the metaclass Meta, .*: use none"),
    "a base": (lambda: making((Config, Plain)), "Made inherits from <class Plain>, .*: inherit only from"),
    "a default that all instances would share": (
        lambda: making(items=[]), "the default of 'items' of Made is <list of 0 items>, .*: leave the default out",
    ),
    "a setting of an attribute": (lambda: setattr(Limits, "scale", property(len)), "immutable type '.*Limits'"),
    "one of Config": (lambda: setattr(Config, "scale", property(len)), "immutable type '.*Config'"),
    "other bases": (lambda: setattr(Narrow, "__bases__", (Config,)), "immutable type '.*Narrow'"),
}  # fmt: skip


@pytest.mark.parametrize("what", OTHERS)
def test_a_class_cannot_get_what_computes_attributes_in_another_way(what):
    act, told = OTHERS[what]
    with pytest.raises(TypeError, match=told):
        act()


def test_annotations_may_depend_on_a_condition():
    class Conditional(Config):
        if depwatch:
            rate: int = 1

    assert items(Conditional()) == {"rate": 1}


def test_a_class_has_the_defaults_no_more_and_its_annotations_still():
    assert "scale" not in vars(Limits)
    assert typing.get_type_hints(Narrow, localns={"Undefined": int})["rate"] is int


# --- what relies on it ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [Config, Narrow])
def test_code_that_read_an_attribute_stops_when_it_changes_and_resumes(cls, log):
    cfg = cls("limits", scale=2.0)
    recorder = depwatch.Recorder("reader")
    assert recorder.read_attr(cfg, "scale") == 2.0
    handle = log.commit(recorder)
    cfg.scale = 3.0
    assert (log.drained(), set(depwatch.dependents(cfg, "scale"))) == ([("invalidated", "reader")], {handle.id})
    told = depwatch.explain(handle).splitlines()[1]
    assert told.startswith("  'scale' in module limits: 2.0 -> 3.0, changed at ")
    del cfg.scale
    cfg.scale = 2.0
    assert (log.drained(), handle.valid) == ([("resumed", "reader")], True)
    assert set(depwatch.invalidate([cfg], "by hand")) == {handle.id}


def test_one_verb_reads_what_it_has_and_what_it_lacks(cfg):
    recorder = depwatch.Recorder("reader")
    found = recorder.read(cfg, "scale"), recorder.read(cfg, "rate", default=None), depwatch.look(cfg, "scale")
    handle = recorder.commit()
    cfg.rate = 1
    broken = handle.broken
    del cfg.rate
    depwatch.drain()
    assert (found, broken, handle.broken) == ((2.0, None, 2.0), 1, 0)


def test_a_config_that_gets_another_class_retires_what_relied_on_it(cfg, log):
    recorder = depwatch.Recorder("reader")
    recorder.read_attr(cfg, "scale")
    handle = log.commit(recorder)
    cfg.__class__ = type("Other", (types.ModuleType,), {"scale": property(lambda module: 3.0)})
    assert (log.drained(), handle.valid) == ([("retired", "reader")], False)


@pytest.mark.parametrize("cls", [Config, Narrow])
def test_cells_of_an_attribute_follow_it(cls):
    cfg = cls(scale=2.0)
    recorder = depwatch.Recorder("cells")
    cell, guard = recorder.value_cell(cfg, "scale", "f64"), recorder.guard_cell(cfg, "scale")
    handle = recorder.commit()
    seen = []
    for value in (3.0, 2.0):
        cfg.scale = value
        seen.append((f64_at(cell.address), guard.holds, handle.valid))
    assert seen == [(3.0, False, True), (2.0, True, True)]


def test_a_listener_is_told_of_each_attribute_that_it_asked_for(cfg, log):
    subscription = depwatch.subscribe(log.event, cfg, "scale", "rate")
    cfg.scale = 3.0
    cfg.rate = 1
    cfg.other = 1
    assert log.drained() == [("MODIFIED", "scale", 2.0, 3.0), ("ADDED", "rate", depwatch.UNKNOWN, 1)]
    subscription.cancel()


def test_what_reads_a_config_is_discovered_and_assumed(cfg):
    names = {"cfg": cfg}
    exec("def area(x): return x * cfg.scale", names)
    found = depwatch.discover(names["area"], argument_types=(float,))
    reads = [(read.kind, read.owner, read.name, read.value) for read in found.reads if read.kind == "module"]
    assert (reads, found.refused, [each for each in found.opaque if each.kind == "world"]) == (
        [("module", cfg, "scale", 2.0)],
        (),
        [],
    )
    assumed = depwatch.assume(names["area"], argument_types=(float,))
    cfg.scale = 3.0
    assert not assumed.valid
    cfg.scale = 2.0
    assert assumed.valid


@pytest.mark.skipif(sys.version_info >= NO_NUMBA, reason="numba has no release for this CPython")
@pytest.mark.parametrize("cls", [Config, Narrow])
def test_numba_compiles_what_an_attribute_is_and_follows_it(cls):
    from depwatch.integrations.numba import njit

    names = {"cfg": cls(scale=2.0, width=3)}
    exec("def area(x): return x * cfg.scale * cfg.width", names)
    compiled, cfg = njit(names["area"]), names["cfg"]
    results = [compiled(1.0)]
    for name, value in (("scale", 3.0), ("width", 4), ("scale", 2), ("width", 3)):
        setattr(cfg, name, value)
        results.append(compiled(1.0))
    assert results == [6.0, 9.0, 12.0, 8.0, 6.0]
