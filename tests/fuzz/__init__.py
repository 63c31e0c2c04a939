"""Random programs change what compiled code relies on; depwatch must say what plain Python finds: differential fuzzing.

values      what programs store, and how a value is recognised without keeping it alive
keys        what programs store it by
world       what a program changes: namespaces, a module, classes, functions
targets     what compiled code can rely on, and what plain Python finds there
routes      every way to change it; routes_*: one file a kind of object
compiling   recorders, handles and cells: read, commit, release
labels      machine code that has places for jump labels
entries     optimized code that is installed for functions
wrong       what a check raises
checks      what must be so after each step
program     bytes -> steps
campaign    programs by hypothesis, many steps, one seed
process     one chunk of a campaign, or one program, in a process of its own
report      what is shown: the progress, the counts, what is wrong
__main__    the command `./dev fuzz`
"""
