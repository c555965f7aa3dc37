#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds everything and runs every test; called by tools/run-tests.

One line a test file, the whole output of those that fail, and as the last
line 'N passed, N failed[, N skipped]'.  Exit status 0 only if none failed.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, 'build')
LOGS = os.path.join(BUILD, 'tests-log')
OVERLAY = os.path.join(TOP, 'tools', 'qemu-overlay')

# suite: what it is.  'everyday' and 'all' are sets of these.
SUITES = {
    'style': 'licences, layering, checkpatch, clang thread-safety analysis',
    'unit': 'pure modules and obs-push: unit tests, also with ASan/UBSan '
            'and valgrind; replay of the fuzz corpora',
    'overlay': 'the overlay on QEMU trees: apply, undo, refuse',
    'driver': 'ZVHD2 through qemu-img, qemu-io, qemu-nbd',
    'matrix': 'the same driver and bitmap tests on the other QEMU versions',
    'bitmap': 'RAW bitmaps',
    'push': 'obs-push against the local cloud',
    'cloud-real': 'obs-push against Ceph, Swift, Keystone and the vendor\'s '
                  'SDKs',
    'guest': 'disks that boot: lazily from a bucket, and from other clients',
    'qemu-iotests': 'QEMU\'s own iotests with -zvhd2',
    'bench-smoke': 'fails on a gross loss of speed (2 x)',
    'fresh': 'the README\'s two commands on bare Debian 12 and 13',
}
# These mount, write below /etc or keep files of all owners.  Who is not root
# runs them through sudo.
AS_ROOT = ('cloud-real/test-swift.py', 'guest/test-boot.py',
           'guest/test-disks.py', 'fresh/test-fresh.py')
EVERYDAY = ['style', 'unit', 'overlay', 'driver', 'bitmap', 'push']
CI = [s for s in SUITES if s != 'fresh']

# Debian 12 has 7.2, Debian 13 has 10.0; the default is the machine's own.
VERSIONS = ['7.2', '10.0', '10.2']


class Item:
    """One thing that runs: a name, a command, how its output is counted."""

    def __init__(self, suite, name, argv, kind, env=None, timeout=900,
                 alone=False):
        self.suite, self.name, self.argv, self.kind = suite, name, argv, kind
        self.env, self.timeout, self.alone = env or {}, timeout, alone
        self.sudo = os.geteuid() != 0 and name.endswith(AS_ROOT)
        self.passed = self.failed = self.skipped = 0
        self.output, self.seconds = '', 0.0


def count(item, status):
    """Fills the item's counts from its output; a silent run is a failure."""
    out = item.output
    if item.kind == 'tap':
        for line in out.splitlines():
            if re.match(r'ok \d+.*# SKIP', line, re.I):
                item.skipped += 1
            elif re.match(r'ok \d+', line):
                item.passed += 1
            elif re.match(r'not ok \d+', line):
                item.failed += 1
    elif item.kind == 'unittest':
        ran = re.findall(r'^Ran (\d+) tests?', out, re.M)
        last = re.findall(r'^(?:OK|FAILED)(?: \((.*)\))?$', out, re.M)
        if ran and last:
            words = dict(w.split('=') for w in last[-1].split(', ') if w)
            item.skipped = int(words.get('skipped', 0))
            item.failed = int(words.get('failures', 0)) + \
                int(words.get('errors', 0)) + \
                int(words.get('unexpected successes', 0))
            item.passed = int(ran[-1]) - item.skipped - item.failed
    else:
        item.passed = 1 if status == 0 else 0
    if status != 0 and item.failed == 0:
        item.failed = 1
    if item.passed + item.failed + item.skipped == 0:
        item.output += '\nno test ran\n'
        item.failed = 1


def execute(item):
    env = dict(os.environ, **item.env)
    tmp = os.path.join(BUILD, 'tests-tmp',
                       re.sub(r'[^A-Za-z0-9.-]+', '_', item.name))
    remove(tmp, item.sudo)
    os.makedirs(tmp)
    env['TEST_TMP'] = env['TMPDIR'] = tmp
    argv = item.argv
    if item.sudo:
        # sudo passes no environment on, and asks for a password on the
        # terminal, which a new session has none of
        argv = ['sudo', 'env', *(f'{k}={env[k]}' for k in
                                 ('PATH', 'TEST_TMP', 'TMPDIR', *item.env)),
                *argv]
    start = time.monotonic()
    try:
        proc = subprocess.Popen(argv, cwd=TOP, env=env, text=True,
                                stdin=subprocess.DEVNULL, errors='replace',
                                stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT,
                                start_new_session=not item.sudo)
    except OSError as error:    # not built: this one fails, the others run
        item.output = f'{argv[0]}: {error.strerror}\n'
        remove(tmp, item.sudo)
        count(item, -1)
        return
    try:
        item.output, _ = proc.communicate(timeout=item.timeout)
        status = proc.returncode
    except subprocess.TimeoutExpired:
        end(proc, item.sudo)
        item.output, _ = proc.communicate()
        item.output += f'\nkilled after {item.timeout} s\n'
        status = -9
    # what a test left running must not slow the next one
    end(proc, item.sudo)
    item.seconds = time.monotonic() - start
    remove(tmp, item.sudo)
    count(item, status)


def end(proc, sudo):
    """Ends a test and what it has started."""
    try:
        if sudo:
            proc.terminate()            # sudo hands it on
        else:
            os.killpg(proc.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def remove(folder, sudo):
    if sudo and os.path.exists(folder):
        subprocess.run(['sudo', 'rm', '-rf', '--one-file-system', folder],
                       check=True)
    shutil.rmtree(folder, ignore_errors=True)


def say(text=''):
    print(text, flush=True)


class Runner:
    def __init__(self, jobs):
        self.jobs, self.done, self.lock = jobs, [], threading.Lock()

    def one(self, item):
        execute(item)
        log = re.sub(r'[^A-Za-z0-9.-]+', '_', item.name) + '.log'
        with open(os.path.join(LOGS, log), 'w') as f:
            f.write(item.output)
        with self.lock:
            self.done.append(item)
            word = 'FAIL' if item.failed else 'ok  '
            skip = f', {item.skipped} skipped' if item.skipped else ''
            say(f'{word} {item.suite:<12} {item.name:<52} '
                f'{item.passed} passed{skip}  {item.seconds:.1f} s')
            if item.failed:
                lines = item.output.splitlines()
                for line in lines[-200:]:
                    say('     | ' + line)

    def run(self, items):
        # those that must have the machine to themselves come last
        shared = [i for i in items if not i.alone]
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            list(pool.map(self.one, shared))
        for item in items:
            if item.alone:
                self.one(item)

    def run_each(self, items):
        for item in items:
            self.one(item)


def default_version():
    """The version that build/bin/ leads to, e.g. '7.2'."""
    target = os.path.realpath(os.path.join(BUILD, 'bin', 'qemu-img'))
    match = re.search(r'/qemu-([0-9.]+)/', target)
    return match[1] if match else None


def bin_dir(version):
    """A folder with links to all tools of one version and obs-push."""
    folder = os.path.join(BUILD, 'tests-bin', version)
    os.makedirs(folder, exist_ok=True)
    built = os.path.join(BUILD, f'qemu-{version}')
    for name, path in (
            ('qemu-img', 'qemu-img'), ('qemu-io', 'qemu-io'),
            ('qemu-nbd', 'qemu-nbd'),
            ('qemu-storage-daemon', 'storage-daemon/qemu-storage-daemon')):
        link(os.path.join(built, path), os.path.join(folder, name))
    link(os.path.join(BUILD, 'meson', 'tools', 'obs-push', 'obs-push'),
         os.path.join(folder, 'obs-push'))
    return folder


def link(target, name):
    if os.path.lexists(name):
        os.unlink(name)
    os.symlink(target, name)


def tests_in(suite, pattern, env=None, label='', **more):
    files = sorted(glob.glob(os.path.join(TOP, 'tests', pattern)))
    return [Item(suite, os.path.relpath(f, TOP) + label,
                 ['python3', '-B', f], 'unittest', env, **more)
            for f in files]


def unit_items(build, suite, label, wrapper=()):
    import json
    out = subprocess.run(['meson', 'introspect', '--tests', build], text=True,
                         stdout=subprocess.PIPE, check=True).stdout
    items = []
    for test in json.loads(out):
        # fuzz replay is the sanitizers' work; the vendor's images are the
        # same code as the other tests on 300 MB more
        if wrapper and ('fuzz' in ' '.join(test['suite'])
                        or 'vectors' in test['name']):
            continue
        kind = 'tap' if test['protocol'] == 'tap' else 'exit'
        env = {k: v for k, v in test['env'].items()} \
            if isinstance(test['env'], dict) else {}
        items.append(Item(suite, test['name'] + label,
                          list(wrapper) + test['cmd'], kind, env))
    return items


def meson_item(folder, *options):
    path = os.path.join(BUILD, folder)
    again = '--reconfigure' if os.path.exists(
        os.path.join(path, 'build.ninja')) else ''
    # also a folder of before: it must not hide what a new one would show
    return Item('build', f'meson {folder}',
                ['bash', '-c', f'meson setup {again} {" ".join(options)} '
                               f'"{path}" . && ninja -C "{path}"'], 'exit')


def main():
    parser = argparse.ArgumentParser(prog='tools/run-tests',
                                     description=__doc__.split('\n')[0])
    parser.add_argument('--suite', action='append', metavar='NAME',
                        help='only this suite (may be given again); '
                             "'everyday' is the quick part")
    parser.add_argument('--list', action='store_true',
                        help='list the suites')
    parser.add_argument('--qemu', action='append', metavar='VERSION',
                        help='only these QEMU versions in the matrix')
    parser.add_argument('--match', default='', metavar='TEXT',
                        help='only test files whose name has TEXT in it')
    parser.add_argument('--jobs', type=int, default=os.cpu_count() or 2)
    args = parser.parse_args()
    if args.list:
        for name, text in SUITES.items():
            mark = '*' if name in EVERYDAY else '+' if name in CI else ' '
            say(f'{mark} {name:<13} {text}')
        say("\n* everyday, * and + by default, the rest only by --suite NAME")
        return 0
    wanted = []
    for name in args.suite or CI:
        if name not in SUITES and name != 'everyday':
            parser.error(f"no suite '{name}'; see --list")
        wanted += EVERYDAY if name == 'everyday' else [name]
    # who starts this in the background may have SIGINT ignored, and tests that
    # interrupt programs would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.makedirs(LOGS, exist_ok=True)
    # here and not by a test that runs as root
    os.makedirs(os.path.join(BUILD, 'cache'), exist_ok=True)
    start = time.monotonic()
    runner = Runner(args.jobs)
    need_qemu = set(wanted) - {'style', 'unit', 'fresh'}
    builds = []
    if set(wanted) - {'fresh'}:
        builds.append(meson_item('meson'))
    if 'unit' in wanted:
        builds.append(meson_item('asan', '--werror', '-Db_lundef=false',
                                 '-Db_sanitize=address,undefined'))
    if need_qemu:
        # without a version: the machine's own, which build/bin/ leads to
        builds.append(Item('build', 'qemu', [OVERLAY, 'build'], 'exit',
                           timeout=3000))
    # one after the other: each uses all CPUs by itself
    runner.run_each(builds)
    default = default_version()
    others = [v for v in args.qemu or VERSIONS if v != default]
    if 'matrix' in wanted:
        more = [Item('build', f'qemu {v}', [OVERLAY, 'build', '--qemu', v],
                     'exit', timeout=3000) for v in others]
        runner.run_each(more)
        builds += more
    if any(i.failed for i in builds):
        say('the build failed; tests that need it will fail too')
    bindir = os.path.join(BUILD, 'bin')
    if os.path.exists(os.path.join(BUILD, 'meson')):
        os.makedirs(bindir, exist_ok=True)
        link('../meson/tools/obs-push/obs-push',
             os.path.join(bindir, 'obs-push'))
    env = {'BUILD_BIN': bindir, 'QEMU_MATRIX': bindir,
           'PYTHONDONTWRITEBYTECODE': '1'}
    items = []
    if 'unit' in wanted:
        items += unit_items(os.path.join(BUILD, 'asan'), 'unit', ' (asan)')
        items += unit_items(os.path.join(BUILD, 'meson'), 'unit',
                            ' (valgrind)',
                            ['valgrind', '-q', '--error-exitcode=99',
                             '--leak-check=full', '--errors-for-leak-kinds='
                             'definite', '--trace-children=no'])
    if 'style' in wanted:
        items += tests_in('style', 'style/test-*.py', env)
        items.append(Item('style', 'qemu-overlay style', [OVERLAY, 'style'],
                          'exit', timeout=1800))
    if 'overlay' in wanted:
        items += tests_in('overlay', 'overlay/test-*.py', env)
    if 'driver' in wanted:
        items += tests_in('driver', 'iotests/test-*.py', env)
    if 'bitmap' in wanted:
        items += tests_in('bitmap', 'cli/test-bitmap-*.py', env)
    if 'push' in wanted:
        items += tests_in('push', 'cloud/test-*.py', env)
        items += tests_in('push', 'cli/test-push-*.py', env)
        items += tests_in('push', 'cli/test-demo.py', env)
    if 'matrix' in wanted:
        for version in others:
            folder = bin_dir(version)
            quick = dict(env, BUILD_BIN=folder, QEMU_MATRIX=folder, QUICK='1')
            for pattern in 'iotests/test-*.py', 'cli/test-bitmap-*.py':
                items += tests_in('matrix', pattern, quick, f' @{version}')
    for suite in 'cloud-real', 'guest', 'qemu-iotests', 'fresh':
        if suite in wanted:
            items += tests_in(suite, f'real/{suite}/test-*.py', env,
                              timeout=4 * 3600 if suite == 'fresh' else 3600,
                              alone=suite != 'qemu-iotests')
    if 'bench-smoke' in wanted:
        items += tests_in('bench-smoke', 'bench/test-*.py', env, alone=True)
    items = [i for i in items if args.match in i.name]
    runner.run(items)
    done = runner.done
    if not items:
        say('no test file matches')
    passed = sum(i.passed for i in done if i.suite != 'build')
    failed = sum(i.failed for i in done) + (0 if items else 1)
    skipped = sum(i.skipped for i in done)
    for item in done:
        if item.failed:
            say(f'failed: {item.suite}: {item.name}')
    say(f'{(time.monotonic() - start) / 60:.1f} minutes, logs in '
        f'{os.path.relpath(LOGS, TOP)}')
    say(f'{passed} passed, {failed} failed'
        + (f', {skipped} skipped' if skipped else ''))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
