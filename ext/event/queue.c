#include "event/queue.h"

#include <stdlib.h>

Queue queue;

bool queue_allocate(void)
{
    if (queue.details != NULL)
        return true;
    queue.details = calloc(QUEUE_CAPACITY, sizeof *queue.details);
    queue.limit = queue.details == NULL ? 0 : QUEUE_CAPACITY;
    return queue.details != NULL && kept_reserve(QUEUE_CAPACITY);
}
