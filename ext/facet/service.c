#include "facet/service.h"

Service service = {.first_touched = NO_ID, .first_retired = NO_ID, .unstable_after = UINT16_MAX, .next_timed = 510};
