/* Lists of listeners, which leave from the middle. An item is the first part of what it lists, and is never moved. */
#ifndef DW_LINKED_H
#define DW_LINKED_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Linked {
    struct Linked *next;
    struct Linked **link; /* what points here; NULL: it is in no list */
} Linked;

/* At the end: the first to enter is the first to hear. */
static inline void linked_enter(Linked **list, Linked *item)
{
    while (*list != NULL)
        list = &(*list)->next;
    *item = (Linked){.link = list};
    *list = item;
}

/* Whether it was in a list. */
static inline bool linked_leave(Linked *item)
{
    if (item->link == NULL)
        return false;
    *item->link = item->next;
    if (item->next != NULL)
        item->next->link = item->link;
    item->link = NULL;
    return true;
}

#endif
