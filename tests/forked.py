"""What a parent of parent.py runs: it forks a child for each request, and the child becomes the program.

`python -c 'exec(__import__("forked").program(), globals())' MODULES...`: so the child runs in a __main__ that is empty,
and ends as any program does. Imports nothing itself, as some programs are about what is imported first.
"""

import os
import sys


def program():
    """Serve requests until there is a child. In the child, the code that it is to run."""
    for name in sys.argv[1:]:
        __import__(name)
    requests, answers = os.dup(0), os.dup(1)
    while True:
        request = b""
        while not request.endswith(b"\n"):
            request += os.read(requests, 1 << 16) or os._exit(0)
        pid = os.fork()
        if pid == 0:
            os.close(requests)
            os.close(answers)
            return become(**eval(request))
        os.write(answers, b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(answers, b"%d\n" % os.waitstatus_to_exitcode(status))


def become(source, path, arguments, streams, folder, environment, original):
    for target, (name, flags) in enumerate(zip(streams, (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY), strict=True)):
        opened = os.open(name, flags)
        os.dup2(opened, target)
        os.close(opened)
    if folder is not None:
        os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [path or "-c", *arguments]
    if original is not None:
        sys.orig_argv = original
    sys.path[0] = os.getcwd() if path is None and folder is not None else ""
    if path is not None:
        sys.path[0] = os.path.dirname(path)
        sys.modules["__main__"].__file__ = path
    return compile(source, path or "<string>", "exec")
