# What Cython finds for `cimport depwatch` without a path, where depwatch is installed. cythonize() also finds depwatch.h by it.
include "include/depwatch.pxd"
