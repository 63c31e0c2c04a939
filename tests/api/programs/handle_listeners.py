import atexit
import sys

atexit.register(lambda: at_the_end())  # after depwatch's, which comes later

import capi_user as c

mapping = {"key": 1}
recorder = c.recorder_new("left")
c.read(recorder, c.facet_of_key(mapping, "key"))
handle = c.commit(recorder)
sys.kept = c.listen_handle(handle, 1)


def at_the_end():
    mapping["key"] = 3
    print(c.broken(handle), c.told_of_handles())


mapping["key"] = 2
print(c.broken(handle), len(c.told_of_handles()))
mapping["key"] = 1
print(c.broken(handle), len(c.told_of_handles()))
