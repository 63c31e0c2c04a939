#include "notice/details.h"

#include "event/queue.h"
#include "facet/facets.h"
#include "notice/garbage.h"
#include "notice/settle.h"

PyObject *Unknown_value;

static PyObject *or_unknown(PyObject *owned) { return owned == NULL ? Py_NewRef(Unknown_value) : owned; }

/* (id, qualname, code) of a function that is dead: as its DESTROYED tells, which waits behind it. */
static PyObject *remains_of(const Detail *life)
{
    PyObject *name = life->change == CHANGE_DESTROYED ? life->key : NULL, *code = NULL;
    const Detail *end = life->change == CHANGE_DESTROYED ? life : NULL;
    for (uint32_t i = 0; i < queue.count && end == NULL; i++) {
        const Detail *later = &queue.details[(queue.head + i) & (QUEUE_CAPACITY - 1)];
        if (later->facet == NO_ID && later->address == life->address && later->change == CHANGE_DESTROYED)
            end = later;
    }
    if (end != NULL) {
        name = end->key;
        code = queue_value(end->new_value, end->new_is_kept);
    }
    name = name == NULL ? PyUnicode_FromString("") : Py_NewRef(name);
    return Py_BuildValue("NNN", PyLong_FromVoidPtr(life->address), name, or_unknown(code));
}

static PyObject *life_notice(const Detail *life)
{
    PyObject *function = NULL, *value = NULL;
    if (life->change != CHANGE_DESTROYED) {
        function = life->function == NULL ? NULL : Py_XNewRef(life->function->value);
        value = or_unknown(queue_value(life->new_value, life->new_is_kept));
    }
    return Py_BuildValue("iOiNiN", (int)NOTICE_LIFE, life->hearer, (int)life->change,
                         function == NULL ? remains_of(life) : function, (int)life->attribute,
                         value == NULL ? Py_NewRef(Py_None) : value);
}

/* What a detail has goes. */
static void leave_detail(const Detail *detail, PyObject *garbage)
{
    bool is_life = detail->facet == NO_ID;
    if (!is_life || detail->change == CHANGE_DESTROYED)
        let_go(garbage, detail->key);
    else if (detail->function != NULL)
        let_go(garbage, kept_leave(detail->function));
    if (!is_life && detail->old_value != NULL)
        let_go(garbage, queue_leave(detail->old_value, detail->old_is_kept));
    if (!detail->new_is_current && detail->new_value != NULL)
        let_go(garbage, queue_leave(detail->new_value, detail->new_is_kept));
    let_go(garbage, detail->code);
}

static PyObject *old_value(const Detail *detail)
{
    if (detail->broke && detail->old_value == NULL)
        return Py_XNewRef(facet_recorded(facet_at(detail->facet)));
    return queue_value(detail->old_value, detail->old_is_kept);
}

static PyObject *new_value(const Detail *detail)
{
    const Facet *facet = facet_at(detail->facet);
    if (!detail->new_is_current)
        return queue_value(detail->new_value, detail->new_is_kept);
    return facet->known && facet->changes == detail->changes ? Py_XNewRef(facet->current) : NULL;
}

static PyObject *detail_notice(const Detail *detail)
{
    PyObject *filename = Py_None;
    int line = 0;
    if (detail->code != NULL && PyCode_Check(detail->code)) {
        filename = ((PyCodeObject *)detail->code)->co_filename;
        line = PyCode_Addr2Line((PyCodeObject *)detail->code, detail->offset);
    }
    return Py_BuildValue("iIIiiNNNOi", (int)NOTICE_DETAIL, detail->facet, detail->object, (int)detail->change,
                         (int)detail->broke, or_unknown(Py_XNewRef(detail->key)), or_unknown(old_value(detail)),
                         or_unknown(new_value(detail)), filename, line);
}

int take_detail(PyObject *notices, PyObject *garbage)
{
    Detail detail = queue.details[queue.head];
    queue.head = (queue.head + 1) & (QUEUE_CAPACITY - 1);
    queue.taken++;
    if (--queue.count == 0)
        queue.head = 0; /* the same few cache lines serve again */
    PyObject *notice = detail.facet == NO_ID ? life_notice(&detail) : detail_notice(&detail);
    leave_detail(&detail, garbage);
    return append(notices, notice);
}

void details_drop(PyObject *garbage)
{
    for (; queue.count != 0; queue.count--, queue.head = (queue.head + 1) & (QUEUE_CAPACITY - 1))
        leave_detail(&queue.details[queue.head], garbage);
}

PyObject *hear_functions(PyObject *hearer)
{
    PyObject *before = service.hearer;
    service.hearer = Py_XNewRef(hearer);
    service.function_interest = service.function_interest + (hearer != NULL) - (before != NULL);
    return before;
}
