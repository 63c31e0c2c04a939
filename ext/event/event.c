#include "event/event.h"

#include "event/death.h"

const WatchCallbacks event_callbacks = {
    .dict = on_dict_event,
    .type = on_type_event,
    .function = on_function_event,
    .code = on_code_event,
    .module_class = on_module_class,
    .bases = on_bases,
    .death = on_type_death,
};
