"""Can a file or a word of a stranger do anything but be opened, or be refused with a sentence?

    python -m benchmarks.fuzz [--inputs 100000] [--seed 0] [--reader all] [--output FILE.jsonl]
    python -m benchmarks.fuzz --repeat KEY      # make one input again, and read it

Inputs are made from valid small files by changing what their format says (lengths, offsets, types,
values), from words by changing words, or drawn from nothing (`fuzz_mutations`, `fuzz_drawn`). They
are read in processes with limits (`fuzz_worker`). An input is opened, refused with one sentence, or
a fault:

crash      the process died
traceback  an error that is none of the program's
hang       not done after 10 s on the processor, or a minute
memory     more than 600 MB for a file of some kilobytes
sentence   refused, but not with one printable sentence
reach      it opened a file elsewhere, a socket or a program

Warnings of libraries are counted as well. A campaign that was stopped goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.fuzz_readers import READERS, make_input
from benchmarks.fuzz_worker import LIMIT, Outcome, limit_memory, read_input, work

BATCH = 1000  # inputs of a process
OUTPUT = Path("results/fuzz.jsonl")
FAULTS = ("crash", "traceback", "hang", "memory", "sentence", "reach")


def run_batch(name: str, seed: int, first: int, count: int) -> dict[str, Any]:
    """Read some inputs in processes of their own; return how often each outcome came."""
    begun = time.perf_counter()
    outcomes: Counter[str] = Counter()
    faults = []
    number = first
    while number < first + count:
        for outcome in _in_process(name, seed, number, first + count):
            outcomes[outcome.kind] += 1
            if outcome.kind not in FAULTS and outcome.where:
                outcomes[f"warning: {outcome.where}"] += 1
            if outcome.kind in FAULTS:
                faults.append({"key": f"{name}:{seed}:{outcome.number}", **outcome.told()})
            number = outcome.number + 1
    seconds = time.perf_counter() - begun
    told = {"reader": name, "seed": seed, "first": first, "inputs": count, "seconds": seconds}
    return told | {"outcomes": dict(outcomes), "faults": faults}


def _in_process(name: str, seed: int, start: int, stop: int) -> Iterator[Outcome]:
    """Yield the outcomes that a process tells, and how it ended if that was not in order."""
    reader, writer = os.pipe()
    with tempfile.TemporaryFile("w+") as last_words:
        child = os.fork()
        if not child:
            os.close(reader)
            work(name, seed, start, stop, writer, last_words)
        os.close(writer)
        running = start
        with os.fdopen(reader) as told:
            for line in told:
                outcome = Outcome(**json.loads(line))
                if outcome.kind != "begun":
                    yield outcome
                    running = outcome.number + 1
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != 0 and running < stop:
            last_words.seek(0)
            said = last_words.read()
            kind = "hang" if status == -signal.SIGPROF or "Timeout" in said else "crash"
            ending = signal.Signals(-status).name if status < 0 else f"ended with {status}"
            yield Outcome(running, kind, f"{ending}: {_where(said)}", said[-4000:])


def _where(said: str) -> str:
    """Return the innermost lines of this package in the stack of a process that died."""
    lines = [line.strip() for line in said.splitlines() if line.strip().startswith("File")]
    ours = [line for line in lines if "napari_unet" in line]
    return " | ".join(lines[:1] + ours[:1]) or said.strip()[-200:]


def campaign(names: list[str], inputs: int, seed: int, output: Path) -> None:
    """Read so many inputs, batch by batch through all readers; what was read is left out."""
    output.parent.mkdir(parents=True, exist_ok=True)
    lines = output.read_text().splitlines() if output.exists() else []
    done = {(told["reader"], told["seed"], told["first"]) for told in map(json.loads, lines)}
    total = sum(READERS[name].share for name in names)
    wanted = {name: round(inputs * READERS[name].share / total) for name in names}
    starts = range(0, max(wanted.values()), BATCH)
    batches = [(first, name) for first in starts for name in names if first < wanted[name]]
    for first, name in batches:
        if (name, seed, first) in done:
            continue
        told = run_batch(name, seed, first, min(BATCH, wanted[name] - first))
        with output.open("a") as file:
            file.write(json.dumps(told) + "\n")
        print(f"{name} {first}: {told['outcomes']}, {told['seconds']:.0f} s", flush=True)


def report(output: Path, names: list[str], seed: int) -> int:
    """Print the figures of a campaign and the faults, each kind once; return how many there are."""
    found = [told for line in output.read_text().splitlines() if (told := json.loads(line))]
    found = [told for told in found if told["reader"] in names and told["seed"] == seed]
    print("| reader | inputs | opened | refused | faults | ms each |\n|---|---|---|---|---|---|")
    for name in names:
        mine = [told for told in found if told["reader"] == name]
        if mine:
            print(_row(name, mine))
    print(_row("all", found))
    warned: Counter[str] = sum((Counter(told["outcomes"]) for told in found), Counter())
    for what, count in warned.most_common():
        if what.startswith("warning"):
            print(f"{count} × {what}")
    faults: dict[str, list[dict[str, Any]]] = {}
    for told in found:
        for fault in told["faults"]:
            faults.setdefault(f"{fault['kind']}: {fault['where']}", []).append(fault)
    for where, alike in sorted(faults.items(), key=lambda item: -len(item[1])):
        print(f"{len(alike)} × {where}\n    --repeat {alike[0]['key']}")
    return sum(map(len, faults.values()))


def _row(name: str, batches: list[dict[str, Any]]) -> str:
    outcomes: Counter[str] = sum((Counter(told["outcomes"]) for told in batches), Counter())
    inputs = sum(told["inputs"] for told in batches)
    faults = sum(outcomes[kind] for kind in FAULTS)
    milliseconds = 1000 * sum(told["seconds"] for told in batches) / max(1, inputs)
    figures = (inputs, outcomes["opened"], outcomes["refused"], faults)
    return f"| {name} | {' | '.join(f'{n:,}' for n in figures)} | {milliseconds:.1f} |"


def repeat(key: str, folder: Path) -> None:
    """Make one input again, and read it here, with its traceback."""
    name, seed, number = key.split(":")
    print(f"The input lies in '{folder}'.")
    limit_memory()
    outcome = read_input(name, make_input(name, int(seed), int(number)), folder, int(number))
    print(outcome.kind, outcome.where, outcome.details, sep="\n")


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", choices=[*READERS, "all"], default="all")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--repeat", metavar="KEY", help="reader:seed:number of a fault")
    wish = parser.parse_args()
    if wish.repeat:
        repeat(wish.repeat, Path(tempfile.mkdtemp()))
        return
    names = list(READERS) if wish.reader == "all" else [wish.reader]
    campaign(names, wish.inputs, wish.seed, wish.output)
    print(f"Limit of an input: {LIMIT} s.")
    sys.exit(1 if report(wish.output, names, wish.seed) else 0)


if __name__ == "__main__":
    main()
