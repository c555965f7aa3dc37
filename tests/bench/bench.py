#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures ours and its peers side by side; called by tools/bench.

Prints a table of medians with ratios and whether each goal is reached, and
writes the same as bench.json and bench.md with plots beside them.  Cases that
are not run this time keep what was measured before.  It never fails on a
figure: whether one matters is for people to say.
"""
import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases                                                # noqa: E402
import data                                                 # noqa: E402
import measure                                              # noqa: E402
import plots                                                # noqa: E402

OUT = os.path.join(data.TOP, 'build', 'bench')
ORDER = ['P1', 'P2', 'P3', 'P4', 'P5', 'P6', 'P7', 'P8', 'P9', 'P10', 'P11',
         'inputs', 'levels']
PEERS = ['zstd', 'libzstd1', 'rclone', 'awscli', 's3cmd', 'libs3-2',
         'radosgw']


def first_line(*argv):
    try:
        out = subprocess.run(argv, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True).stdout
    except OSError:
        return 'not there'
    return out.splitlines()[0] if out else ''


def package(name):
    p = subprocess.run(['dpkg-query', '-W', '-f', '${Version}', name],
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                       text=True)
    return p.stdout if p.returncode == 0 else 'not installed'


def about(disks):
    """Machine, versions and data."""
    with open('/proc/cpuinfo') as f:
        cpu = re.search(r'model name\s*: (.*)', f.read())
    with open('/proc/meminfo') as f:
        memory = int(f.readline().split()[1]) // 1024 // 1024
    blocks = os.path.getsize(disks.blocks())
    return {'machine': f'{cpu[1] if cpu else platform.machine()}, '
                       f'{len(os.sched_getaffinity(0))} CPUs, {memory} GiB, '
                       f'Linux {platform.release()}',
            'qemu-img': first_line(data.tool('qemu-img'), '--version'),
            'obs-push': first_line(data.tool('obs-push'), '--version'),
            'peers': ', '.join(f'{n} {package(n)}' for n in PEERS),
            'data': f'{disks.what}, {blocks / cases.GIB:.2f} GiB in blocks '
                    'of 2 MiB that are not zero'}


def as_json(case, rounds):
    goals = []
    for text, ours, theirs, field, most in case.goals:
        middle, low, high = measure.ratio(ours, theirs, field)
        goals.append({'what': text, 'ours': ours.name, 'against': theirs.name,
                      'field': field, 'ratio': middle, 'low': low,
                      'high': high, 'goal': most, 'reached': middle <= most})
    return {'case': case.name, 'title': case.title,
            'when': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()),
            'load': os.getloadavg()[0], 'rounds': rounds,
            'rows': [measure.as_row(c) for c in case.contestants],
            'goals': goals, 'notes': case.notes, 'points': case.points}


def rate(row):
    return f'{row["work"] / cases.MIB / row["wall"]:.0f}' if row['work'] else ''


def show(r):
    """Prints one case for a terminal."""
    print(f'\n{r["case"]}  {r["title"]}')
    if r['rows']:
        width = max(len(row['name']) for row in r['rows'])
        print(f'  {"":<{width}}  {"wall s":>8} {"CPU s":>8} {"MiB":>6} '
              f'{"MiB/s":>8}')
        for row in r['rows']:
            print(f'  {row["name"]:<{width}}  {row["wall"]:8.2f} '
                  f'{row["cpu"]:8.2f} {row["memory_mib"]:6.0f} '
                  f'{rate(row):>8}')
    for g in r['goals']:
        print(f'  {g["what"]} ({g["against"]}): {g["ratio"]:.2f} x '
              f'({g["low"]:.2f} to {g["high"]:.2f}), goal {g["goal"]:.2f}: '
              f'{"reached" if g["reached"] else "MISSED"}')
    for note in r['notes']:
        print('  ' + note)
    sys.stdout.flush()


def markdown(machine, results):
    """The same for a README."""
    out = [f'{key}: {value}  ' for key, value in machine.items()]
    out += ['', '| case | against | ratio (lowest to highest) | goal | |',
            '|---|---|---|---|---|']
    for r in results:
        for g in r['goals']:
            out.append(f'| {r["case"]} {g["what"]} | {g["against"]} | '
                       f'{g["ratio"]:.2f} ({g["low"]:.2f} to '
                       f'{g["high"]:.2f}) | {g["goal"]:.2f} | '
                       f'{"reached" if g["reached"] else "**missed**"} |')
    for r in results:
        out += ['', f'**{r["case"]}** {r["title"]} ({r["rounds"]} rounds)', '']
        if r['rows']:
            out += ['| | wall s | CPU s | peak MiB | MiB/s |',
                    '|---|--:|--:|--:|--:|']
            for row in r['rows']:
                out.append(f'| {row["name"]} | {row["wall"]:.2f} | '
                           f'{row["cpu"]:.2f} | {row["memory_mib"]:.0f} | '
                           f'{rate(row)} |')
            out.append('')
        out += ['- ' + note for note in r['notes']]
    return '\n'.join(out) + '\n'


def earlier(path):
    """Results of an earlier run by case."""
    try:
        with open(path) as f:
            return {r['case']: r for r in json.load(f)['results']}
    except (OSError, ValueError, KeyError):
        return {}


def main():
    parser = argparse.ArgumentParser(prog='tools/bench',
                                     description=__doc__.split('\n')[0])
    parser.add_argument('case', nargs='*', metavar='CASE',
                        help=f'which ({" ".join(ORDER)}); all by default')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--quick', action='store_true',
                        help='a quarter of a GiB of data made on the spot, '
                             'for a first look')
    args = parser.parse_args()
    wanted = args.case or ORDER
    for name in wanted:
        if name not in ORDER:
            parser.error(f'no case {name}')
    out = os.path.join(OUT, 'quick') if args.quick else OUT
    os.makedirs(out, exist_ok=True)
    disks = data.QuickDisks(os.path.join(data.CACHE, 'quick')) \
        if args.quick else data.Disks()
    machine = about(disks)
    for key, value in machine.items():
        print(f'{key}: {value}')
    report = os.path.join(out, 'bench.json')
    by_case = earlier(report)
    with cases.Bench(disks, args.rounds, args.quick) as bench:
        for name in wanted:
            case = getattr(bench, name.lower())()
            by_case[name] = as_json(case, bench.rounds)
            show(by_case[name])
            results = [by_case[n] for n in ORDER if n in by_case]
            with open(report, 'w') as f:
                json.dump(dict(machine, results=results), f, indent=1)
            with open(os.path.join(out, 'bench.md'), 'w') as f:
                f.write(markdown(machine, results))
    plots.draw(out, results)
    missed = sum(not g['reached'] for r in results for g in r['goals'])
    print(f'\n{missed} goals missed; bench.json, bench.md and plots are in '
          f'{os.path.relpath(out)}')


if __name__ == '__main__':
    main()
