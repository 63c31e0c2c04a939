/* Where a change of bases shows: the dict in which a base keeps its direct subclasses (type address -> weak reference).
 *
 * `C.__bases__ = ...` deletes C from the tables of its old bases when tp_mro of C and of its subclasses is already new,
 * needs no version tag, and cannot run out. tp_subclasses is internal to CPython, so it is checked once, on classes of
 * our own; where the check fails, attributes of types are unwatchable.
 */
#ifndef DW_SUBCLASSES_H
#define DW_SUBCLASSES_H

#include <Python.h>
#include <stdint.h>

/* Registers the MRO facet with its type, with every class that the type inherits from, and with their tables. */
int look_bases(uint32_t facet);

#endif
