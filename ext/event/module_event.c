#include "event/event.h"

#include "event/telling.h"
#include "watch/text.h"

/* Whether ModuleType itself may compute the attribute, as it does __dict__ and __annotations__. It looks __getattr__ and
 * __path__ up in the module's dict: these are read where the absence of an attribute is assumed. */
static bool may_be_computed_by_module_type(PyObject *name)
{
    return PyUnicode_READ_CHAR(name, 0) == '_' && !IS_TEXT(name, "__getattr__") && !IS_TEXT(name, "__path__");
}

/* Gives up the facets of the module's dict, because its new class may compute the attributes of these names, and nothing says
 * which before the assignment is made. If the new class is ModuleType, the attributes come from the dict, and only names that
 * ModuleType computes are given up. */
void on_module_class(PyObject *module, const PyObject *class)
{
    bool plain = class == (PyObject *)&PyModule_Type;
    const Object *dict = object_of(PyModule_GetDict(module));
    for (uint32_t id = dict == NULL ? NO_ID : dict->first_facet; id != NO_ID; id = facet_at(id)->next_of_owner) {
        Facet *facet = facet_at(id);
        /* "__builtins__" is read as the key of a globals dict, never as an attribute: see naming.py. */
        if (facet->kind != FACET_KEY || facet->dead || IS_TEXT(rest_of(facet)->name, "__builtins__"))
            continue;
        if (plain && !may_be_computed_by_module_type(rest_of(facet)->name))
            continue;
        bool relied_on = facet->recorded != NULL || facet->cells != 0;
        facet->changes++;
        Timing timing = timing_begins(facet);
        facet_retires(id, CAUSE_CLASS);
        if (has_native_listeners(facet))
            call_facet_listeners(id, dict->id, DEPWATCH_CLASS, NULL, NULL, NULL);
        if (relied_on)
            queue_detail(id, dict->id, DEPWATCH_CLASS, true, NULL, NULL, NULL);
        timing_ends(timing);
    }
}
