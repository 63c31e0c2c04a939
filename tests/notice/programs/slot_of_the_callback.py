import counting

import depwatch

slots = lambda: [value for name, value in depwatch.stats().items() if name.endswith("_slots")]
depwatch.get_lifecycle_callback(), depwatch.set_lifecycle_callback(None)
print(slots())
counting.take_slots(2)
try:
    depwatch.set_lifecycle_callback(print)
except depwatch.Unwatchable as error:
    print("no function watcher slot is free" in str(error), depwatch.get_lifecycle_callback(), slots())
counting.give_slots(2)
depwatch.set_lifecycle_callback(lambda *told: None)
print(slots())
depwatch.set_lifecycle_callback(None)
