/* The classes of the process. Each keeps its direct subclasses in a table, so all are found from `object` down: without a
 * look at any other object, by its fields alone. No code of the program runs, also not a metaclass's.
 */
#ifndef DW_CLASSES_H
#define DW_CLASSES_H

#include <Python.h>
#include <stdbool.h>

/* Whether to go on. Runs no Python: a class must not go meanwhile. */
typedef bool (*ClassVisit)(PyTypeObject *type, void *data);

/* Visits each class of the process once. Safe points only. -1 with MemoryError set. */
int classes_visit(ClassVisit visit, void *data);

#endif
