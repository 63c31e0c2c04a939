/* What tells one value from another, as the core does: exact ints, floats and strs by their bits, all else by identity. The core
 * (ext/facet/values.h) compares two values that live; the recorder keeps none alive, so nothing is kept of a value here but a
 * number that cannot be turned back. Loads only: for watchers' callbacks.
 */
#ifndef DW_VALUE_H
#define DW_VALUE_H

#include "tap.h"

#include <string.h>

#if PY_VERSION_HEX < 0x030e0000
#define is_immortal(object) _Py_IsImmortal(object)
#else
#define is_immortal(object) PyUnstable_IsImmortal(object)
#endif

static inline uint64_t hash_bytes(const void *bytes, size_t n, uint64_t hash)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static inline uint64_t bits_of_int(PyObject *value)
{
    PyLongObject *number = (PyLongObject *)value;
    if (PyUnstable_Long_IsCompact(number))
        return (uint64_t)PyUnstable_Long_CompactValue(number);
    uintptr_t tag = number->long_value.lv_tag & ~(uintptr_t)4; /* bit 2 says nothing about the value */
    return hash_bytes(number->long_value.ob_digit, (tag >> 3) * sizeof(digit), tag | UINT64_C(1) << 63);
}

static inline Identity identity_of(PyObject *value)
{
    Identity identity = {0, Py_TYPE(value), false};
    if (PyLong_CheckExact(value))
        identity.bits = bits_of_int(value);
    else if (PyFloat_CheckExact(value))
        memcpy(&identity.bits, &((PyFloatObject *)value)->ob_fval, sizeof(double));
    else if (PyUnicode_CheckExact(value)) /* its hash is SipHash with a secret of the process, and kept in it */
        identity.bits = (uint64_t)PyObject_Hash(value) ^ (uint64_t)PyUnicode_GET_LENGTH(value) << 40;
    else {
        identity.bits = (uintptr_t)value;
        identity.by_address = !is_immortal(value);
    }
    return identity;
}

/* Arrays and tensors refuse to be resized, or swapped, with a weak reference to them: as depwatch, no more is kept of these. */
static inline bool shows_weakrefs(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    if (type->tp_as_buffer != NULL && type->tp_as_buffer->bf_getbuffer != NULL)
        return true;
    for (; type != NULL; type = type->tp_base)
        if (strncmp(type->tp_name, "torch._C.", 9) == 0)
            return true;
    return false;
}

static inline bool identities_are_same(const Identity *a, const Identity *b)
{
    return a->bits == b->bits && a->type == b->type;
}

#endif
