#include "facet/bases.h"

#include "facet/facets.h"
#include "facet/assigned_bases.h"
#include "facet/static_tables.h"
#include "facet/stored_keys.h"
#include "watch/errors.h"
#include "watch/watch.h"

/* Returns 1 and a new reference to base's table of subclasses; 0 if base has no table with that key; -1 with MemoryError set.
 * The functions below that fill *table return the same. */
static int table_in_field(PyTypeObject *base, PyObject *key, PyObject **table)
{
    PyObject *found = (PyObject *)base->tp_subclasses;
    int shows = found != NULL && PyDict_CheckExact(found) ? PyDict_Contains(found, key) : 0;
    *table = shows == 1 ? Py_NewRef(found) : NULL;
    return shows;
}

static int register_table(uint32_t facet, uint32_t *n_registered, PyObject *table)
{
    uint32_t object = object_use(table);
    if (object == NO_ID)
        return -1;
    object_at(object)->subclasses_table = true;
    int result = facet_register(facet, (*n_registered)++, table);
    object_release(object);
    return result;
}

/* The last resort, where a static base's table cannot be found: a type watcher. It reports one change for each version tag of
 * a class, and a class gets at most 1000 of them. The table is not found if gc.freeze() has put it aside, in versions before
 * 3.13.3 (gh-131740). */
static int rely_on_type_watcher(PyTypeObject *type)
{
    Object *object = object_at(object_find(type));
    if (!object->type_watched && watch_type(type) < 0)
        return -1;
    object->type_watched = true;
    if (PyUnstable_Type_AssignVersionTag(type))
        return 0;
    PyErr_Format(Unwatchable_error,
                 "%.200s has used up its version tags (CPython gives a class 1000), so CPython would not report a change of "
                 "its bases; keep values that change so often out of the class",
                 type->tp_name);
    return -1;
}

static int register_base(uint32_t facet, uint32_t *n_registered, PyTypeObject *base, PyTypeObject *type)
{
    PyObject *key = PyLong_FromVoidPtr(type), *table = NULL;
    if (key == NULL)
        return -1;
    int found = !is_static(base)  ? table_in_field(base, key, &table)
                : may_leave(base) ? static_table(base, type, key, &table)
                                  : 0;
    Py_DECREF(key);
    int result = found < 0 ? -1 : 0;
    if (found > 0) {
        result = register_table(facet, n_registered, table);
        Py_DECREF(table);
    } else if (found == 0 && !is_static(base)) {
        PyErr_Format(Unwatchable_error,
                     "the bases of %.200s are being assigned right now: %.200s does not have it among its subclasses; read "
                     "it after the assignment",
                     type->tp_name, base->tp_name);
        result = -1;
    } else if (found == 0 && may_leave(base)) {
        result = rely_on_type_watcher(type);
    }
    return result;
}

/* --- the check on classes of our own --------------------------------------------------------------------------- */

/* Whether `q.__bases__ = (h,)` takes q, a subclass of p, out of p's table after q's MRO was replaced. */
static int leaves_table(PyTypeObject *p, PyObject *h, PyObject *q)
{
    PyObject *key = PyLong_FromVoidPtr(q), *bases = PyTuple_Pack(1, h), *table = NULL;
    int answer = key == NULL || bases == NULL ? -1 : table_in_field(p, key, &table);
    if (answer == 1)
        answer = PyObject_SetAttrString(q, "__bases__", bases) < 0 ? -1 : !PyDict_Contains(table, key);
    Py_XDECREF(table);
    Py_XDECREF(bases);
    Py_XDECREF(key);
    return answer;
}

/* Whether this CPython's tables of subclasses report a change of bases; tested once. 1, 0, or -1 with MemoryError set. */
static int tables_answer(void)
{
    static int answer = -1;
    if (answer >= 0)
        return answer;
    PyObject *p = test_class("P", (PyObject *)&PyBaseObject_Type), *q = p == NULL ? NULL : test_class("Q", p);
    PyObject *h = q == NULL ? NULL : test_class("H", (PyObject *)&PyBaseObject_Type);
    answer = h == NULL ? -1 : leaves_table((PyTypeObject *)p, h, q);
    if (answer < 0)
        answer = clear_refusal();
    Py_XDECREF(h);
    Py_XDECREF(q);
    Py_XDECREF(p);
    return answer;
}

/* --- a mro() of the program's own ------------------------------------------------------------------------------ */

static PyObject *mro_name; /* owned, interned; NULL before the first look */

static bool has_mro(PyObject *dict)
{
    Py_ssize_t position = 0;
    PyObject *key;
    if (dict == NULL)
        return false; /* a static type: of these only `type` has an mro(), and own_mro() does not ask `type` */
    if (mro_name == NULL || odd_key_of(dict, str_hash(mro_name)) != NULL)
        return true; /* an odd key (with an __eq__ of its own) may equal "mro" */
    while (PyDict_Next(dict, &position, &key, NULL))
        if (key == mro_name || (compares_as_str(key) && same_str(key, mro_name)))
            return true;
    return false;
}

/* The class that gives the type's metaclass an mro() other than type's, or NULL. Runs no Python. */
static const PyTypeObject *own_mro(const PyTypeObject *type)
{
    PyObject *classes = Py_TYPE(type)->tp_mro;
    for (Py_ssize_t i = 0; classes != NULL && i < PyTuple_GET_SIZE(classes); i++) {
        const PyTypeObject *metaclass = (PyTypeObject *)PyTuple_GET_ITEM(classes, i);
        if (metaclass == &PyType_Type)
            return NULL;
        if (has_mro(metaclass->tp_dict))
            return metaclass;
    }
    return NULL;
}

static int refuse_own_mro(const PyTypeObject *type)
{
    const PyTypeObject *metaclass = own_mro(type);
    if (metaclass == NULL)
        return 0;
    PyErr_Format(Unwatchable_error,
                 "%.200s: its metaclass %.200s has an mro() of its own, which CPython runs in the middle of a change of bases, "
                 "so depwatch cannot report that change in time; look attributes up at run time",
                 type->tp_name, metaclass->tp_name);
    return -1;
}

/* Whether the MRO is the type itself followed by the MRO of its only base. */
static bool is_mro_behind(PyTypeObject *type, PyObject *mro, PyObject *base_mro)
{
    if (base_mro == NULL || PyTuple_GET_SIZE(mro) != PyTuple_GET_SIZE(base_mro) + 1 ||
        PyTuple_GET_ITEM(mro, 0) != (PyObject *)type)
        return false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(base_mro); i++)
        if (PyTuple_GET_ITEM(mro, i + 1) != PyTuple_GET_ITEM(base_mro, i))
            return false;
    return true;
}

/* Whether the type's MRO is the one that type.mro() makes of its bases now. It is another if a metaclass's mro() made it (the
 * metaclass may have lost that method since), or if this mro() raised while bases were assigned. Then any later assignment
 * to __bases__ of a class in the MRO makes the MRO anew, and no event reports the change. -1 with an exception set. */
static int is_mro_of_bases(PyTypeObject *type)
{
    PyObject *mro = type->tp_mro, *bases = type->tp_bases;
    /* Most classes have one base. For them type.mro() is not called: on 3.12 it leaks its result if memory runs out. */
    if (PyTuple_GET_SIZE(bases) == 1)
        return is_mro_behind(type, mro, ((PyTypeObject *)PyTuple_GET_ITEM(bases, 0))->tp_mro);
    PyObject *made = PyObject_CallMethodOneArg((PyObject *)&PyType_Type, mro_name, (PyObject *)type); /* type.mro(type) */
    if (made == NULL)
        return PyErr_ExceptionMatches(PyExc_TypeError) ? clear_refusal() : -1; /* TypeError: these bases have no MRO now */
    Py_ssize_t n = PyList_GET_SIZE(made);
    bool same = PyTuple_GET_SIZE(mro) == n;
    for (Py_ssize_t i = 0; same && i < n; i++)
        same = PyTuple_GET_ITEM(mro, i) == PyList_GET_ITEM(made, i);
    Py_DECREF(made);
    return same;
}

static int refuse_other_mro(PyTypeObject *type)
{
    int answer = is_immutable(type) ? 1 : is_mro_of_bases(type);
    if (answer == 0)
        PyErr_Format(Unwatchable_error,
                     "the MRO of %.200s is not the one that type.mro() makes of its bases: a metaclass's mro() made it, or "
                     "raised while bases were assigned; assign %.200s.__bases__ again",
                     type->tp_name, type->tp_name);
    return answer > 0 ? 0 : -1;
}

bool has_own_mro(PyTypeObject *type) { return own_mro(type) != NULL; }

int look_bases(uint32_t id)
{
    PyTypeObject *type = (PyTypeObject *)Py_XNewRef(object_at(facet_rest_at(id)->owner)->address);
    if (type == NULL)
        return 0;
    if (mro_name == NULL && (mro_name = PyUnicode_InternFromString("mro")) == NULL) {
        Py_DECREF(type);
        return -1;
    }
    int answer = tables_answer();
    if (answer == 0)
        PyErr_Format(Unwatchable_error, "attributes of %.200s: this CPython (%s) does not show a change of bases in "
                                        "tp_subclasses, and depwatch knows no other way to see one at once; look attributes up "
                                        "at run time",
                     type->tp_name, Py_GetVersion());
    if (answer <= 0) {
        Py_DECREF(type);
        return -1;
    }
    PyObject *family = PyList_New(0); /* the type, and every class among its bases, and their bases, that can change */
    int result = family == NULL ? -1 : PyList_Append(family, (PyObject *)type);
    uint32_t n_registered = 0;
    for (Py_ssize_t i = 0; result == 0 && i < PyList_GET_SIZE(family); i++) {
        PyTypeObject *member = (PyTypeObject *)PyList_GET_ITEM(family, i);
        bool refused = facet_register(id, n_registered++, (PyObject *)member) < 0 || refuse_assigned_bases(member) < 0 ||
                       refuse_own_mro(member) < 0 || refuse_other_mro(member) < 0;
        result = refused ? -1 : 0;
        PyObject *bases = Py_NewRef(member->tp_bases);
        for (Py_ssize_t j = 0; result == 0 && j < PyTuple_GET_SIZE(bases); j++) {
            PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(bases, j);
            if (is_immutable(member))
                continue;
            result = register_base(id, &n_registered, base, member);
            bool seen = is_static(base);
            for (Py_ssize_t k = 0; !seen && k < PyList_GET_SIZE(family); k++)
                seen = PyList_GET_ITEM(family, k) == (PyObject *)base;
            if (result == 0 && !seen)
                result = PyList_Append(family, (PyObject *)base);
        }
        Py_DECREF(bases);
    }
    if (result == 0) {
        facet_unregister_after(id, n_registered);
        facet_at(id)->known = true;
    }
    Py_XDECREF(family);
    Py_DECREF(type);
    return result;
}
