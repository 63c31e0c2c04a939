"""Says where depwatch.h is, which only the depwatch that is installed knows."""

from setuptools import Extension, setup

import depwatch

setup(ext_modules=[Extension("frozen_global", ["frozen_global.c"], include_dirs=[depwatch.get_include()])])
