#include "facet/kept.h"

#include <stdlib.h>
#include <string.h>

AddressMap kept_values = {.slots = address_map_nothing};
Kept *kept_first, *kept_free;
const PyObject *kept_dying;
bool kept_any_lost;

/* The unused end of the last block: items are handed out one after the other, so memory that is never needed is not touched. */
static Kept *fresh, *fresh_end;
static uint32_t capacity;

bool kept_reserve(uint32_t n)
{
    if (n <= capacity)
        return true;
    uint32_t more = n > 2 * capacity ? n - capacity : capacity;
    if (!address_map_reserve(&kept_values, capacity + more))
        return false;
    Kept *items = malloc(more * sizeof *items); /* never freed */
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

/* Whether depwatch may take no reference to the value, because its methods count the references. Arrays and other owners of
 * memory (a memoryview, an mmap) do: ndarray.resize refuses if there is another reference or a weak reference, a bytearray
 * cannot be resized while a memoryview of it lives, torch.utils.swap_tensors refuses if there is a weak reference. */
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
    address_map_put(&kept_values, value, kept); /* kept_reserve() made room in the map for each item */
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

/* Takes the reference off the list and returns it to the caller; NULL: there was none. */
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

/* Takes the value out of the map, so that the users of the Kept find NULL. Returns the reference, or NULL: there was none. */
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

/* Drops a reference that is not the last. Unlike Py_DECREF it contains no call of a destructor. */
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
    drop_not_last(take_value(kept)); /* not the last: the container still has one */
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
