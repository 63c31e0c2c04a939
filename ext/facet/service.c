#include "facet/service.h"

Service service = {.first_touched = NO_ID, .first_retired = NO_ID, .unstable_after = UINT16_MAX, .timed_at = 510, .until_timed = -510};
