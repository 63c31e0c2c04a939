/* References: how long depwatch keeps the value that a broken facet's dependents wait for. Safe points only. */
#ifndef DW_REFERENCES_H
#define DW_REFERENCES_H

#include <Python.h>
#include <stdbool.h>

#include "facet/facets.h"

/* Whether a handle, a recorder or a guard waits for the value that is recorded. */
bool is_relied_on(const Facet *facet);
/* Nobody but depwatch has this value, so nobody can put it back; what dies unseen can come back as an equal one. */
bool is_lost(const Facet *facet);
/* Retires those that wait for the value, which goes to garbage. */
void give_up_waiting(uint32_t facet, PyObject *garbage);
/* After the drain has looked at the facet: its value is borrowed, kept weakly, kept, or given up. */
void update_reference(uint32_t facet, PyObject *garbage);
/* What only depwatch still has goes to garbage: nothing tells when the last other reference to a value goes. */
void let_go_of_lonely(PyObject *garbage);
/* Touches the facets whose recorded value was let go, here or inside CPython's callback. */
void touch_waiting(void);

#endif
