"""What depwatch needs of numba that numba promises nobody: checked before anything else is imported."""

import importlib
import types
from collections.abc import Iterator
from typing import Any, Final

# By module and class; of a class also what its methods set or read.
NEEDED: Final = {
    "numba.core.base:BaseContext": ("_defns", "_registries", "insert_user_function"),
    "numba.core.bytecode:FunctionIdentity": ("_unique_ids",),
    "numba.core.caching:FunctionCache": ("_impl", "cache_path", "load_overload", "save_overload"),
    "numba.core.caching:CodeLibraryCacheImpl": ("_filename_prefix", "check_cachable"),
    "numba.core.caching:CompileResultCacheImpl": ("check_cachable", "filename_base", "locator"),
    "numba.core.ccallback:CFunc": ("_pyfunc",),
    "numba.core.codegen:CPUCodegen": ("_rtlinker",),
    "numba.core.codegen:CPUCodeLibrary": ("_disable_inspection", "_final_module", "_linking_libraries"),
    "numba.core.codegen:RuntimeLinker": ("_defined",),
    "numba.core.compiler:CompileResult": ("_rebuild", "_reduce"),
    "numba.core.compiler:CompilerBase": ("compile_extra", "define_pipelines"),
    "numba.core.compiler": ("run_frontend",),
    "numba.core.decorators": ("_jit", "jit", "njit"),
    "numba.core.dispatcher:Dispatcher": (
        "_cache",
        "_can_compile",
        "_clear",
        "_compiler",
        "_insert",
        "_rebuild",
        "_reduce_class",
        "_reduce_states",
        "add_overload",
        "compile",
        "enable_caching",
        "get_call_template",
        "is_compiling",
        "overloads",
    ),
    "numba.core.dispatcher:ObjModeLiftedWith": ("flags", "func_ir", "locals", "output_types"),
    "numba.core.dispatcher:_FunctionCompiler": ("_compile_core", "_failed_cache", "pipeline_class"),
    "numba.core.ir:FunctionIR": ("_definitions",),
    "numba.core.transforms": ("with_lifting",),
    "numba.core.types.abstract:Type": ("_code",),
    "numba.core.withcontexts:WithContext": (),
    "numba.core.inline_closurecall:InlineWorker": ("run_untyped_passes",),
    "numba.core.typing.context:BaseContext": (
        "_get_attribute_templates",
        "_globals",
        "_registries",
        "resolve_module_constants",
    ),
    "numba.core.typing.templates:_OverloadAttributeTemplate": ("_attr",),
    "numba.core.typing.templates:_IntrinsicTemplate": ("generic",),
    "numba.core.typing.templates:_OverloadFunctionTemplate": (
        "_get_impl",
        "_impl_cache",
        "_inline",
        "_overload_func",
    ),
    "numba.experimental.jitclass.base:JitClassType": ("class_type",),
    "numba.np.ufunc.dufunc:DUFunc": ("_dispatcher", "_frozen", "_initialize", "_keepalive", "_lower_me"),
    "numba.np.ufunc.gufunc:GUFunc": (),
    "numba.np.ufunc.ufuncbuilder:UFuncDispatcher": ("_compile_core",),
    "numba.stencils.stencil:StencilFunc": ("kernel_ir",),
}


def check_numba() -> None:
    """Raises ImportError if this numba lacks any of it."""
    if missing := [*_missing()]:
        import numba

        raise ImportError(
            f"numba {numba.__version__} lacks {', '.join(missing)}, which depwatch needs; use numba 0.68, or a later "
            "version that the extra depwatch[numba] allows"
        )


def _missing() -> Iterator[str]:
    for place, names in NEEDED.items():
        module_name, _, class_name = place.partition(":")
        try:
            owner: Any = importlib.import_module(module_name)
            owner = getattr(owner, class_name) if class_name else owner
        except (ImportError, AttributeError):
            yield place.replace(":", ".")
            continue
        yield from (f"{place.replace(':', '.')}.{name}" for name in names if not _has(owner, name))


def _has(owner: Any, name: str) -> bool:
    return hasattr(owner, name) or (isinstance(owner, type) and any(name in code.co_names for code in _methods(owner)))


def _methods(cls: type) -> Iterator[types.CodeType]:
    for base in cls.__mro__:
        for found in vars(base).values():
            if isinstance(found, types.FunctionType):
                yield found.__code__
