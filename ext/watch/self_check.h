/* The self-check: whether this CPython keeps the rules that depwatch rests on. Made once for each kind of watcher, before the
 * first use, with a watcher slot that is free again afterwards; some 100 microseconds altogether. A kind whose rule is broken
 * is refused. tests/host/ says the rules in full; here are those without which a change would go unseen.
 *
 * Each returns 0; or -1 with MemoryError, or Unwatchable that says which rule is broken. What CPython refuses (a slot, a
 * watch) is no broken rule: the first use will say so.
 */
#ifndef DW_SELF_CHECK_H
#define DW_SELF_CHECK_H

int self_check_dicts(void); /* and the dicts of classes */
int self_check_functions(void);
int self_check_codes(void);

#endif
