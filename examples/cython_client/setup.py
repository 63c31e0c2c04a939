"""No path is needed: Cython finds depwatch/__init__.pxd where depwatch is installed, and the header by that."""

from Cython.Build import cythonize
from setuptools import setup

setup(ext_modules=cythonize(["live_float.pyx"]))
