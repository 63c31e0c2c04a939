#include "action/cells.h"

#include "facet/facets.h"

/* A cell with one user; NULL with MemoryError set. */
static Cell *new_cell(CellKind kind, uint32_t facet, BlockRef next)
{
    BlockRef ref = block_take(block_class(sizeof(Cell)));
    if (ref == 0)
        return (Cell *)PyErr_NoMemory();
    Cell *cell = block_at(ref);
    *cell = (Cell){.kind = (uint8_t)kind, .ref = ref, .facet = facet, .users = 1, .next = next};
    return cell;
}

static void free_cell(const Cell *cell) { block_give(cell->ref, block_class(sizeof *cell)); }

Cell *cell_of_nothing(CellKind kind, PyObject *value)
{
    Cell *cell = new_cell(kind, NO_ID, 0);
    if (cell == NULL)
        return NULL;
    if (kind != CELL_GUARD && !cell_store(cell, value)) {
        free_cell(cell);
        return NULL;
    }
    cell->word.i64 = 0;
    return cell;
}

Cell *cell_use(uint32_t id, CellKind kind)
{
    Facet *facet = facet_at(id);
    for (Cell *cell = cell_at(facet->cells); cell != NULL; cell = cell_at(cell->next))
        if (cell->kind == kind) {
            cell->users++;
            return cell;
        }
    Cell *cell = new_cell(kind, id, facet->cells);
    if (cell == NULL)
        return NULL;
    if (kind == CELL_GUARD)
        cell->guard = facet_holds_now(facet);
    else if (facet->known && facet->current != NULL)
        cell->guard = cell_store(cell, facet->current);
    facet->cells = cell->ref;
    return cell;
}

void cell_release(Cell *cell)
{
    if (--cell->users != 0)
        return;
    if (cell->facet != NO_ID) {
        BlockRef *link = &facet_at(cell->facet)->cells;
        while (*link != cell->ref)
            link = &cell_at(*link)->next;
        *link = cell->next;
        facet_touch(cell->facet); /* the drain frees the facet if nothing else needs it */
    }
    free_cell(cell);
}
