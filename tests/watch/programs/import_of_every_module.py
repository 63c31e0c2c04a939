import importlib
import pkgutil

from slots import check

import depwatch

LEFT_OUT = {"__main__", "cli", "compare", "integrations"}  # walk_packages() would import these, to look into them


def import_all(package):
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if not LEFT_OUT & set(module.name.split(".")):
            found = importlib.import_module(module.name)
            if module.ispkg:
                import_all(found)


import_all(depwatch)
check(0, 0, 0, 0)
