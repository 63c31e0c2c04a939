import pkgutil

from slots import check

import depwatch

for module in pkgutil.walk_packages(depwatch.__path__, "depwatch."):
    if not {"__main__", "cli", "compare", "integrations"} & set(module.name.split(".")):
        __import__(module.name)
check(0, 0, 0, 0)
