from slots import Plain, check, function, recorder, slots

namespaces = [{"X": i} for i in range(50)]
for one in namespaces:
    recorder.read_global(one, "X")
    check(1, 0, 0, 0)
recorder.read_type_attr(Plain, "attribute")
assert slots()[2:] == [0, 0]
recorder.read_function(function, "code", "defaults")
recorder.read_function(lambda: 1, "existence")
assert slots()[2:] == [1, 0]
recorder.depend_on(function.__code__)
recorder.depend_on(check.__code__)
assert slots()[2:] == [1, 1]
assert all(taken <= 1 for taken in slots())
check(*slots())
