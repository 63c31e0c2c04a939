/* Windows: changes of an object that are counted together, and the rows of those that are not. No Python here. */
#ifndef DW_WINDOWS_H
#define DW_WINDOWS_H

#include "tap.h"

void write_calls(const Object *object, uint64_t time); /* up to now, of all that depend on the object */
/* window: NULL: it is one change. */
void write_change(const Object *object, uint64_t time, unsigned change, const Place *window, uint32_t file, uint32_t line);
void write_value(Facet *facet, const Object *object, uint64_t time, const Count *window, bool same);

void windows_open(Object *object, Place *place); /* one begins */
void windows_begin_moment(Object *object, uint64_t time); /* before a change that goes into a window */
void windows_write_now(Object *object);                   /* that are there */
void windows_end(Object *object, uint64_t time, bool all); /* that are over, or all, and what belongs together with them */

#endif
