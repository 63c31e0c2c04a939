#include "watch/errors.h"

PyObject *Unwatchable_error, *Unstable_error;
