#include "facet/kept.h"

#include <stdlib.h>
#include <string.h>

AddressMap kept_values = {.slots = address_map_nothing};
Kept *kept_first, *kept_free;
const PyObject *kept_dying;
bool kept_any_lost;

/* Items are handed out one after the other: what was never needed is never touched. */
static Kept *fresh, *fresh_end;
static uint32_t capacity;

bool kept_reserve(uint32_t n)
{
    if (n <= capacity)
        return true;
    uint32_t more = n > 2 * capacity ? n - capacity : capacity;
    if (!address_map_reserve(&kept_values, capacity + more))
        return false;
    Kept *items = malloc(more * sizeof *items); /* for the life of the process */
    if (items == NULL)
        return false;
    for (; fresh != fresh_end; fresh++) {
        fresh->next = kept_free;
        kept_free = fresh;
    }
    fresh = items;
    fresh_end = items + more;
    capacity += more;
    return true;
}

/* Arrays and other owners of memory (a memoryview, an mmap) go by who else has them: ndarray.resize refuses with a reference or a
 * weak reference too many, a bytearray is not resized while a memoryview of it lives, torch.utils.swap_tensors refuses
 * with a weak reference. Nothing is ever kept of these. */
static bool is_never_kept(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    if (type->tp_as_buffer != NULL && type->tp_as_buffer->bf_getbuffer != NULL)
        return PyType_SUPPORTS_WEAKREFS(type); /* bytes, bytearray and numpy's scalars do not */
    for (; type != NULL; type = type->tp_base)
        if (type->tp_name[0] == 't' && strncmp(type->tp_name, "torch._C.", 9) == 0)
            return true;
    return false;
}

static Kept *enter(PyObject *value)
{
    Kept *kept = kept_free;
    if (kept != NULL)
        kept_free = kept->next;
    else if (fresh != fresh_end)
        kept = fresh++;
    else
        return NULL;
    *kept = (Kept){.value = value, .users = 1};
    address_map_put(&kept_values, value, kept); /* kept_reserve has made room for each item */
    return kept;
}

Kept *keep_anew(PyObject *value)
{
    Kept *kept = service.shutting_down || is_never_kept(value) ? NULL : enter(value);
    if (kept != NULL)
        kept_refer(kept);
    return kept;
}

Kept *keep_address(PyObject *function)
{
    Kept *kept = kept_of(function);
    if (kept == NULL)
        return service.shutting_down ? NULL : enter(function);
    kept->users++;
    return kept;
}

/* The reference leaves the list and is the caller's; NULL: there was none. */
static PyObject *take_reference(Kept *kept)
{
    if (kept->link == NULL)
        return NULL;
    *kept->link = kept->next;
    if (kept->next != NULL)
        kept->next->link = kept->link;
    kept->link = NULL;
    return kept->value;
}

/* The value leaves the map: those who have the item see that it is gone. */
static PyObject *take_value(Kept *kept)
{
    if (kept->value == NULL)
        return NULL;
    PyObject *owned = take_reference(kept);
    address_map_remove(&kept_values, kept->value);
    kept->value = NULL;
    return owned;
}

PyObject *kept_leave(Kept *kept)
{
    if (--kept->users != 0)
        return NULL;
    PyObject *owned = take_value(kept);
    kept->next = kept_free;
    kept_free = kept;
    return owned;
}

/* As Py_DECREF, which would also have to be able to call a destructor. */
static void drop_not_last(PyObject *owned)
{
    if (owned == NULL)
        return;
#ifdef Py_REF_DEBUG
    _Py_DECREF_DecRefTotal();
#endif
    Py_SET_REFCNT(owned, Py_REFCNT(owned) - 1);
}

void kept_let_go(Kept *kept)
{
    kept_any_lost = true;
    drop_not_last(take_value(kept)); /* the container has one */
}

void drop_items(PyObject *dict)
{
    Py_ssize_t position = 0;
    PyObject *value;
    if (kept_first == NULL)
        return;
    while (PyDict_Next(dict, &position, NULL, &value)) {
        Kept *kept = kept_of(value);
        if (kept != NULL)
            kept->here++;
    }
    for (position = 0; PyDict_Next(dict, &position, NULL, &value);) {
        Kept *kept = kept_of(value);
        if (kept == NULL || kept->here == 0)
            continue;
        Py_ssize_t here = kept->here;
        kept->here = 0;
        if (kept->link != NULL && Py_REFCNT(value) - 1 <= here)
            kept_let_go(kept);
    }
}

uint32_t kept_take_lonely(PyObject **owned, uint32_t n)
{
    uint32_t taken = 0;
    for (Kept *kept = kept_first, *next; kept != NULL && taken < n; kept = next) {
        next = kept->next;
        if (Py_REFCNT(kept->value) == 1)
            owned[taken++] = take_value(kept);
    }
    kept_any_lost |= taken != 0;
    return taken;
}
