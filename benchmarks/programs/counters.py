"""Counters in a module and in a class that change all the time, at several rates, and functions that read them."""


class Counts:
    all = 0


A = B = C = 0


def reads_a():
    return A


def reads_b():
    return A + B


def reads_class():
    return Counts.all


def main():
    global A, B, C
    for number in range(60_000):
        A += 1
        if number % 3 == 0:
            B += 1
            reads_b()
        if number % 7 == 0:
            Counts.all += 1
        if number % 5 == 0:
            C += 1
        reads_a()
        reads_a()
        reads_class()


main()
