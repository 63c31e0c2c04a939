/* The self-check: tests whether this CPython keeps the rules that depwatch relies on. It runs once for each kind of watcher,
 * before the first use of that kind. It takes a watcher slot and frees it again; all checks take some 100 microseconds.
 * depwatch refuses to watch a kind whose rule is broken. tests/host/ states the rules in full. The rules checked here are
 * those without which depwatch would miss a change.
 *
 * Each function returns 0, or -1 with MemoryError or an Unwatchable that names the broken rule. If CPython refuses a watcher
 * slot or a watch, the check returns 0: the first real use raises that error.
 */
#ifndef DW_SELF_CHECK_H
#define DW_SELF_CHECK_H

int self_check_dicts(void); /* also checks the dicts of classes */
int self_check_functions(void);
int self_check_codes(void);

#endif
