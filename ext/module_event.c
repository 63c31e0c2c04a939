#include "event.h"

#include <string.h>

#include "telling.h"

/* Attributes of this module may come from its new class. Whether they do is not known before the assignment is made. */
static void class_event(PyObject *module)
{
    const Object *dict = object_of(PyModule_GetDict(module));
    for (uint32_t id = dict == NULL ? NO_ID : dict->first_facet; id != NO_ID; id = facet_at(id)->next_of_owner) {
        Facet *facet = facet_at(id);
        if (facet->kind != FACET_KEY || facet->dead)
            continue;
        bool relied_on = facet->recorded != NULL || facet->cells != NULL;
        service.events++;
        facet->changes++;
        facet_is_abandoned(facet, CAUSE_CLASS);
        if (relied_on)
            queue_detail(id, dict->id, CHANGE_CLASS, true, NULL, NULL, NULL);
    }
}

static bool is_class_name(PyObject *name)
{
    static const char class_name[] = "__class__";
    return PyUnicode_CheckExact(name) && PyUnicode_IS_COMPACT_ASCII(name) &&
           PyUnicode_GET_LENGTH(name) == sizeof class_name - 1 &&
           memcmp(PyUnicode_DATA(name), class_name, sizeof class_name - 1) == 0;
}

PyInterpreterState *audited;
uint64_t classes_assigned;

int on_audit_event(const char *event, PyObject *arguments, void *Py_UNUSED(unused))
{
    if (strcmp(event, "object.__setattr__") != 0 || PyTuple_GET_SIZE(arguments) != 3)
        return 0;
    if (!is_class_name(PyTuple_GET_ITEM(arguments, 1)) || PyInterpreterState_Get() != audited)
        return 0;
    classes_assigned++;
    PyObject *module = PyTuple_GET_ITEM(arguments, 0);
    if (PyModule_Check(module))
        class_event(module);
    return 0;
}
