"""./dev fuzz: run the fuzzer."""

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator

import click
from rich.console import Console

from fuzz import campaign, process, program, report, threads
from fuzz.process import Process, Result
from support import few_objects

POLL = 0.1  # seconds between two looks at the processes


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--steps", type=click.IntRange(1), default=100_000, show_default=True, help="Steps to run; at least these."
)
@click.option("--seed", type=click.IntRange(0), help="Of the first chunk. Chosen and printed if not given.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes at a time.")
@click.option("--program", "program_hex", metavar="HEX", help="Run this one program, as a failure prints it.")
@click.option(
    "--threads", "seconds", type=click.FloatRange(1), metavar="SECONDS", help="Threads, for so long: see below."
)
@click.option("-v", "--verbose", is_flag=True, help="With --program: each step, and every handle's state after it.")
def main(
    steps: int, seed: int | None, jobs: int, program_hex: str | None, seconds: float | None, verbose: bool
) -> None:
    """Run random programs that change what compiled code relies on, and check depwatch after every step.

    The steps come in chunks of about 15,000, each in a process of its own; chunk i has the seed SEED + i. A failure
    names its chunk's seed: `./dev fuzz --seed THAT --steps 1` runs just that chunk again, on the same interpreter.

    With --threads, eight threads do all that depwatch can do at the same time, with a switch interval of a microsecond,
    while signal handlers, destructors and callbacks do so, too; in rounds of 10 s, round i with the seed SEED + i. A
    seed gives each thread the same choices, but not the same turns: a failure may take some rounds to come again.

    The status is 0 if nothing is wrong and at most 1 % of the firings were needless; 1 if not; 2 for a wrong call.
    """
    if sys.flags.hash_randomization:
        raise click.UsageError("the hashes of str differ from run to run: set PYTHONHASHSEED=0 (./dev fuzz does)")
    if seconds is not None:
        sys.exit(run_threads(seconds, first_seed(seed)))
    if program_hex is not None:
        sys.exit(run_program(program_hex, verbose))
    if verbose:
        raise click.UsageError("-v is about the steps of one program: give it with --program")
    sys.exit(run_campaign(steps, first_seed(seed), jobs))


def first_seed(given: int | None) -> int:
    return random.randrange(10**6) * 1000 if given is None else given


def run_threads(seconds: float, seed: int) -> int:
    console = Console(soft_wrap=True)
    console.print(f"./dev fuzz --threads {seconds:g} --seed {seed}", highlight=False)
    counts, results = Counter[str](), []
    with few_objects():
        for result in threads.rounds(seconds, seed):
            results.append(result)
            counts += result.counts
    console.print(report.table(counts))
    for result in results:
        if result.kind:
            print(f"\nin the round of seed {result.seed}: {result.trouble}")
            print(f"that round again: ./dev fuzz --threads {threads.ROUND} --seed {result.seed}", flush=True)
    print(report.line_of_threads(counts, results))
    return 1 if any(result.kind for result in results) else 0


def run_program(text: str, verbose: bool) -> int:
    try:
        steps = bytes.fromhex(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}; a failure prints it in hexadecimal", param_hint="--program") from None
    with few_objects():
        result = process.one(steps, report.Narrator() if verbose else None).result()
    if result.kind:
        print(result.trouble)
        print(program.render(steps))
        return 1
    print(f"nothing is wrong after {result.counts['steps']} steps")
    return 0


def run_campaign(steps: int, seed: int, jobs: int) -> int:
    console = Console(soft_wrap=True)
    console.print(f"./dev fuzz --steps {steps} --seed {seed} --jobs {jobs}", highlight=False)
    counts, results = Counter[str](), []
    with few_objects():
        with report.Bar(console, steps) as bar:
            for result in results_of(steps, seed, jobs, bar):
                results.append(result)
                counts += result.counts
        wrong = [result for result in results if result.kind]
        console.print(report.table(counts))
        for result in wrong:
            print(report.trouble(result, process.shrunk(result)), flush=True)
    too_many = report.needless(counts) > report.MAX_NEEDLESS
    if too_many:
        print(f"more than {report.MAX_NEEDLESS:.0%} of the firings were needless")
    print(report.line(counts, [result.seed for result in results if result.seed is not None], len(wrong)))
    return 1 if wrong or too_many else 0


def results_of(steps: int, seed: int, jobs: int, bar: report.Bar) -> Iterator[Result]:
    """What each chunk gave, as they end; after the first that found something, no more."""
    done = Counter[str]()
    running: list[Process] = []
    try:
        while True:
            while len(running) < jobs and done["steps"] + len(running) * campaign.STEPS_OF_CHUNK < steps:
                running.append(process.chunk(seed))
                seed += 1
            if not running:
                return
            time.sleep(POLL)
            for each in list(running):
                result = each.ended()
                if result is not None:
                    running.remove(each)
                    done += result.counts
                    yield result
                    if result.kind:
                        return
            bar.show(sum((each.board.counts() for each in running), done))
    finally:
        for each in running:
            each.kill()


if __name__ == "__main__":
    main(prog_name="./dev fuzz")
