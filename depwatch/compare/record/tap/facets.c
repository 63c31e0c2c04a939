/* Objects and facets: which lie where, who depends on them, and the numbers of their values. */
#include "value.h"

#include <stdlib.h>
#include <string.h>

#define MOST_KNOWN 64u /* values of a facet that are told apart, those that it had last: in this order */

static void forget_known(Facet *facet, uint32_t at)
{
    if (facet->known[at].weakref != NULL)
        list_add(&tap.garbage, facet->known[at].weakref);
    if (facet->known[at].kept != NULL)
        list_add(&tap.garbage, facet->known[at].kept);
    memmove(&facet->known[at], &facet->known[at + 1], (--facet->n_known - at) * sizeof *facet->known);
}

/* The facet has it now. */
static Known *move_to_end(Facet *facet, uint32_t at)
{
    Known *last = &facet->known[facet->n_known - 1], moved = facet->known[at];
    memmove(&facet->known[at], &facet->known[at + 1], (facet->n_known - 1 - at) * sizeof *facet->known);
    *last = moved;
    return last;
}

/* --- objects ---------------------------------------------------------------------------------------------------------- */

Object *object_new(ObjectKind kind, PyObject *thing)
{
    static uint32_t next_number;
    Object *object = calloc(1, sizeof *object);
    if (object == NULL)
        return NULL;
    object->number = next_number++;
    object->kind = (uint8_t)kind;
    object->address = thing;
    if (kind == OBJECT_TYPE) {
        object->type = (PyTypeObject *)thing;
        object->address = PyType_GetDict(object->type);
        Py_DECREF(object->address); /* the type has it */
    }
    object->next = tap.objects;
    object->link = &tap.objects;
    if (object->next != NULL)
        object->next->link = &object->next;
    tap.objects = object;
    return object;
}

static bool grow_places(Object *object)
{
    uint32_t n = object->n_slots == 0 ? 8 : 2 * object->n_slots;
    Place **places = calloc(n, sizeof *places);
    if (places == NULL)
        return false;
    for (uint32_t i = 0; i < object->n_slots; i++) {
        if (object->places[i] == NULL)
            continue;
        uint32_t at = (uint32_t)PyObject_Hash(object->places[i]->name) & (n - 1);
        while (places[at] != NULL)
            at = (at + 1) & (n - 1);
        places[at] = object->places[i];
    }
    free(object->places);
    object->places = places;
    object->n_slots = n;
    return true;
}

Place *object_find(const Object *object, PyObject *name)
{
    if (object->n_slots == 0)
        return NULL;
    uint32_t mask = object->n_slots - 1, at = (uint32_t)PyObject_Hash(name) & mask;
    for (; object->places[at] != NULL; at = (at + 1) & mask)
        if (object->places[at]->name == name || PyUnicode_Compare(object->places[at]->name, name) == 0)
            return object->places[at];
    return NULL;
}

static Place *add_place(Object *object, PyObject *name)
{
    if (2 * (object->n_places + 1) > object->n_slots && !grow_places(object))
        return NULL;
    Place *place = calloc(1, sizeof *place);
    if (place == NULL)
        return NULL;
    place->name = Py_NewRef(name);
    uint32_t mask = object->n_slots - 1, at = (uint32_t)PyObject_Hash(name) & mask;
    while (object->places[at] != NULL)
        at = (at + 1) & mask;
    object->places[at] = place;
    object->n_places++;
    return place;
}

bool facet_lies_in(Facet *facet, Object *object)
{
    Place *place = object_find(object, facet->name);
    if (place == NULL && (place = add_place(object, facet->name)) == NULL)
        return false;
    for (uint32_t i = 0; i < place->facets.n; i++)
        if (place->facets.items[i] == facet)
            return true;
    return list_add(&facet->objects, object) && list_add(&place->facets, facet);
}

static void free_facet(Facet *facet)
{
    for (uint32_t i = 0; i < facet->objects.n; i++) {
        Place *place = object_find(facet->objects.items[i], facet->name);
        if (place != NULL)
            list_remove(&place->facets, facet);
    }
    for (uint32_t i = 0; i < facet->functions.n; i++)
        list_remove(&((Function *)facet->functions.items[i])->facets, facet);
    while (facet->n_known != 0)
        forget_known(facet, facet->n_known - 1);
    if (facet->has_left)
        list_remove(&tap.left, facet);
    if (facet->has_arrived)
        list_remove(&tap.arrived, facet);
    list_add(&tap.garbage, facet->name);
    free(facet->objects.items);
    free(facet->functions.items);
    free(facet->known);
    free(facet);
}

static void free_place(Object *object, Place *place)
{
    while (place->facets.n != 0) {
        Facet *facet = place->facets.items[place->facets.n - 1];
        list_remove(&place->facets, facet);
        list_remove(&facet->objects, object);
        if (facet->owner == object)
            free_facet(facet);
    }
    list_add(&tap.garbage, place->name);
    free(place->facets.items);
    free(place);
}

void object_bury(Object *object)
{
    for (uint32_t i = 0; i < object->functions.n; i++)
        list_remove(&((Function *)object->functions.items[i])->objects, object);
    for (uint32_t i = 0; i < object->n_slots; i++)
        if (object->places[i] != NULL)
            free_place(object, object->places[i]);
    for (int i = 0; i < 3; i++)
        if (object->parts[i].name != NULL)
            list_add(&tap.garbage, object->parts[i].name);
    windows_forget(object);
    *object->link = object->next;
    if (object->next != NULL)
        object->next->link = object->link;
    free(object->places);
    free(object->functions.items);
    free(object->busy.items);
    free(object->then);
    free(object);
}

/* --- who depends on what ---------------------------------------------------------------------------------------------- */

void function_forget(Function *function)
{
    for (uint32_t i = 0; i < function->objects.n; i++)
        list_remove(&((Object *)function->objects.items[i])->functions, function);
    for (uint32_t i = 0; i < function->facets.n; i++)
        list_remove(&((Facet *)function->facets.items[i])->functions, function);
    free(function->objects.items);
    free(function->facets.items);
    function->objects = function->facets = (List){NULL, 0, 0};
}

static bool has(const List *list, const void *item)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (list->items[i] == item)
            return true;
    return false;
}

/* What it depended on before it may go on to, as some policy has it compiled so. */
void function_depends(Function *function, Facet **facets, uint32_t n_facets, Object **objects, uint32_t n_objects)
{
    for (uint32_t i = 0; i < n_facets; i++)
        if (!has(&function->facets, facets[i]) && list_add(&function->facets, facets[i]) &&
            !list_add(&facets[i]->functions, function))
            function->facets.n--;
    for (uint32_t i = 0; i < n_objects; i++)
        if (!has(&function->objects, objects[i]) && list_add(&function->objects, objects[i]) &&
            !list_add(&objects[i]->functions, function))
            function->objects.n--;
}

/* --- facets and the numbers of their values --------------------------------------------------------------------------- */

Facet *facet_new(FacetKind kind, Object *owner, PyObject *name)
{
    static uint32_t next_number;
    Facet *facet = calloc(1, sizeof *facet);
    if (facet == NULL)
        return NULL;
    facet->number = next_number++;
    facet->kind = (uint8_t)kind;
    facet->owner = owner;
    facet->name = Py_NewRef(name);
    facet->number_now = MISSING;
    return facet;
}

/* An address means the object that was seen there as long as that one lives. */
static bool is_gone(const Known *known)
{
    return known->weakref != NULL && ((PyWeakReference *)known->weakref)->wr_object == Py_None;
}

static void look_at_later(Facet *facet)
{
    if (!facet->has_left)
        facet->has_left = list_add(&tap.left, facet);
}

static Known *find_known(Facet *facet, const Identity *identity)
{
    for (uint32_t i = facet->n_known; i-- > 0;) {
        if (!identities_are_same(&facet->known[i].identity, identity))
            continue;
        if (!is_gone(&facet->known[i]))
            return move_to_end(facet, i);
        facet->known[i].identity.type = NULL;
        look_at_later(facet);
    }
    return NULL;
}

static Known *add_known(Facet *facet, const Identity *identity)
{
    if (facet->n_known == MOST_KNOWN)
        forget_known(facet, 0);
    if (facet->n_known == facet->known_capacity) {
        uint32_t capacity = facet->known_capacity == 0 ? 2 : 2 * facet->known_capacity;
        Known *known = realloc(facet->known, capacity * sizeof *known);
        if (known == NULL)
            return NULL;
        facet->known = known;
        facet->known_capacity = capacity;
    }
    Known *known = &facet->known[facet->n_known++];
    *known = (Known){*identity, NULL, NULL, facet->next_number++};
    return known;
}

int32_t facet_number(Facet *facet)
{
    if (facet->number_now == UNNUMBERED) {
        Known *known = find_known(facet, &facet->now);
        if (known == NULL)
            known = add_known(facet, &facet->now);
        facet->number_now = known == NULL ? UNKNOWN : known->number;
    }
    return facet->number_now;
}

const Object *facets_dropped_by;

static bool is_in(PyObject *dict, const PyObject *value)
{
    Py_ssize_t position = 0;
    PyObject *each;
    while (PyDict_Next(dict, &position, NULL, &each))
        if (each == value)
            return true;
    return false;
}

static bool is_part(PyObject *of, const PyObject *value)
{
    const PyFunctionObject *function = (PyFunctionObject *)of;
    return value == function->func_code || value == function->func_defaults || value == function->func_kwdefaults;
}

/* Whether the event drops the last reference to the value that the facet has. What handles of the program's own keep, depwatch
 * has let go of then; so one reference, the container's, is the last; of an attribute of a class CPython may have another. */
static bool is_last(const Facet *facet, const Known *known)
{
    const Object *by = facets_dropped_by;
    PyObject *value = (PyObject *)(uintptr_t)facet->now.bits;
    if (by == NULL) /* it was hidden, or is a dict of keyword defaults that changes: not dropped */
        return facet->kind == FACET_FUNCTION ? !is_part(facet->owner->address, value) : !facet_is_along(facet, value);
    bool is_there = by->kind == OBJECT_FUNCTION ? is_part(by->address, value) : is_in(by->address, value);
    return !is_there || Py_REFCNT(value) - (known->kept != NULL) <= 1 + (by->kind == OBJECT_TYPE);
}

/* Another value comes in its place. It may come back, and no other object at its address is to be taken for it: there is a weak
 * reference to it, or, where its type has none, it is kept until the program has no other reference to it. */
static void leave_value(Facet *facet)
{
    if (!facet->now.by_address || facet->number_now == UNNUMBERED)
        return;
    for (uint32_t i = facet->n_known; i-- > 0;) {
        Known *known = &facet->known[i];
        if (known->number != facet->number_now || known->identity.type == NULL)
            continue;
        look_at_later(facet);
        if (known->weakref != NULL)
            return;
        PyObject *value = (PyObject *)(uintptr_t)facet->now.bits;
        if (is_last(facet, known) || PyType_SUPPORTS_WEAKREFS(Py_TYPE(value))) /* in this order: else it may be gone */
            known->identity.type = NULL;
        else if (known->kept == NULL)
            known->kept = Py_NewRef(value);
        return;
    }
}

/* It cannot come back: code that waits for it waits no more. */
static void write_lost(const Facet *facet, const Known *known)
{
    if (facet->functions.n == 0)
        return;
    Row *row = journal_row(ROW_LOST, journal_time());
    row->facet = facet->number;
    row->value = known->number;
    row->flags = FLAG_VALUE;
    journal_add();
}

static bool look_for_lost(Facet *facet)
{
    bool any = false;
    for (uint32_t i = facet->n_known; i-- > 0;) {
        Known *known = &facet->known[i];
        bool is_back = known->number == facet->number_now && known->identity.type != NULL;
        if (is_back) {
            if (known->kept != NULL)
                list_add(&tap.garbage, known->kept);
            known->kept = NULL;
        } else if (known->identity.type == NULL || is_gone(known) || (known->kept != NULL && Py_REFCNT(known->kept) == 1)) {
            write_lost(facet, known);
            forget_known(facet, i);
        } else {
            any |= known->weakref != NULL || known->kept != NULL;
        }
    }
    return any;
}

void facets_look_for_lost(void)
{
    for (uint32_t i = tap.left.n; i-- > 0;) {
        Facet *facet = tap.left.items[i];
        if (look_for_lost(facet))
            continue;
        facet->has_left = false;
        list_remove(&tap.left, facet);
    }
}

bool facet_becomes(Facet *facet, PyObject *provider, PyObject *value)
{
    Identity identity = identity_of(value);
    facet->provider = provider;
    if (facet->number_now != MISSING && facet->number_now != UNKNOWN && identities_are_same(&identity, &facet->now))
        return true;
    leave_value(facet);
    facet->now = identity;
    facet->number_now = UNNUMBERED;
    return false;
}

bool facet_becomes_nothing(Facet *facet, int32_t number)
{
    bool same = facet->number_now == number && number == MISSING;
    leave_value(facet);
    facet->provider = NULL;
    facet->now = (Identity){0, NULL, false};
    facet->number_now = number;
    return same;
}

/* The value now (borrowed), or NULL. At a safe point. */
static PyObject *look_up(const Facet *facet)
{
    PyObject *provider, *value = NULL;
    if (facet->owner->dead)
        return NULL;
    if (facet->kind != FACET_FUNCTION)
        return facet_find(facet, NULL, false, &provider, &value) > 0 ? value : NULL;
    const PyFunctionObject *function = (PyFunctionObject *)facet->owner->address;
    value = PyUnicode_CompareWithASCIIString(facet->name, "code") == 0       ? function->func_code
            : PyUnicode_CompareWithASCIIString(facet->name, "defaults") == 0 ? function->func_defaults
                                                                             : function->func_kwdefaults;
    return value == NULL ? Py_None : value;
}

void facet_arrives(Facet *facet)
{
    if (facet->now.by_address && !facet->has_arrived)
        facet->has_arrived = list_add(&tap.arrived, facet);
}

void facets_see_arrived(void)
{
    while (tap.arrived.n != 0) {
        Facet *facet = tap.arrived.items[--tap.arrived.n];
        facet->has_arrived = false;
        PyObject *value = facet->now.by_address ? look_up(facet) : NULL;
        if (value != NULL && (uintptr_t)value == (uintptr_t)facet->now.bits)
            facet_sees(facet, value);
    }
}

/* At a safe point: what a later value is compared with may be kept weakly. */
int32_t facet_sees(Facet *facet, PyObject *value)
{
    PyObject *provider = facet->provider;
    if (value == NULL) {
        facet_becomes_nothing(facet, MISSING);
        return MISSING;
    }
    facet_becomes(facet, provider, value);
    int32_t number = facet_number(facet);
    Known *known = find_known(facet, &facet->now);
    if (known == NULL || !known->identity.by_address || known->weakref != NULL || shows_weakrefs(value) ||
        !PyType_SUPPORTS_WEAKREFS(Py_TYPE(value)))
        return number;
    PyObject *weakref = weakref_to(value);
    if (weakref == NULL)
        PyErr_Clear();
    known = find_known(facet, &facet->now); /* making it may have run the garbage collector */
    if (known != NULL && known->weakref == NULL)
        known->weakref = weakref;
    else if (weakref != NULL)
        list_add(&tap.garbage, weakref);
    return number;
}
