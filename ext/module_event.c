#include "event.h"

#include <string.h>

#include "telling.h"

static bool is_text(PyObject *name, const char *text, size_t length)
{
    return PyUnicode_CheckExact(name) && PyUnicode_IS_COMPACT_ASCII(name) &&
           PyUnicode_GET_LENGTH(name) == (Py_ssize_t)length && memcmp(PyUnicode_DATA(name), text, length) == 0;
}

#define IS(name, text) is_text(name, text, sizeof text - 1)

/* ModuleType itself computes some attributes: __dict__, __annotations__, ... */
static bool may_be_computed_by_module_type(PyObject *name) { return PyUnicode_READ_CHAR(name, 0) == '_'; }

/* Attributes of this module may come from its new class. Whether they do is not known before the assignment is made; but
 * with ModuleType itself they come from the dict. */
static void class_event(PyObject *module, const PyObject *class)
{
    bool plain = class == (PyObject *)&PyModule_Type;
    const Object *dict = object_of(PyModule_GetDict(module));
    for (uint32_t id = dict == NULL ? NO_ID : dict->first_facet; id != NO_ID; id = facet_at(id)->next_of_owner) {
        Facet *facet = facet_at(id);
        if (facet->kind != FACET_KEY || facet->dead || IS(facet->name, "__builtins__")) /* no attribute: see naming.py */
            continue;
        if (plain && !may_be_computed_by_module_type(facet->name))
            continue;
        bool relied_on = facet->recorded != NULL || facet->cells != NULL;
        service.events++;
        facet->changes++;
        facet_is_abandoned(facet, CAUSE_CLASS);
        if (has_native_listeners(facet))
            facet_listeners_hear(id, dict->id, CHANGE_CLASS, NULL, NULL, NULL);
        if (relied_on)
            queue_detail(id, dict->id, CHANGE_CLASS, true, NULL, NULL, NULL);
    }
}

PyInterpreterState *audited;
uint64_t classes_assigned;

int on_audit_event(const char *event, PyObject *arguments, void *Py_UNUSED(unused))
{
    if (strcmp(event, "object.__setattr__") != 0 || PyTuple_GET_SIZE(arguments) != 3)
        return 0;
    if (!IS(PyTuple_GET_ITEM(arguments, 1), "__class__") || PyInterpreterState_Get() != audited)
        return 0;
    classes_assigned++;
    PyObject *module = PyTuple_GET_ITEM(arguments, 0);
    if (PyModule_Check(module))
        class_event(module, PyTuple_GET_ITEM(arguments, 2));
    return 0;
}
