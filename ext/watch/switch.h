/* The switch: whether DEPWATCH=0 was in the environment at import. Then nothing is watched and nothing is relied on: a facet
 * lasts only for the look at its value, handles are born retired, and no guard is ever up.
 */
#ifndef DW_SWITCH_H
#define DW_SWITCH_H

#include <stdbool.h>

extern bool switched_off; /* set before the first use, and never again */

#endif
