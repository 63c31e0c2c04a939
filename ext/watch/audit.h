/* Audit: the one change that no watcher reports and that can be seen all the same. `module.__class__ = ...` may bring a
 * property or a __getattribute__ that comes before the module's dict; CPython raises the audit event object.__setattr__
 * before it is made.
 *
 * An audit hook cannot be taken back, and makes every audit event of the process a little dearer: so it is added when the
 * first attribute of a module is read, and checked, as other hooks can refuse it without an error.
 */
#ifndef DW_AUDIT_H
#define DW_AUDIT_H

#include <Python.h>

/* Safe points only. -1 with Unwatchable set if changes of the class of modules cannot be seen. */
int audit_module_classes(void);

#endif
