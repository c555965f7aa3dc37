# SPDX-License-Identifier: GPL-2.0-or-later
"""Times whole commands side by side: in turn, several rounds, medians.

A machine's speed drifts, so a figure alone says little; what is compared runs
in the same rounds, A B C A B C ..., and the ratio is taken round by round.
"""
import os
import statistics
import subprocess
import tempfile
import threading
import time

# A process starts with the peak memory of the one that forked it, so a small
# program starts the measured ones.
LAUNCHER = '/usr/bin/time'


class Sample:
    """One run: wall and CPU seconds, peak memory in KiB of the largest
    process, exit status."""

    def __init__(self, wall, cpu, memory, status, output):
        self.wall, self.cpu, self.memory = wall, cpu, memory
        self.status, self.output = status, output


class Contestant:
    """@before runs untimed before each run; @work is what the run does in
    bytes, for rates.  @env replaces the environment."""

    def __init__(self, name, argv, before=None, work=None, env=None):
        self.name, self.argv, self.before = name, argv, before
        self.work, self.env = work, env
        self.samples = []


class Case:
    """@goals: (text, ours, theirs, field, largest ratio of the field);
    @points: (level, size, bytes of data, seconds), of the levels only."""

    def __init__(self, name, title, contestants, goals, notes=(), points=()):
        self.name, self.title = name, title
        self.contestants, self.goals = contestants, goals
        self.notes, self.points = list(notes), list(points)


def run_once(argv, env=None):
    """Runs a command; the kernel's own accounting of it and its children."""
    note, name = tempfile.mkstemp()
    os.close(note)
    read, write = os.pipe()
    start = time.monotonic()
    child = subprocess.Popen([LAUNCHER, '-f', '%M', '-o', name, *argv],
                             stdin=subprocess.DEVNULL, stdout=write,
                             stderr=write, env=env)
    os.close(write)
    pieces = []

    def drain():
        with os.fdopen(read, 'rb') as f:
            while piece := f.read(65536):
                pieces.append(piece)

    reader = threading.Thread(target=drain)
    reader.start()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    reader.join(10)
    with open(name) as f:
        memory = int(f.read().split()[-1])
    os.unlink(name)
    return Sample(wall, usage.ru_utime + usage.ru_stime, memory,
                  child.returncode,
                  b''.join(pieces).decode(errors='replace'))


def compare(contestants, rounds, warmup=1):
    """Runs all in turn; the warm-up rounds do not count."""
    for number in range(-warmup, rounds):
        for c in contestants:
            if c.before:
                c.before()
            sample = run_once(c.argv, c.env)
            if sample.status:
                raise RuntimeError(f'{" ".join(c.argv)}\nexited '
                                   f'{sample.status}:\n{sample.output}')
            if number >= 0:
                c.samples.append(sample)
    return contestants


def median(contestant, field):
    return statistics.median(getattr(s, field) for s in contestant.samples)


def ratio(a, b, field):
    """Median of the ratios a/b, round by round, with the lowest and highest."""
    values = sorted(getattr(x, field) / max(getattr(y, field), 1e-9)
                    for x, y in zip(a.samples, b.samples))
    return statistics.median(values), values[0], values[-1]


def total(name, *parts):
    """What several contestants of the same rounds take together."""
    c = Contestant(name, [])
    for samples in zip(*[p.samples for p in parts]):
        c.samples.append(Sample(sum(s.wall for s in samples),
                                sum(s.cpu for s in samples),
                                max(s.memory for s in samples), 0, ''))
    return c


def as_row(contestant):
    """The medians of a contestant for the table and the JSON file."""
    return {'name': contestant.name,
            'wall': median(contestant, 'wall'),
            'cpu': median(contestant, 'cpu'),
            'memory_mib': median(contestant, 'memory') / 1024,
            'runs': len(contestant.samples),
            'wall_all': [s.wall for s in contestant.samples],
            'cpu_all': [s.cpu for s in contestant.samples],
            'work': contestant.work}
