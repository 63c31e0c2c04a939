#include "facet/kinds.h"

const FacetTraits facet_traits[FACET_KINDS] = {
    [FACET_KEY] = {"key", .has_value = true, .is_named = true},
    [FACET_GLOBAL] = {"global", .has_value = true, .is_named = true},
    [FACET_ATTRIBUTE] = {"attribute", .has_value = true, .is_named = true, .has_mro = true},
    [FACET_CODE] = {"code", .has_value = true, .is_part = true},
    [FACET_DEFAULTS] = {"defaults", .has_value = true, .is_part = true},
    [FACET_KWDEFAULTS] = {"kwdefaults", .has_value = true, .is_part = true},
    [FACET_EXISTENCE] = {"existence", .has_value = true},
    [FACET_ANY] = {"any", .has_mro = true},
    [FACET_CREATED] = {"created"},
    [FACET_MRO] = {"mro"},
};
