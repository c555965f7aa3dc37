# SPDX-License-Identifier: GPL-2.0-or-later
"""A test case that runs obs-push against a local cloud of its own."""

import json
import os
import random
import shutil
import subprocess
import unittest

import cloudtest
import zvhd2ref

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD_BIN = os.environ.get('BUILD_BIN', os.path.join(HERE, '..', '..', 'build',
                                                     'bin'))
OBS_PUSH = os.path.join(BUILD_BIN, 'obs-push')

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
UBUNTU = 'Ubuntu 22.04 server 64bit'


class Result:
    """What a run of obs-push left: exit code, output, errors."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def events(self):
        """The JSON lines of --json."""
        return [json.loads(line) for line in self.out.splitlines()]

    def stages(self, stage):
        return [event for event in self.events()
                if event['event'] == 'stage' and event['stage'] == stage]

    def results(self, stage):
        """Entries of a list."""
        return [event for event in self.events()
                if event['event'] == 'result' and event['stage'] == stage]

    def __str__(self):
        return 'exit %s\n--- out\n%s--- err\n%s' % (self.code, self.out,
                                                    self.err)


def random_bytes(size, seed=1):
    return random.Random(seed).randbytes(size)


class PushCase(unittest.TestCase):
    """self.cloud, self.folder; cloud() may be called again for another."""

    cloud_arguments = {}
    # None: what a user gets without the option.
    signature = None

    def setUp(self):
        self.folder = cloudtest.scratch('push-')
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.state = os.path.join(self.folder, 'state')
        self.cloud = cloudtest.Cloud(**self.cloud_arguments)
        self.addCleanup(self.cloud.close)

    def path(self, name):
        return os.path.join(self.folder, name)

    def file(self, name, size, seed=1):
        """A file of random bytes."""
        with open(self.path(name), 'wb') as f:
            for start in range(0, size, 8 * MIB):
                f.write(random_bytes(min(8 * MIB, size - start),
                                     seed * 1000003 + start))
        return self.path(name)

    def zvhd2(self, name='image01.zvhd2', size=GIB, blocks=8):
        """A good image with some incompressible blocks."""
        return zvhd2ref.make(self.path(name), size,
                             {3 * n: random_bytes(2 * MIB, n)
                              for n in range(blocks)})

    def raw(self, name, size, pieces):
        """A sparse file: pieces is {offset: bytes}."""
        with open(self.path(name), 'wb') as f:
            f.truncate(size)
            for offset, data in pieces.items():
                f.seek(offset)
                f.write(data)
        return self.path(name)

    def where(self):
        """Options that lead to the local cloud."""
        url = self.cloud.url
        options = ['--endpoint', url, '--region', 'eu-de', '--state-dir',
                   self.state]
        if self.cloud.ca:
            options += ['--cacert', self.cloud.ca]
        if self.signature:
            options += ['--signature', self.signature]
        return options

    def services(self):
        """And to its other services."""
        url = self.cloud.url
        return ['--ims-endpoint', url, '--iam-endpoint', url,
                '--poll-interval', '1']

    def command(self, *arguments):
        return [OBS_PUSH, *map(str, arguments)]

    def start(self, *arguments, env=None, **how):
        return subprocess.Popen(self.command(*arguments),
                                env=env or self.cloud.env(),
                                stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **how)

    def run_push(self, *arguments, code=0, env=None, timeout=300, **how):
        """Run it to its end; the exit code is checked unless None."""
        done = subprocess.run(self.command(*arguments), timeout=timeout,
                              env=env or self.cloud.env(),
                              stdin=subprocess.DEVNULL, capture_output=True,
                              **how)
        result = Result(done.returncode, done.stdout.decode(),
                        done.stderr.decode())
        if code is not None:
            self.assertEqual(result.code, code, result)
        self.assertNotIn(self.cloud.sk, result.out + result.err)
        return result

    def upload(self, file, key='key', *arguments, bucket=None, **how):
        """obs-push upload to the test bucket."""
        return self.run_push('upload', file, 'obs://%s/%s'
                             % (bucket or self.cloud.bucket, key),
                             *self.where(), *arguments, **how)

    def push(self, file, key='images/', *arguments, name='web-01',
             os_version=UBUNTU, **how):
        """The whole way, with a name and a system unless these are None."""
        more = []
        if name is not None:
            more += ['--name', name]
        if os_version is not None:
            more += ['--os-version', os_version]
        return self.run_push(file, 'obs://%s/%s' % (self.cloud.bucket, key),
                             *self.where(), *self.services(), *more,
                             *arguments, **how)

    def assert_stored(self, key, file):
        """The object holds exactly the file's bytes."""
        size = os.stat(file).st_size
        self.assertEqual(self.cloud.objects()[key]['size'], size)
        with open(file, 'rb') as f:
            for start in range(0, size, 16 * MIB):
                length = min(16 * MIB, size - start)
                self.assertTrue(f.read(length) ==
                                self.cloud.read(key, start, length),
                                '%s differs between %d and %d'
                                % (key, start, start + length))

    def assert_clean(self):
        """Nothing unfinished is left, here or there."""
        self.assertEqual(self.cloud.uploads(), [])
        left = os.listdir(self.state) if os.path.isdir(self.state) else []
        self.assertEqual(left, [])

    def parts_sent(self):
        """Part numbers of upload-part in the order of the log."""
        return [record['part'] for record in self.cloud.log('upload-part')]
