/* The kinds of facets, and what is so for all of a kind: one row for each, in kinds.c. */
#ifndef DW_KINDS_H
#define DW_KINDS_H

#include <stdbool.h>

typedef enum FacetKind {
    FACET_KEY,        /* owner: a dict */
    FACET_GLOBAL,     /* owner: a globals dict; fallback: its builtins dict */
    FACET_ATTRIBUTE,  /* owner: a type; as found along its MRO */
    FACET_CODE,       /* owner: a function, up to KWDEFAULTS */
    FACET_DEFAULTS,
    FACET_KWDEFAULTS,
    FACET_EXISTENCE,  /* owner: a function or a code object */
    FACET_ANY,        /* the whole object */
    FACET_CREATED,    /* owner: a code object */
    FACET_MRO,        /* owner: a type; has no handles of its own: it tells the type's other facets */
    FACET_KINDS       /* how many */
} FacetKind;

typedef struct FacetTraits {
    const char *word;
    bool has_value; /* it can hold again; else a change is for good */
    bool is_named;  /* found by its name in a chain of dicts: it has cells, and events find it by the key */
    bool is_part;   /* of a function */
    bool has_mro;   /* looked up along the MRO if its owner is a type: the drain must have seen the newest */
} FacetTraits;

extern const FacetTraits facet_traits[FACET_KINDS];

#endif
