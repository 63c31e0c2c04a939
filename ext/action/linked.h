/* Lists of listeners, from which an item can leave anywhere. A Linked is the first field of the listener that it lists; the
 * listener is never moved while it is in a list. */
#ifndef DW_LINKED_H
#define DW_LINKED_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Linked {
    struct Linked *next;
    struct Linked **link; /* the pointer that points to this item; NULL: the item is in no list */
} Linked;

/* Adds the item at the end of the list, so that listeners are called in the order in which they entered. */
static inline void linked_enter(Linked **list, Linked *item)
{
    while (*list != NULL)
        list = &(*list)->next;
    *item = (Linked){.link = list};
    *list = item;
}

/* Takes the item out of its list; returns whether it was in one. */
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
