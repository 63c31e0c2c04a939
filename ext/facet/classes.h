/* Visits all classes of the process. Each class has a table of its direct subclasses, so all are found from `object` down,
 * without a look at other objects. Only fields of the classes are read: no code of the program runs, not even a metaclass's.
 */
#ifndef DW_CLASSES_H
#define DW_CLASSES_H

#include <Python.h>
#include <stdbool.h>

/* Returns whether to go on. It must run no Python, because no class may die during the walk. */
typedef bool (*ClassVisit)(PyTypeObject *type, void *data);

/* Visits each class of the process once. Safe points only. -1 with MemoryError set. */
int classes_visit(ClassVisit visit, void *data);

#endif
