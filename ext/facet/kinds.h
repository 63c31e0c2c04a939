/* The kinds of facets, and the traits of each kind: one row of a table in kinds.c. */
#ifndef DW_KINDS_H
#define DW_KINDS_H

#include <stdbool.h>

typedef enum FacetKind {
    FACET_KEY,        /* owner: a dict */
    FACET_GLOBAL,     /* owner: a globals dict; fallback: its builtins dict */
    FACET_ATTRIBUTE,  /* owner: a type; as found along its MRO */
    FACET_CODE,       /* owner: a function; also of the next two */
    FACET_DEFAULTS,
    FACET_KWDEFAULTS,
    FACET_EXISTENCE,  /* owner: a function or a code object */
    FACET_ANY,        /* the whole object */
    FACET_CREATED,    /* owner: a code object */
    FACET_MRO,        /* owner: a type; has no handles: its events break the type's other facets */
    FACET_KINDS       /* how many */
} FacetKind;

typedef struct FacetTraits {
    const char *word;
    bool has_value; /* it has a value, so it can hold again after a change; else a change retires its handles */
    bool is_named;  /* its name is looked up in a chain of dicts: it can have cells, and events find it by their key */
    bool is_part;   /* it is a part of a function */
    bool has_mro;   /* if its owner is a type it is looked up along the MRO, which must be up to date before a look */
} FacetTraits;

extern const FacetTraits facet_traits[FACET_KINDS];

#endif
