"""Runs one file of CPython's test suite, and writes the verdict of each test: `python one.py test_gc FILE`."""

import json
import os
import sys
import tempfile
import unittest

# A function watcher of it raises for every function, the recorder's too, and CPython 3.15 makes more functions to
# report that: docs/record.md.
LEFT_OUT = "test.test_capi.test_watchers.TestFuncWatchers."


def without_left_out(tests):
    if isinstance(tests, unittest.TestSuite):
        return unittest.TestSuite(without_left_out(test) for test in tests if not is_left_out(test))
    return tests


def is_left_out(test):
    return not isinstance(test, unittest.TestSuite) and test.id().startswith(LEFT_OUT)


class Verdicts(unittest.TestResult):
    """The worst of each test, by its name: subtests count for the test."""

    def __init__(self):
        super().__init__()
        self.of = {}

    def say(self, test, verdict):
        name = getattr(test, "test_case", test).id()
        if self.of.get(name, "ok") in ("ok", "skipped"):
            self.of[name] = verdict

    def addSuccess(self, test):
        self.say(test, "ok")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.say(test, "skipped")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.say(test, "failed")

    def addError(self, test, error):
        super().addError(test, error)
        self.say(test, "error")

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.say(test, "failed")

    def addExpectedFailure(self, test, error):
        super().addExpectedFailure(test, error)
        self.say(test, "expected failure")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.say(test, "unexpected success")


def main(name, file):
    from test import support

    support.use_resources = {}  # no network, no large files, no tests that take long
    result = Verdicts()
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        try:
            without_left_out(unittest.defaultTestLoader.loadTestsFromName(f"test.{name}")).run(result)
        finally:
            os.chdir(here)
    told = {
        test: [text.strip().splitlines()[-1], text]
        for test, text in [(each.id(), text) for each, text in result.failures + result.errors]
    }
    with open(file, "w") as output:
        json.dump({"verdicts": result.of, "told": told}, output)


if __name__ == "__main__":
    main(*sys.argv[1:])
