/* Which CPythons depwatch is built for. It reads parts of objects that CPython moves and renames from release to release (frames,
 * tables of subclasses, the digits of an int), and relies on when watchers are called: docs/host-contract.md, tests/host.
 */
#ifndef DW_CPYTHON_H
#define DW_CPYTHON_H

#if !defined(DEPWATCH_UNKNOWN_CPYTHON)
#if defined(PYPY_VERSION) || defined(GRAALVM_PYTHON)
#error "depwatch needs CPython: another Python has no watchers. Run the program with CPython 3.12 to 3.15."
#elif PY_VERSION_HEX < 0x030c0000
#error "depwatch needs CPython 3.12 or later: older ones do not report changes of dicts, classes and functions."
#elif PY_VERSION_HEX >= 0x03100000
#error "depwatch knows CPython 3.12 to 3.15, not this later one. Get a newer depwatch, or use CPython 3.15. To try it all \
the same, build with CFLAGS=-DDEPWATCH_UNKNOWN_CPYTHON and run tests/host before anything relies on it."
#endif
#endif

#endif
