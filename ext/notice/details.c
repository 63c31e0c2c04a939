#include "notice/details.h"

#include "event/queue.h"
#include "facet/facets.h"
#include "notice/garbage.h"
#include "notice/settle.h"

PyObject *Unknown_value;

static PyObject *or_unknown(PyObject *owned) { return owned == NULL ? Py_NewRef(Unknown_value) : owned; }

static PyObject *life_notice(const Detail *detail)
{
    PyObject *function = detail->key, *value = detail->new_value;
    if (detail->change == CHANGE_DESTROYED) {
        PyObject *name = detail->key == NULL ? PyUnicode_FromString("") : detail->key;
        function = Py_BuildValue("NNN", PyLong_FromVoidPtr(detail->address), name, value);
        value = Py_NewRef(Py_None);
    }
    return Py_BuildValue("iNiNiN", (int)NOTICE_LIFE, detail->hearer, (int)detail->change, function,
                         (int)detail->attribute, value);
}

int take_detail(PyObject *notices, PyObject *garbage)
{
    Detail detail = queue.details[queue.head];
    queue.head = (queue.head + 1) & (QUEUE_CAPACITY - 1);
    queue.taken++;
    if (--queue.count == 0)
        queue.head = 0; /* the same few cache lines serve again */
    if (detail.facet == NO_ID)
        return append(notices, life_notice(&detail));
    if (detail.broke && detail.old_value == NULL)
        detail.old_value = Py_XNewRef(facet_recorded(facet_at(detail.facet)));
    PyObject *filename = Py_None;
    int line = 0;
    if (detail.code != NULL && PyCode_Check(detail.code)) {
        filename = ((PyCodeObject *)detail.code)->co_filename;
        line = PyCode_Addr2Line((PyCodeObject *)detail.code, detail.offset);
    }
    PyObject *notice = Py_BuildValue("iIIiiNNNOi", (int)NOTICE_DETAIL, detail.facet, detail.object, (int)detail.change,
                                     (int)detail.broke, or_unknown(detail.key), or_unknown(detail.old_value),
                                     or_unknown(detail.new_value), filename, line);
    let_go(garbage, detail.code);
    return append(notices, notice);
}

void details_drop(PyObject *garbage)
{
    for (; queue.count != 0; queue.count--, queue.head = (queue.head + 1) & (QUEUE_CAPACITY - 1)) {
        const Detail *detail = &queue.details[queue.head];
        let_go(garbage, detail->key);
        let_go(garbage, detail->facet == NO_ID ? NULL : detail->old_value);
        let_go(garbage, detail->new_value);
        let_go(garbage, detail->code);
    }
}

PyObject *hear_functions(PyObject *hearer)
{
    PyObject *before = service.hearer;
    service.hearer = Py_XNewRef(hearer);
    service.function_interest = service.function_interest + (hearer != NULL) - (before != NULL);
    return before;
}
