/* Frames: finds the Python frame that a thread is running. */
#ifndef DW_FRAME_H
#define DW_FRAME_H

#include <Python.h>

/* The innermost frame of the given thread, or NULL. */
static inline struct _PyInterpreterFrame *frame_of(PyThreadState *thread)
{
#if PY_VERSION_HEX >= 0x030d0000
    return thread->current_frame;
#else
    return thread->cframe->current_frame;
#endif
}

/* The calling thread. It has the GIL, and so a thread state. */
static inline PyThreadState *current_thread(void)
{
#if PY_VERSION_HEX >= 0x030d0000
    return PyThreadState_GetUnchecked();
#else
    return _PyThreadState_UncheckedGet();
#endif
}

/* The innermost frame of the calling thread, or NULL. */
static inline struct _PyInterpreterFrame *current_frame(void) { return frame_of(current_thread()); }

#endif
