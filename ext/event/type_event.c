#include "event/type_event.h"

#include "event/death.h"
#include "event/event.h"
#include "event/telling.h"
#include "facet/assigned_bases.h"
#include "facet/bases.h"

/* Whether the facet's value is in the type's own dict. A look-up finds it there first, whatever bases the MRO has behind the
 * type. */
static bool is_own(const Facet *facet, const PyTypeObject *type)
{
    return facet->kind == FACET_ATTRIBUTE && facet->known && facet->provider != NO_ID &&
           object_at(facet->provider)->address == type->tp_dict && type->tp_mro != NULL &&
           PyTuple_GET_ITEM(type->tp_mro, 0) == (const PyObject *)type;
}

/* The MRO of the facet's type was replaced. */
static void mro_event(Facet *facet, const Object *type)
{
    if (facet->kind == FACET_EXISTENCE || is_own(facet, (PyTypeObject *)type->address))
        return;
    if (facet->kind == FACET_ANY)
        whole_event(facet->id, type->id, DEPWATCH_MRO, NULL, NULL);
    Happening before = event_begins(facet);
    facet_becomes_unknown(facet->id); /* ANY and MRO facets, too: the drain must register them along the new MRO */
    if (facet->kind != FACET_ANY)
        event_ends(facet, before, type->id, DEPWATCH_MRO, NULL);
}

void check_mros(const Object *object)
{
    DependentsWalk walk;
    FOR_EACH_DEPENDENT(one, walk, &object->whole) {
        const Facet *facet = facet_at(one);
        Object *type = object_at(rest_of(facet)->owner);
        if (facet->dead || type->address == NULL)
            continue;
        PyObject *mro = ((PyTypeObject *)type->address)->tp_mro;
        if (mro == type->told_mro)
            continue; /* reported already: a class leaves each of its old bases, and each leaving is an event */
        type->told_mro = mro;
        for (uint32_t id = type->first_facet; id != NO_ID; id = facet_at(id)->next_of_owner)
            mro_event(facet_at(id), type);
    }
}

/* A type watcher reported a base of this type, so the type's MRO may be about to change. CPython reports the base before it
 * replaces the MROs of subclasses, and reports nothing more until the type has a version tag again; the drain assigns one. */
static void mro_may_change(const Object *type)
{
    for (uint32_t id = type->first_facet; id != NO_ID; id = facet_at(id)->next_of_owner) {
        Facet *facet = facet_at(id);
        if (facet->kind == FACET_EXISTENCE || is_own(facet, (PyTypeObject *)type->address))
            continue;
        if (facet->kind == FACET_ANY)
            whole_event(id, type->id, DEPWATCH_MRO, NULL, NULL);
        facet->changes++;
        facet_becomes_unknown(id);
    }
}

int on_type_event(PyTypeObject *type)
{
    const Object *object = object_of(type);
    if (object == NULL)
        return 0;
    DependentsWalk walk;
    FOR_EACH_DEPENDENT(id, walk, &object->whole) {
        const Facet *facet = facet_at(id);
        if (facet->kind == FACET_MRO && !facet->dead && object_at(rest_of(facet)->owner)->address != NULL)
            mro_may_change(object_at(rest_of(facet)->owner));
    }
    return 0;
}

/* --- assignments of bases, before they are made ------------------------------------------------------------------ */

static bool give_up(PyTypeObject *type)
{
    const Object *object = object_of(type);
    for (uint32_t id = object == NULL ? NO_ID : object->first_facet; id != NO_ID; id = facet_at(id)->next_of_owner)
        if (facet_at(id)->kind != FACET_EXISTENCE)
            give_up_event(id, object->id, DEPWATCH_MRO, CAUSE_BASES);
    return false; /* any_of_family() goes on with the next type */
}

/* Whether one of the type's bases has a watched table of subclasses: then an event will report when the type leaves it. */
static bool leaves_watched_table(const PyTypeObject *type)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(type->tp_bases); i++) {
        PyObject *table = known_table((PyTypeObject *)PyTuple_GET_ITEM(type->tp_bases, i));
        if (table != NULL && object_of(table) != NULL)
            return true;
    }
    return false;
}

/* `type.__bases__ = ...` is about to be made: the events of the watched tables will report the new MROs. But if bases of the
 * type were assigned earlier since the last drain, the MRO facets may not be registered with the tables of its present
 * bases. */
static void expect_mros(const Object *object, const PyTypeObject *type)
{
    bool known = true;
    DependentsWalk walk;
    FOR_EACH_DEPENDENT(id, walk, &object->whole) {
        const Facet *facet = facet_at(id);
        if (facet->kind != FACET_MRO || facet->dead)
            continue;
        object_at(rest_of(facet)->owner)->told_mro = NULL;
        known &= facet->known;
    }
    if (!known && !leaves_watched_table(type))
        check_mros(object); /* no later event will come, so the change is reported now, perhaps needlessly */
}

static void begin_assignment(PyTypeObject *type)
{
    if (service.shutting_down)
        return;
    struct _PyInterpreterFrame *frame = current_frame();
    PyObject *code = frame == NULL ? NULL : PyUnstable_InterpreterFrame_GetCode(frame);
    bool known = code != NULL && PyCode_Check(code); /* the frame at the bottom of a thread has no code object here */
    bases_begin(type, known ? code : NULL, known ? PyUnstable_InterpreterFrame_GetLasti(frame) : -1, PyThreadState_Get()->id);
}

void on_bases(PyTypeObject *type)
{
    const Object *object = object_of(type);
    if (bases_run_python(type)) {
        begin_assignment(type);
        (void)any_of_family(type, give_up);
    } else if (object != NULL && object->kind == OBJECT_TYPE && type->tp_bases != NULL) {
        expect_mros(object, type);
    }
}

void on_type_death(uint32_t id, PyObject *weakref)
{
    if (object_at(id)->weakref == weakref && object_at(id)->address != NULL)
        object_dies(id);
}
