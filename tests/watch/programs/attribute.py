from slots import Plain, check, recorder

recorder.read_type_attr(Plain, "attribute")
check(1, 0, 0, 0)
