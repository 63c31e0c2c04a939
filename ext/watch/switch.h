/* The switch: DEPWATCH=0 in the environment at import turns depwatch off. Then depwatch watches nothing, and no code may
 * rely on anything: a facet lives only for one look at its value, a new handle is retired at once, and a guard stays at 0.
 */
#ifndef DW_SWITCH_H
#define DW_SWITCH_H

#include <stdbool.h>

extern bool switched_off; /* set before the first use, and never again */

#endif
