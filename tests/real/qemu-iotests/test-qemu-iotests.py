#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's own iotests with -zvhd2: all that QEMU calls generic.

tests.txt says of each whether it runs or why it can't.  Every test is really
started: one that runs must pass, and one that can't must fail for the reason
that the table gives.  With --survey it prints the table as it finds it.

An image of this format is written once and in order and is then read only;
QEMU's tests open every image for writing even to read it, so qemu-io-reader
stands in for qemu-io and opens what is finished as a reader would.
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import common                                               # noqa: E402
import servers                                              # noqa: E402

TABLE = os.path.join(HERE, 'tests.txt')
# What the output of a test that can't run has in it; tests.txt says what each
# verdict means.  None: found in another way, or not started at all.
REASONS = {
    'emulator': None,
    'protocol': r'not suitable for this image protocol',
    'user': r'run this test as root',
    'ssh': r"ssh not available|Unknown driver 'ssh'",
    'order': r'goes back into block \d+, which is already compressed',
    'again': r'Block node is read-only',
    'unfinished': r'[Ii]mage is not finished|is not finished and cannot be '
                  r'used',
    'endless': None,
    'lint': None,
}
RUNS = 'runs', 'opened'
NOT_STARTED = 'endless', 'lint'


def source_tree():
    """QEMU's source that the tools were built from."""
    build = os.path.dirname(os.path.realpath(common.tool('qemu-img')))
    return os.path.join(os.path.dirname(build), 'src',
                        os.path.basename(build))


def table():
    """{test: verdict} of tests.txt."""
    rows = {}
    with open(TABLE) as f:
        for line in f:
            if line.strip() and not line.startswith('#'):
                name, verdict = line.split()[:2]
                rows[name] = verdict
    return rows


class Check:
    """A copy of QEMU's iotests, and ./check on single tests of it."""

    def __init__(self, opened=()):
        # short, as sockets want it, and without a dot, as some tests do:
        # TMPDIR may be neither
        base = '/dev/shm' if os.access('/dev/shm', os.W_OK) else '/tmp'
        self.dir = tempfile.mkdtemp(prefix='iotests', dir=base)
        self.tests = os.path.join(self.dir, 'tests', 'qemu-iotests')
        source = source_tree()
        shutil.copytree(os.path.join(source, 'tests', 'qemu-iotests'),
                        self.tests, symlinks=True)
        for name in 'python', 'scripts':
            os.symlink(os.path.join(source, name),
                       os.path.join(self.dir, name))
        # ./check wants to be a link in a build tree
        link = os.path.join(self.dir, 'build', 'tests', 'qemu-iotests')
        os.makedirs(link)
        self.check = os.path.join(link, 'check')
        os.symlink(os.path.join(self.tests, 'check'), self.check)
        for name in opened:
            path = self.path(name)
            text = self.text(name)
            with open(path, 'w') as f:
                f.write(re.sub(r'(?m)^_supported_fmt .*$',
                               '_supported_fmt generic', text))

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        plain = os.path.join(self.tests, name)
        return plain if os.path.exists(plain) else \
            os.path.join(self.tests, 'tests', name)

    def text(self, name):
        with open(self.path(name), encoding='utf-8') as f:
            return f.read()

    def environment(self, name):
        scratch = os.path.join(self.dir, 'scratch', name)
        env = common.clean_env(
            TEST_DIR=os.path.join(scratch, 'images'),
            SOCK_DIR=os.path.join(scratch, 's'),
            NO_EMULATOR_MARK=os.path.join(scratch, 'wanted-an-emulator'),
            QEMU_PROG=os.path.join(HERE, 'no-emulator'),
            QEMU_IMG_PROG=common.tool('qemu-img'),
            QEMU_NBD_PROG=common.tool('qemu-nbd'),
            QSD_PROG=common.tool('qemu-storage-daemon'),
            QEMU_IO_PROG=os.path.join(HERE, 'qemu-io-reader'),
            READER_QEMU_IO=common.tool('qemu-io'))
        os.makedirs(scratch, exist_ok=True)
        return env

    def all_generic(self):
        """Names of the tests that are for every format, as their own
        requirement lines say."""
        out = common.run(self.check, '-zvhd2', '-n', cwd=self.tests,
                         env=self.environment('list'))
        found = []
        for name in map(os.path.basename, out.split()):
            text = self.text(name)
            wanted = ' '.join(
                re.findall(r'^_supported_fmt (.*)', text, re.M) +
                re.findall(r'(?<!un)supported_fmts ?= ?(\[[^]]*\])', text))
            if not wanted or 'generic' in wanted:
                found.append(name)
        return found

    def run(self, name):
        """(passed, wanted an emulator, output) of one test."""
        env = self.environment(name)
        out, code = common.run_any(self.check, '-zvhd2', name, env=env,
                                   cwd=self.tests, timeout=600)
        # one line of each message, whatever it was wrapped by
        out = re.sub(r'\n\+? *┃ ', ' ', out.replace('\r', '\n'))
        passed = code == 0 and 'Passed all 1 iotests' in out
        return passed, os.path.exists(env['NO_EMULATOR_MARK']), out

    def verdict(self, name):
        """(why it can't run or 'runs' or 'unknown', output)"""
        passed, emulator, out = self.run(name)
        if passed:
            return 'runs', out
        if emulator:
            return 'emulator', out
        for verdict, pattern in REASONS.items():
            if pattern and re.search(pattern, out):
                return verdict, out
        return 'unknown', out


def verdicts(check, names):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(names, pool.map(check.verdict, names)))


class Iotests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # without it fuse-allow-other ends before it wants an emulator
        servers.install('sudo')
        cls.table = table()
        cls.check = Check([n for n, v in cls.table.items() if v == 'opened'])
        cls.addClassCleanup(cls.check.close)
        cls.generic = cls.check.all_generic()

    def test_every_generic_test_is_in_the_table(self):
        self.assertGreater(len(self.generic), 30)
        self.assertEqual([n for n in self.generic if n not in self.table], [])

    def test_each_runs_or_fails_for_its_reason(self):
        here = [n for n, v in self.table.items() if v not in NOT_STARTED
                and os.path.exists(self.check.path(n))]
        self.assertGreater(len(here), 30)
        for name, (verdict, out) in verdicts(self.check, here).items():
            want = self.table[name].replace('opened', 'runs')
            if want == 'user' and os.geteuid() != 0:
                want = 'emulator'
            with self.subTest(name):
                self.assertEqual(verdict, want, f'{name}:\n{out[-4000:]}')
        ran = [n for n in here if self.table[n] in RUNS]
        print(f'{len(ran)} of QEMU\'s iotests run: {" ".join(ran)}')

    def test_verdicts_are_known(self):
        self.assertEqual(set(self.table.values()) - set(REASONS)
                         - set(RUNS), set())


def survey():
    known = table() if os.path.exists(TABLE) else {}
    kept = {n: v for n, v in known.items() if v in ('opened',) + NOT_STARTED}
    check = Check()
    names = [n for n in check.all_generic() if n not in kept]
    rows = {n: v for n, (v, _) in verdicts(check, names).items()}
    check.close()
    # what other versions of QEMU have stays
    for name, verdict in sorted({**known, **rows, **kept}.items()):
        print(f'{name:<28} {verdict}')


if __name__ == '__main__':
    if sys.argv[1:] == ['--survey']:
        survey()
    else:
        unittest.main()
