import sys

import capi_user as c

I64 = 2
mapping = {"key": 1}
facets = [c.facet_of_key(mapping, "key"), c.facet_of_object(mapping), c.facet_of_global(lambda: 0, "len")]
kept = [c.listen(facet) for facet in facets] + [c.listen_functions((lambda: 0).__code__.co_filename)]
recorder = c.recorder_new("left")
c.read(recorder, facets[0])
handle = c.commit(recorder)
cell = c.value_cell(facets[0], I64)


class AtTheEnd:
    def __del__(self):
        mapping["key"] = lambda: 0


sys.at_the_end = AtTheEnd()
mapping["key"] = 2
print(c.broken(handle))
