#!/usr/bin/env python3
"""Runs the tests and ends with one line: `N passed, N failed, N skipped`.

usage: run_tests.py [--all] [--unit | --e2e | --machines] [NAME...]

Unit tests, then include rules and tidy, then the end-to-end tests of tests/ with the built program. --all
repeats them under the sanitizers (presets debug and tsan), adds those of tests/slow and tests/machines, and
runs every fuzz target that is built for a while. --machines runs those of tests/machines alone: houses of
machines in network namespaces, which fail and say why where none can be made. NAME picks test binaries and
files whose name contains it. A skip counts as a failure unless its reason says that it needs a GPU, macOS,
shared/ or namespaces.
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Of one unit-test binary or one file of end-to-end tests: many times what any takes; a hang ends there. One
# of tests/slow may be meant to last ten minutes.
LONGEST_S = 300
LONGEST_SLOW_S = 900
# The machine the project is made for has two cores, and engines want one each.
AT_ONCE = 2
# What ThreadSanitizer has something to say about: layers with more than one thread.
TSAN_LAYERS = ("base", "net", "keeper", "hive")
# Of one fuzz target: those that read what anybody may write get longer.
FUZZ_SECONDS, LONG_FUZZ_SECONDS = 10, 30
LONG_FUZZ = ("rhai_parse", "rhai_run")
ALLOWED_SKIP = re.compile(r"\bGPU\b|\bmacOS\b|\bshared/|\bnamespaces\b")


@dataclass
class Outcome:
    title: str
    passed: int = 0
    skipped: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    output: str = ""  # shown where something failed


@dataclass
class Job:
    title: str
    command: list[str]
    read: object  # (Job, return code, output) -> Outcome
    environment: dict[str, str] = field(default_factory=dict)
    longest_s: int = LONGEST_S


def run(job: Job) -> Outcome:
    """In a process group of its own, which is ended whole: no test leaves a process behind."""
    process = subprocess.Popen(job.command, cwd=ROOT, env=os.environ | job.environment, text=True,
                               errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    late = ""
    try:
        output, _ = process.communicate(timeout=job.longest_s)
    except subprocess.TimeoutExpired:
        late = f"ended after {job.longest_s} s"
        # SIGTERM first, so that the programs it started end what they started.
        signal_group(process, signal.SIGTERM)
        try:
            output, _ = process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            signal_group(process, signal.SIGKILL)
            output, _ = process.communicate()
    signal_group(process, signal.SIGKILL)
    outcome = job.read(job, process.returncode, output)
    if late:
        outcome.failed.append(f"{job.title}: {late}")
    if outcome.failed:
        outcome.output = output
    return outcome


def signal_group(process: subprocess.Popen, number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def read_gtest(job: Job, code: int, output: str) -> Outcome:
    outcome = Outcome(job.title)
    outcome.passed = len(re.findall(r"^\[       OK \]", output, re.M))
    names = re.findall(r"^\[  (?:FAILED |SKIPPED)  ?\] [^\s,]+(?=.*\(\d+ ms\)$)", output, re.M)
    reasons = dict(re.findall(r"^\[ RUN      \] (\S+)\n((?:(?!\[ RUN).*\n)*?)\[  SKIPPED \]", output, re.M))
    for name in names:
        kind, _, test = name.rpartition("] ")
        if "SKIPPED" in kind:
            outcome.skipped.append(f"{job.title}: {test}: {' '.join(reasons.get(test, '').split())}")
        else:
            outcome.failed.append(f"{job.title}: {test}")
    if code != 0 and not outcome.failed:
        outcome.failed.append(f"{job.title}: ended with {code}")
    if code == 0 and outcome.passed == 0:
        outcome.failed.append(f"{job.title}: has no test that passed")
    return outcome


def read_check(job: Job, code: int, _output: str) -> Outcome:
    return Outcome(job.title, passed=int(code == 0), failed=[] if code == 0 else [job.title])


# A line of TAP for a test, at any depth of nesting, and what stands behind `#`.
TAP_LINE = re.compile(r"^(\s*)(not ok|ok) \d+ - (.*?)(?: # (SKIP|TODO)\b ?(.*))?$")


def read_tap(job: Job, code: int, output: str) -> Outcome:
    """Counts leaves: a suite's own line follows its tests, and says nothing that they did not."""
    outcome = Outcome(job.title)
    lines = output.splitlines()
    for i, line in enumerate(lines):
        match = TAP_LINE.match(line)
        if not match or any(re.match(r"\s*type: 'suite'", later) for later in lines[i + 1:i + 5]):
            continue
        _, verdict, name, directive, reason = match.groups()
        # The reporter's line for a whole file, where the runner gives one.
        if name.endswith(".test.mjs"):
            continue
        text = f"{job.title}: {name}"
        if directive:
            outcome.skipped.append(f"{text}: {reason}")
        elif verdict == "ok":
            outcome.passed += 1
        else:
            outcome.failed.append(text)
    if code != 0 and not outcome.failed:
        outcome.failed.append(f"{job.title}: ended with {code}")
    if code == 0 and outcome.passed + len(outcome.skipped) == 0:
        outcome.failed.append(f"{job.title}: has no tests")
    return outcome


def unit_jobs(preset: str) -> list[Job]:
    binaries = sorted((ROOT / "build" / preset).glob("*_test"))
    if preset == "tsan":
        binaries = [b for b in binaries if b.name.removesuffix("_test") in TSAN_LAYERS]
    # halt_on_error: a finding is a failure, not a line in a log.
    sanitizers = {"UBSAN_OPTIONS": "print_stacktrace=1", "TSAN_OPTIONS": "halt_on_error=1"}
    return [Job(f"{preset}/{b.name}", [str(b), "--gtest_color=no"], read_gtest, sanitizers)
            for b in binaries]


def check_jobs() -> list[Job]:
    names = ("check_layers.py", "tidy.py")
    return [Job(name, [str(ROOT / "tools" / name)], read_check) for name in names]


def end_to_end_jobs(preset: str, folder: str = "tests") -> list[Job]:
    program = os.environ.get("RBEE_PROGRAM", "") if preset == "release" else ""
    environment = {"RBEE_PROGRAM": program or str(ROOT / "build" / preset / "rbee")}
    node = ["node", "--test", "--test-reporter=tap"]
    longest_s = LONGEST_SLOW_S if folder == "tests/slow" else LONGEST_S
    return [Job(f"{preset}/{f.name}", [*node, str(f)], read_tap, environment, longest_s)
            for f in sorted((ROOT / folder).glob("*.test.mjs"))]


def machines_jobs() -> list[Job]:
    environment = {"RBEE_PROGRAM": os.environ.get("RBEE_PROGRAM") or str(ROOT / "build/release/rbee")}
    folder = ROOT / "tests" / "machines"
    return [Job(f"machines/{f.name}", [str(folder / "inside"), str(f)], read_tap, environment)
            for f in sorted(folder.glob("*.test.mjs"))]


def fuzz_jobs() -> list[Job]:
    """From the seeds alone, so that a run does not depend on the ones before it."""
    folder = ROOT / "build" / "fuzz"
    jobs = []
    for target in sorted((folder / "fuzz").glob("fuzz_*")):
        name = target.name.removeprefix("fuzz_")
        dictionary = next((ROOT / "fuzz" / f"{word}.dict" for word in (name, name.split("_")[0])
                           if (ROOT / "fuzz" / f"{word}.dict").exists()), None)
        seconds = LONG_FUZZ_SECONDS if name in LONG_FUZZ else FUZZ_SECONDS
        # The first folder is where what is found new is written; it is not kept.
        corpus = folder / "passing" / name
        shutil.rmtree(corpus, ignore_errors=True)
        corpus.mkdir(parents=True)
        command = [str(target), f"-max_total_time={seconds}", "-timeout=10",
                   f"-artifact_prefix={folder}/{name}-",
                   *([f"-dict={dictionary}"] if dictionary else []), str(corpus),
                   *([str(seeds)] if (seeds := ROOT / "fuzz" / "seeds" / name).is_dir() else [])]
        jobs.append(Job(f"fuzz/{name}", command, read_check))
    return jobs


def run_all(jobs: list[Job], names: list[str]) -> list[Outcome]:
    picked = [job for job in jobs if not names or any(name in job.title for name in names)]
    outcomes = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for outcome in pool.map(run, picked):
            outcomes.append(outcome)
            if outcome.failed:
                print(f"--- {outcome.title}\n{outcome.output}", flush=True)
            print(f"{outcome.title}: {outcome.passed} passed, {len(outcome.failed)} failed, "
                  f"{len(outcome.skipped)} skipped", flush=True)
    return outcomes


def summarize(outcomes: list[Outcome]) -> int:
    failed = [name for o in outcomes for name in o.failed]
    skips = [name for o in outcomes for name in o.skipped]
    skipped = [name for name in skips if ALLOWED_SKIP.search(name.rpartition(": ")[2])]
    failed += [f"{name} (skipped without a reason that counts)" for name in skips if name not in skipped]
    for name in failed:
        print(f"FAILED {name}")
    for name in skipped:
        print(f"SKIPPED {name}")
    passed = sum(o.passed for o in outcomes)
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped", flush=True)
    return 1 if failed else 0


def main() -> int:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--all", action="store_true", help="also under the sanitizers")
    parser.add_argument("--unit", action="store_true", help="unit tests only")
    parser.add_argument("--e2e", action="store_true", help="end-to-end tests only")
    parser.add_argument("--machines", action="store_true", help="tests of several machines only")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    jobs: list[Job] = []
    if arguments.machines:
        jobs += machines_jobs()
    if not arguments.e2e and not arguments.machines:
        jobs += unit_jobs("release") + check_jobs()
        jobs += unit_jobs("debug") + unit_jobs("tsan") + fuzz_jobs() if arguments.all else []
    if not arguments.unit and not arguments.machines:
        jobs += end_to_end_jobs("release")
        jobs += end_to_end_jobs("debug") + end_to_end_jobs("release", "tests/slow") if arguments.all else []
        jobs += machines_jobs() if arguments.all else []
    outcomes = run_all(jobs, arguments.names)
    if not outcomes:
        print("no test has such a name, or nothing is built: run `make` first", file=sys.stderr)
        return summarize([Outcome("", failed=["no tests"])])
    return summarize(outcomes)


if __name__ == "__main__":
    sys.exit(main())
