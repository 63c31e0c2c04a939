#include "notice/details.h"

#include "event/queue.h"
#include "facet/facets.h"
#include "notice/garbage.h"
#include "notice/makers.h"

/* Told first, taken then: out of memory, it stays in the queue. */
static int take_detail(PyObject *garbage)
{
    const Detail detail = queue.details[queue.head];
    int result;
    if (detail.facet == NO_ID) {
        result = notice_makers.life(&detail);
    } else {
        PyObject *old_value = detail.old_value, *filename = NULL;
        int line = 0;
        if (detail.broke && old_value == NULL)
            old_value = facet_recorded(facet_at(detail.facet));
        if (detail.code != NULL && PyCode_Check(detail.code)) {
            filename = ((PyCodeObject *)detail.code)->co_filename;
            line = PyCode_Addr2Line((PyCodeObject *)detail.code, detail.offset);
        }
        result = notice_makers.detail(&detail, old_value, filename, line);
    }
    if (result < 0)
        return -1;
    queue.head = (queue.head + 1) & (QUEUE_CAPACITY - 1);
    queue.taken++;
    if (--queue.count == 0)
        queue.head = 0; /* the same few cache lines serve again */
    let_go(garbage, detail.key);
    let_go(garbage, detail.facet == NO_ID ? NULL : detail.old_value);
    let_go(garbage, detail.new_value);
    let_go(garbage, detail.code);
    return 0;
}

int take_details(PyObject *garbage)
{
    while (queue.count != 0)
        if (take_detail(garbage) < 0)
            return -1;
    return 0;
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
