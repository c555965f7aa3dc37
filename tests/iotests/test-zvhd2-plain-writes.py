#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plain writes into a new image: ascending ones only, and never half an image.

An image is finished by the write that reaches the end of its disk, or by the
end of a convert; before that nothing opens it as a disk.
"""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import qemutest     # noqa: E402
import zvhd2ref as ref  # noqa: E402
from qemutest import (GIB, KIB, MIB, contents, per_build,   # noqa: E402
                      sparse_digest)

SIZE = 21 * MIB + 512


class WriteCase(qemutest.QemuCase):
    def setUp(self):
        super().setUp()
        self.z = self.path('z.zvhd2')

    def create(self, size=SIZE, *opts):
        if os.path.exists(self.z):
            os.unlink(self.z)
        self.img('create', '-f', 'zvhd2', *opts, self.z, size)

    def good(self, raw):
        self.assertEqual(ref.check(self.z), [])
        self.assertEqual(ref.Image(self.z).header.orig_size,
                         os.path.getsize(raw))
        self.assert_same_disk(self.z, raw)


@per_build
class Programs(WriteCase):
    def setUp(self):
        super().setUp()
        self.raw = qemutest.random_raw(self.path('r.raw'), SIZE, 31)
        with open(self.raw, 'r+b') as f:    # a tail of zeros is the hard one
            f.seek(-3 * MIB, os.SEEK_END)
            f.write(bytes(3 * MIB))

    def test_dd(self):
        for bs in ('512', '4k', '1000k', '1M', '2M', '5M', '64M'):
            with self.subTest(bs=bs):
                if bs == '512' and qemutest.QUICK:
                    continue
                self.img('dd', '-f', 'raw', '-O', 'zvhd2', f'bs={bs}',
                         f'if={self.raw}', f'of={self.z}')
                self.good(self.raw)

    def test_dd_part(self):
        self.img('dd', '-f', 'raw', '-O', 'zvhd2', 'bs=1M', 'count=7',
                 'skip=2', f'if={self.raw}', f'of={self.z}')
        part = self.path('part.raw')
        with open(self.raw, 'rb') as f, open(part, 'wb') as p:
            f.seek(2 * MIB)
            p.write(f.read(5 * MIB))    # qemu-img's count includes the skip
        image = ref.Image(self.z)
        self.assertEqual(ref.check(self.z), [])
        if image.header.orig_size == 7 * MIB:
            with open(self.raw, 'rb') as f, open(part, 'wb') as p:
                f.seek(2 * MIB)
                p.write(f.read(7 * MIB))
        self.good(part)

    def test_nbdcopy(self):
        for opts in (['--synchronous'], ['--connections=1', '--requests=1'],
                     ['--connections=1'], ['--synchronous', '--flush'],
                     ['--synchronous', '--allocated'],
                     ['--synchronous', '--destination-is-zero'],
                     ['--synchronous', '--sparse=0'],
                     ['--synchronous', '--request-size=1048576']):
            with self.subTest(opts=opts):
                self.create()
                # a raw file that is no multiple of 512 bytes does not exist
                uri = self.qemu_nbd(self.z)
                self.run_it('nbdcopy', *opts, self.raw, uri)
                self.good(self.raw)

    def test_large_zeros(self):
        """The largest requests that there are, past a bitmap segment."""
        size, commands = 66 * GIB, []
        for gib in range(0, 66):
            if gib in (3, 65):
                commands += [f'write -P 7 {gib * GIB} 5M',
                             f'write -z {gib * GIB + 5 * MIB} 1019M']
            else:
                commands.append(f'write -z {gib * GIB} 1G')
        raw = qemutest.make_raw(self.path('big.raw'), size, [
            (gib * GIB, b'\7' * 5 * MIB) for gib in (3, 65)])
        self.create(size)
        self.io(self.z, *commands)
        self.good(raw)

    def test_same_bytes_as_convert(self):
        self.convert(self.raw, self.z)
        want = ref.same_but_identity(self.z)
        self.img('dd', '-f', 'raw', '-O', 'zvhd2', 'bs=300k',
                 f'if={self.raw}', f'of={self.z}')
        self.assertEqual(ref.same_but_identity(self.z), want)
        self.create()
        self.run_it('nbdcopy', '--synchronous', self.raw,
                    self.qemu_nbd(self.z))
        self.assertEqual(ref.same_but_identity(self.z), want)

    def test_random_ascending_writes(self):
        seed = random.Random().getrandbits(32)
        for n in range(2 if qemutest.QUICK else 6):
            rng = random.Random(f'{seed} {n}')
            size = rng.randrange(1, 30000) * 512
            commands, extents, pos = [], [], 0
            while pos < size:
                pos = min(pos + rng.choice((0, 0, 512, 5 * MIB)), size - 512)
                length = min(rng.choice((512, 4096, 3 * MIB, 700 * KIB)),
                             size - pos)
                if rng.random() < 0.3:
                    commands.append(f'write -z {pos} {length}')
                else:
                    byte = rng.randrange(256)
                    commands.append(f'write -P {byte} {pos} {length}')
                    extents.append((pos, bytes([byte]) * length))
                pos += length
            with self.subTest(seed=seed, n=n, size=size):
                raw = qemutest.make_raw(self.path('w.raw'), size, extents)
                self.create(size)
                self.io(self.z, *commands)
                self.good(raw)


@per_build
class Refusals(WriteCase):
    def backwards(self, *commands):
        self.create()
        r = self.io(self.z, *commands, rc=1)
        self.assertRegex(r.out + r.err, '(?i)ascending|order|back')
        self.assert_refused(self.z)

    def test_write_that_goes_back(self):
        self.backwards('write 4M 64k', 'write 0 64k')
        self.backwards('write 0 7M', 'write 4M 512')
        self.backwards('write 8M 1M', 'write -z 0 1M')
        self.backwards('write 6M 4M', 'write 6M 512')

    def test_any_order_within_the_block_being_filled(self):
        """So programs with some writes in flight work; order is kept."""
        self.create(4 * MIB)
        self.io(self.z, 'write -P 1 1M 64k', 'write -P 2 0 64k',
                'write -P 3 32k 64k', 'write -z 40k 4k', 'write -P 4 2M 2M')
        raw = qemutest.make_raw(self.path('r.raw'), 4 * MIB, [
            (MIB, b'\1' * 65536), (0, b'\2' * 65536),
            (32 * KIB, b'\3' * 65536), (40 * KIB, bytes(4096)),
            (2 * MIB, b'\4' * 2 * MIB)])
        self.good(raw)

    def test_nothing_after_a_refused_write_finishes(self):
        """Going on to the end must not make a good image of it."""
        self.create(8 * MIB)
        r = self.io(self.z, 'write -P 1 0 4M', 'write -P 2 1M 1M',
                    'write -P 3 4M 4M', rc=1)
        self.assertRegex(r.out + r.err, '(?i)ascending|order|back')
        self.assert_refused(self.z)

    def test_write_into_a_finished_image(self):
        raw = qemutest.random_raw(self.path('r.raw'), SIZE, 32)
        self.convert(raw, self.z)
        before = contents(self.z)
        for commands in (['write 0 512'], ['write -z 0 512'],
                         [f'write {SIZE - 512} 512']):
            r = self.io(self.z, *commands, rc=1)
            self.assertRegex(r.out + r.err, r'(?i)zvhd2|read-?only|complete')
        self.img_fails('convert', '-n', '-f', 'raw', '-O', 'zvhd2', raw,
                       self.z)
        self.assertEqual(contents(self.z), before)

    def test_write_after_the_last_byte_was_written(self):
        """The disk is not what that writer thinks: no good image then."""
        self.create(4 * MIB)
        r = self.io(self.z, 'write -P 5 0 4M', 'write -P 6 0 512', rc=1)
        self.assertRegex(r.out + r.err, '(?i)finished')
        self.assert_refused(self.z)

    def test_target_of_fixed_size(self):
        """A footer must end the file: a device that is longer won't do."""
        raw = qemutest.random_raw(self.path('r.raw'), 4 * MIB, 34)
        qemutest.make_raw(self.path('device'), 64 * MIB)
        uri = self.qemu_nbd(self.path('device'), '-t', fmt='raw')
        r = self.img('convert', '-f', 'raw', '-O', 'zvhd2', raw, uri, rc=1)
        self.assertRegex(r.err, 'ZVHD2 image needs a file|resize|grow')
        self.img('info', '-f', 'zvhd2', uri, rc=1)

    def test_created_and_not_written(self):
        self.create()
        self.assert_refused(self.z, match='(?i)unfinished|not finished|'
                            'incomplete|no data|never')
        self.img_fails('compare', '-f', 'zvhd2', '-F', 'zvhd2', self.z,
                       self.z)
        self.img_fails('map', '-f', 'zvhd2', self.z)
        r = self.img('check', '-f', 'zvhd2', self.z, rc=None)
        self.assertNotEqual(r.rc, 0)
        self.run_it(self.tool('qemu-nbd'), '-r', '-f', 'zvhd2', '-k',
                    self.socket_path(), self.z, rc=1)

    def test_half_written(self):
        for commands in (['write 0 1M'], ['write 0 512'],
                         [f'write 0 {SIZE - 512}'], ['write 0 2M', 'flush'],
                         ['write -z 0 8M'], ['write 0 3M', 'aio_flush']):
            with self.subTest(commands=commands):
                self.create()
                self.io(self.z, *commands, rc=None)
                self.assert_refused(self.z)

    def test_closing_a_half_written_image_says_so(self):
        self.create()
        r = self.io(self.z, 'write 0 1M', rc=None)
        self.assertRegex(r.err, '(?i)zvhd2|unfinished|not finished')

    def test_half_written_over_nbd(self):
        self.create()
        uri = self.qemu_nbd(self.z)
        self.io(uri, 'write 0 3M', fmt='raw')
        self.assert_refused(self.z)

    def test_writing_goes_on_in_no_second_session(self):
        self.create()
        self.io(self.z, 'write 0 4M', rc=None)
        r = self.io(self.z, 'write 4M 4M', rc=1)
        self.assertTrue(r.err)
        self.assert_refused(self.z)


@per_build
class WhileItIsWritten(WriteCase):
    def test_sizes(self):
        """The disk is as long as was asked for while it is written."""
        self.create(5 * MIB)
        uri = self.qemu_nbd(self.z, '-t')
        self.assertEqual(self.info(uri)['virtual-size'], 5 * MIB)
        self.io(uri, 'write 4M 1M', fmt='raw')
        self.io(uri, 'write 5M 512', fmt='raw', rc=1)

    def test_not_supported(self):
        raw = qemutest.random_raw(self.path('r.raw'), SIZE, 33)
        self.convert(raw, self.z)
        before = contents(self.z)
        for argv in (['resize', '-f', 'zvhd2', self.z, '2G'],
                     ['resize', '--shrink', '-f', 'zvhd2', self.z, '1M'],
                     ['amend', '-f', 'zvhd2', '-o', 'cluster_size=1M',
                      self.z],
                     ['snapshot', '-c', 'one', self.z],
                     ['bitmap', '--add', '-f', 'zvhd2', self.z, 'b'],
                     ['rebase', '-u', '-f', 'zvhd2', '-b', raw, '-F', 'raw',
                      self.z],
                     ['commit', '-f', 'zvhd2', self.z]):
            with self.subTest(argv=argv[:2]):
                r = self.img(*argv, rc=None)
                self.assertNotEqual(r.rc, 0, str(r))
                self.assertTrue(r.err.strip(), str(r))
                self.assertEqual(contents(self.z), before)

    def test_snapshot_list_is_empty(self):
        raw = qemutest.random_raw(self.path('r.raw'), SIZE, 33)
        self.convert(raw, self.z)
        r = self.img('snapshot', '-l', self.z, rc=None)
        self.assertNotIn('SNAPSHOT', r.out)
        self.assertEqual(sparse_digest(self.to_raw(self.z)),
                         sparse_digest(raw))


if __name__ == '__main__':
    qemutest.main()
