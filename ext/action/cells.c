#include "action/cells.h"

#include <stdlib.h>

#include "facet/facets.h"

Cell *cell_of_nothing(CellKind kind, PyObject *value)
{
    Cell *cell = malloc(sizeof *cell);
    if (cell == NULL)
        return (Cell *)PyErr_NoMemory();
    *cell = (Cell){.kind = (uint8_t)kind, .facet = NO_ID, .users = 1};
    if (kind != CELL_GUARD && !cell_store(cell, value)) {
        free(cell);
        return NULL;
    }
    cell->word.i64 = 0;
    return cell;
}

Cell *cell_use(uint32_t id, CellKind kind)
{
    Facet *facet = facet_at(id);
    for (Cell *cell = facet->cells; cell != NULL; cell = cell->next)
        if (cell->kind == kind) {
            cell->users++;
            return cell;
        }
    Cell *cell = malloc(sizeof *cell);
    if (cell == NULL)
        return (Cell *)PyErr_NoMemory();
    *cell = (Cell){.kind = (uint8_t)kind, .facet = id, .users = 1, .next = facet->cells};
    if (kind == CELL_GUARD)
        cell->guard = facet_holds_now(facet);
    else if (facet->known && facet->current != NULL)
        cell->guard = cell_store(cell, facet->current);
    facet->cells = cell;
    return cell;
}

void cell_release(Cell *cell)
{
    if (--cell->users != 0)
        return;
    if (cell->facet != NO_ID) {
        Cell **link = &facet_at(cell->facet)->cells;
        while (*link != cell)
            link = &(*link)->next;
        *link = cell->next;
        facet_touch(cell->facet); /* the drain frees the facet if nothing else needs it */
    }
    free(cell);
}
