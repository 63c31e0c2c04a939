/* Audit: the changes that no watcher reports, or not in time, and that can be seen all the same, as CPython raises the audit
 * event object.__setattr__ before it makes them. `module.__class__ = ...` may bring a property or a __getattribute__ that
 * comes before the module's dict; in the middle of `C.__bases__ = ...` the mro() of a metaclass may run, and change bases.
 *
 * An audit hook cannot be taken back, and makes every audit event of the process a little dearer: so it is added when the
 * first attribute of a module or a class is read, and checked, as other hooks can refuse it without an error.
 */
#ifndef DW_AUDIT_H
#define DW_AUDIT_H

#include <Python.h>

/* Safe points only. -1 with Unwatchable set if these assignments cannot be seen; what: who asks, for the message. */
int audit_assignments(const char *what);

#endif
