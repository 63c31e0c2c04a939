from slots import check

import depwatch

check(0, 0, 0, 0)
assert depwatch.drain() == 0
check(0, 0, 0, 0)
