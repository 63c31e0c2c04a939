/* Provisional facets: an event took the recorded value away from where it was, and it is found again further along, all
 * without running Python; so nothing is broken. Until the drain has registered the facet along its new chain, the dicts
 * that were looked through are watched, and an event of any of them that may concern the name breaks the facet.
 *
 * Called inside CPython's callbacks: a look goes through whole dicts item by item and gives up (the facet breaks, which
 * is always right) at a key whose comparison could run Python, at an immutable class, and where too much is to be watched.
 */
#ifndef DW_PROVISIONAL_H
#define DW_PROVISIONAL_H

#include <Python.h>
#include <stdbool.h>

#include "facet/facets.h"

/* The dict is about to lose the name that it provides. True: the same value shows behind it, and the facet holds on. */
bool provisional_after_removal(Facet *facet, const PyObject *dict);
/* The MRO of the facet's type was replaced, as one of its classes changes its bases. True: the same value is found along
 * the new one. */
bool provisional_after_mro(Facet *facet, const PyTypeObject *changing);

/* An event of any watched dict, before it is handled, with what CPython gives. */
void provisional_event(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value);
/* Any other event that may concern look-up chains. */
void provisional_break_all(void);

/* Safe points only: the drain has looked at the facet. */
void provisional_settled(Facet *facet);

#endif
