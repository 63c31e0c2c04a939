#include "queue.h"

#include <stdlib.h>

Queue queue;

bool queue_allocate(void)
{
    if (queue.details == NULL)
        queue.details = calloc(QUEUE_CAPACITY, sizeof *queue.details);
    return queue.details != NULL;
}
