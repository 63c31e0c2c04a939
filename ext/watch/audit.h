/* Audit: sees two assignments of which CPython's watchers report nothing, or too late. CPython raises the audit event
 * object.__setattr__ before it makes either:
 *   - `module.__class__ = ...` may bring a property or a __getattribute__, which is asked before the module's dict;
 *   - in the middle of `C.__bases__ = ...` the mro() of a metaclass may run and change further bases.
 *
 * CPython never removes an audit hook, and each hook makes every audit event of the process a little slower. So ours is
 * added when the first attribute of a module or a class is read. Then it is tested, because another hook can refuse it
 * without an error.
 */
#ifndef DW_AUDIT_H
#define DW_AUDIT_H

#include <Python.h>

/* Safe points only. Returns -1 with Unwatchable set if these assignments cannot be seen. what: the kind of read that needs
 * them ("attributes of modules"), for the message. */
int audit_assignments(const char *what);

#endif
