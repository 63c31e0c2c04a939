"""Config: an object whose attributes code may rely on."""

import copy
import gc
import pickle
import types
import typing
import weakref

import pytest

import depwatch
from support import without_automatic_drain


class Model(depwatch.Config):
    scale: float
    depth: int = 3


class Named(Model):
    name: "typing.Unknown" = "x"  # no annotation is evaluated


@pytest.mark.parametrize("config", [depwatch.Config(scale=2.0), Model(scale=2.0)], ids=["plain", "declared"])
@without_automatic_drain
def test_a_read_relies_on_the_attribute_and_on_nothing_else(log, config):
    recorder = depwatch.Recorder("own")
    assert recorder.read(config, "scale") == 2.0
    handle = log.commit(recorder)
    assert [each.name for each in handle.assumptions if each.name] == ["scale"]
    config.depth = 4
    assert handle.valid
    config.scale = 3.0
    assert handle.broken == 1
    setattr(config, "scale", 2.0)  # noqa: B010
    depwatch.drain()
    assert (handle.valid, log.drained()) == (True, [])
    del config.scale
    assert (handle.broken, log.drained()) == (1, [("invalidated", "own")])
    config.scale = 2.0


@pytest.mark.parametrize("make", [depwatch.Config, Model], ids=["plain", "declared"])
@without_automatic_drain
def test_cells_listeners_and_questions_work_as_for_a_module(log, make):
    config = make(scale=1.5)
    recorder = depwatch.Recorder("own")
    cell, guard = recorder.value_cell(config, "scale", "f64"), recorder.guard_cell(config, "scale")
    recorder.read(config, "scale")
    handle = log.commit(recorder)
    subscription = depwatch.subscribe(log.event, config, "scale")
    assert list(depwatch.dependents(config, "scale")) == list(depwatch.dependents(config)) == [handle.id]
    config.scale = 2.5
    assert (cell.value, guard.holds, depwatch.look(config, "scale")) == (2.5, False, 2.5)
    assert f"'scale' in module {make.__qualname__}: 1.5 -> 2.5" in depwatch.explain(handle)
    assert list(depwatch.invalidate([config], "enough")) == [handle.id]
    assert sorted(log.drained(), key=str) == [
        ("MODIFIED", "scale", 1.5, 2.5), ("invalidated", "own"), ("retired", "own")
    ]  # fmt: skip
    subscription.cancel()


def test_discovery_finds_what_is_read_of_a_config():
    config = Model(scale=1.0)
    function = types.FunctionType((lambda: config_.scale * config_.depth).__code__, {"config_": config})  # noqa: F821
    found = depwatch.discover(function)
    assert [(read.kind, read.name, read.value) for read in found.reads[3:]] == [
        ("module", "scale", 1.0), ("module", "depth", 3)
    ]  # fmt: skip
    assert [each for each in found.opaque if each.kind == "world"] == []


def test_an_instance_gets_the_declared_defaults_and_what_is_given():
    assert repr(Named(scale=1)) == "Named(depth=3, name='x', scale=1)"
    assert repr(Named(scale=1, depth=2, name=None)) == "Named(depth=2, name=None, scale=1)"
    assert repr(depwatch.Config(a=1)) == "Config(a=1)"
    assert (Model(scale=1) == Model(scale=1), isinstance(Model(scale=1), types.ModuleType)) == (False, True)
    first, second = Model(scale=1), Model(scale=2)
    first.depth = 9
    assert second.depth == 3


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Model(), r"^Model\(\) needs 'scale'$"),
        (lambda: Named(depth=3), r"^Named\(\) needs 'scale'$"),
        (lambda: Model(scale=1, depht=2, x=3), r"^Model\(\) does not declare 'depht', 'x'$"),
        (lambda: depwatch.Config(__name__="x"), r"^Config\(\) cannot have '__name__'$"),
    ],
)
def test_names_that_are_missing_or_not_declared_are_refused(make, message):
    with pytest.raises(TypeError, match=message):
        make()


class Computes:
    def __get__(self, instance, owner):
        return 1


REFUSED = {
    "a method": {"f": lambda self: 1}, "a property": {"f": property(lambda self: 1)},
    "a static method": {"f": staticmethod(len)}, "a class method": {"f": classmethod(len)},
    "a descriptor": {"f": Computes()}, "__getattr__": {"__getattr__": lambda self, name: 1},
    "__setattr__": {"__setattr__": len}, "__init__": {"__init__": lambda self: None}, "slots": {"__slots__": ("a",)},
    "a special name": {"__call__": 1},
}  # fmt: skip


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_what_could_compute_a_value_is_refused_when_the_class_is_made(body):
    (name,) = body
    with pytest.raises(TypeError, match=f"^Sub has '{name}'.* CPython does not report; declare values only"):
        type("Sub", (depwatch.Config,), body)


def test_a_class_that_is_made_cannot_be_changed():
    for cls in (depwatch.Config, Model, Named):
        for change in (
            lambda cls=cls: setattr(cls, "scale", property(lambda self: 1)),
            lambda cls=cls: setattr(cls, "__getattr__", lambda self, name: 1),
            lambda cls=cls: delattr(cls, "__doc__"),
            lambda cls=cls: setattr(cls, "__bases__", (types.ModuleType,)),
        ):
            with pytest.raises(TypeError):
                change()
    assert not hasattr(Model, "depth")


@without_automatic_drain
def test_another_class_of_the_instance_retires(log):
    config = Model(scale=1.0)
    recorder = depwatch.Recorder("own")
    recorder.read(config, "scale")
    handle = log.commit(recorder)
    config.__class__ = type("Computing", (types.ModuleType,), {"scale": property(lambda self: 5.0)})
    assert (config.scale, handle.retired, log.drained()) == (5.0, True, [("retired", "own")])


def test_the_dict_of_an_instance_cannot_be_exchanged():
    with pytest.raises((AttributeError, TypeError)):
        depwatch.Config(a=1).__dict__ = {}


def test_copies_and_what_was_pickled_are_others_with_the_same_values():
    config = Named(scale=[1])
    config.more = 2
    for made in (copy.copy(config), copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert (repr(made), made is config) == ("Named(depth=3, name='x', scale=[1], more=2)", False)
    assert copy.copy(config).scale is config.scale
    assert copy.deepcopy(config).scale is not config.scale


def test_a_class_lives_no_longer_than_the_program_has_it():
    made = type("Made", (depwatch.Config,), {"x": 1})
    assert made().x == 1
    dead = weakref.ref(made)
    del made
    gc.collect()
    assert dead() is None


def test_a_static_checker_sees_the_declared_names_as_those_of_a_dataclass():
    assert depwatch.Config.__dataclass_transform__["kw_only_default"] is True
