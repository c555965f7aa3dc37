#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu-img convert -O zvhd2: what it writes, whatever the options.

Each result must pass the strict independent check, hold the source's data,
and be the same byte for byte (uuid, time and checksums aside) however the
work was split.
"""

import json
import os
import random
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import qemutest     # noqa: E402
import zvhd2ref as ref  # noqa: E402
from qemutest import (GIB, MIB, TIB, contents, per_build,     # noqa: E402
                      slow)


class ConvertCase(qemutest.QemuCase):
    def setUp(self):
        super().setUp()
        self.z = self.path('z.zvhd2')

    def good(self, raw, image=None):
        """The image is perfect and holds the raw disk."""
        image = image or self.z
        self.assertEqual(ref.check(image), [])
        self.assertEqual(ref.Image(image).header.orig_size,
                         ref.round_up(os.path.getsize(raw), 512))
        self.assert_same_disk(image, raw)


@per_build
class Contents(ConvertCase):
    def test_data_zeros_and_holes(self):
        rng = random.Random(1)
        raw = qemutest.make_raw(self.path('r.raw'), 64 * MIB, [
            (0, qemutest.some_data(rng, 5 * MIB)),
            (8 * MIB, bytes(2 * MIB)),              # written zeros
            (12 * MIB + 77, b'in the middle'),
            (20 * MIB - 1, b'xy'),                  # over a border
            (64 * MIB - 1, b'e')])
        self.convert(raw, self.z)
        self.good(raw)
        self.assertEqual(sorted(ref.Image(self.z).blocks),
                         [0, 1, 2, 6, 9, 10, 31])

    def test_defaults_are_the_vendor_s(self):
        raw = qemutest.random_raw(self.path('r.raw'), 10 * MIB, 2)
        self.convert(raw, self.z)
        h = ref.Image(self.z).header
        self.assertEqual((h.block_size, h.compress_method,
                          h.index_contains_zero_blk, h.zvhd2_version,
                          h.crtr_ver), (2 * MIB, ref.ZSTD, 0, 1, 0x10004))
        # library default level: the same payload bytes as level 3
        image = ref.Image(self.z)
        for r in image.records:
            self.assertEqual(r.payload,
                             ref.zstd_compress(image.expand(r), 3))

    def test_sizes(self):
        for size in (0, 512, 1024, 4096, MIB, 2 * MIB - 512, 2 * MIB,
                     2 * MIB + 512, 3 * MIB + 1536, 16 * MIB + 512, GIB,
                     GIB + 512):
            with self.subTest(size=size):
                raw = qemutest.make_raw(
                    self.path('r.raw'), size,
                    [(0, b'first'), (max(0, size - 3), b'end')])
                self.convert(raw, self.z)
                self.good(raw)

    def test_size_that_is_no_multiple_of_512(self):
        raw = qemutest.make_raw(self.path('r.raw'), 1000, [(0, b'x' * 1000)])
        self.convert(raw, self.z, src_fmt='raw')
        self.assertEqual(ref.check(self.z), [])
        self.assertEqual(ref.Image(self.z).header.orig_size, 1024)
        back = self.to_raw(self.z)
        with open(back, 'rb') as f:
            self.assertEqual(f.read(), b'x' * 1000 + bytes(24))

    def test_borders_of_64_gib_segments(self):
        seg = 64 * GIB
        for size in (seg - 512, seg, seg + 512, 2 * seg + 3 * MIB):
            with self.subTest(size=size):
                raw = qemutest.make_raw(
                    self.path('r.raw'), size,
                    [(0, b'a'), (seg - 2 * MIB, b'b' * 4096),
                     (seg - 1, b'cc'), (seg + 2 * MIB, b'd'),
                     (size - 1, b'e')])
                self.convert(raw, self.z)
                self.good(raw)

    def test_a_tebibyte_and_beyond(self):
        for size in (TIB, 3 * TIB + 512):
            with self.subTest(size=size):
                raw = qemutest.make_raw(
                    self.path('r.raw'), size,
                    [(0, b'a'), (size // 2, b'half'), (size - 4, b'last')])
                self.convert(raw, self.z)
                self.good(raw)
                self.assertLess(os.path.getsize(self.z), 2 * MIB)

    def test_random_disks(self):
        """Sizes, patterns and options by chance; the seed is told."""
        seed = random.Random().getrandbits(32)
        for n in range(3 if qemutest.QUICK else 8):
            rng = random.Random(f'{seed} {n}')
            size = rng.choice((rng.randrange(1, 200), rng.randrange(1, 65536),
                               rng.randrange(1, 200000))) * 512
            cluster = rng.choice((1, 2, 2, 2, 4, 32))
            opts = ['-o', f'cluster_size={cluster}M,compression_type=' +
                    rng.choice(('zstd', 'zlib'))]
            opts += rng.choice(([], ['-W'], ['-m', '1'], ['-m', '16'],
                                ['-S', '0'], ['-S', '64k'], ['-c']))
            with self.subTest(seed=seed, n=n, size=size, opts=opts):
                raw = qemutest.random_raw(self.path('r.raw'), size,
                                          f'{seed} {n}')
                self.convert(raw, self.z, *opts)
                self.good(raw)


@per_build
class SameBytes(ConvertCase):
    def setUp(self):
        super().setUp()
        self.raw = qemutest.random_raw(self.path('r.raw'), 80 * MIB + 512, 4,
                                       extents=12, longest=6 * MIB)
        self.convert(self.raw, self.z, src_fmt='raw')
        self.want = ref.same_but_identity(self.z)

    def same(self, *opts, raw=None):
        out = self.path('o.zvhd2')
        with self.subTest(opts=opts):
            self.convert(raw or self.raw, out, *opts, src_fmt='raw')
            self.assertEqual(ref.check(out), [])
            self.assertEqual(ref.same_but_identity(out), self.want)

    def test_whatever_the_way_of_copying(self):
        self.good(self.raw)
        for opts in ([], ['-m', '1'], ['-m', '2'], ['-m', '16'], ['-W'],
                     ['-W', '-m', '16'], ['-S', '0'], ['-S', '0', '-W'],
                     ['-S', '4k'], ['-S', '1M'], ['-c'], ['-c', '-W'], ['-p'],
                     ['-q'], ['-T', 'none'], ['-t', 'writeback'],
                     ['-t', 'writethrough'], ['-t', 'directsync'],
                     ['-r', '200M'], ['-o', 'compression_type=zstd'],
                     ['-o', 'compression_level=3'], ['-U']):
            self.same(*opts)

    def test_without_the_page_cache(self):
        """-t none and -T none need a file system that has O_DIRECT."""
        for folder in (self.dir, qemutest.REPO, '/var/tmp'):
            probe = os.path.join(folder, 'zvhd2-o-direct-probe')
            try:
                os.close(os.open(probe, os.O_CREAT | os.O_DIRECT |
                                 os.O_WRONLY))
                break
            except OSError:
                continue
            finally:
                if os.path.exists(probe):
                    os.unlink(probe)
        else:
            self.fail('no folder with O_DIRECT to test in')
        with tempfile.TemporaryDirectory(dir=folder) as tmp:
            raw, out = os.path.join(tmp, 'r.raw'), os.path.join(tmp, 'o')
            shutil.copyfile(self.raw, raw)
            for opts in (['-t', 'none'], ['-T', 'none'],
                         ['-t', 'none', '-T', 'none', '-W'],
                         ['-t', 'directsync', '-m', '16']):
                with self.subTest(opts=opts):
                    self.convert(raw, out, *opts, src_fmt='raw')
                    self.assertEqual(ref.check(out), [])
                    self.assertEqual(ref.same_but_identity(out), self.want)
            self.img('compare', '-T', 'none', '-f', 'raw', '-F', 'zvhd2',
                     raw, out)

    def test_over_a_file_that_is_there(self):
        """Of what was in the file, nothing stays."""
        out = self.path('o.zvhd2')
        for old in (b'', b'x' * 5 * MIB, contents(self.z) * 2):
            with open(out, 'wb') as f:
                f.write(old)
            self.convert(self.raw, out, src_fmt='raw')
            self.assertEqual(ref.same_but_identity(out), self.want)

    def test_two_runs_differ_only_in_identity(self):
        self.same()
        a, b = ref.Image(self.z), ref.Image(self.path('o.zvhd2'))
        self.assertNotEqual(a.header.uuid, b.header.uuid)

    def test_into_a_created_image(self):
        out = self.path('o.zvhd2')
        for opts in ([], ['-W'], ['-m', '3']):
            with self.subTest(opts=opts):
                self.img('create', '-f', 'zvhd2', out, 80 * MIB + 512)
                self.img('convert', '-n', *opts, '-f', 'raw', '-O', 'zvhd2',
                         self.raw, out)
                self.assertEqual(ref.check(out), [])
                self.assertEqual(ref.same_but_identity(out), self.want)

    def test_target_image_opts_and_threads(self):
        out = self.path('o.zvhd2')
        for opts in ('', ',threads=1', ',threads=2', ',threads=7'):
            with self.subTest(opts=opts):
                self.img('create', '-f', 'zvhd2', out, 80 * MIB + 512)
                self.img('convert', '-n', '--target-image-opts', '-f', 'raw',
                         self.raw, 'driver=zvhd2,file.driver=file,'
                         f'file.filename={out}{opts}')
                self.assertEqual(ref.check(out), [])
                self.assertEqual(ref.same_but_identity(out), self.want)

    def test_several_sources_in_a_row(self):
        parts, out = [], self.path('o.zvhd2')
        size = 80 * MIB + 512
        with open(self.raw, 'rb') as f:
            for n, length in enumerate((7 * MIB, 512, 30 * MIB + 4096, None)):
                parts.append(self.path(f'part{n}'))
                with open(parts[-1], 'wb') as p:
                    p.write(f.read(length))
        self.assertEqual(sum(map(os.path.getsize, parts)), size)
        for opts in ([], ['-W', '-m', '8']):
            with self.subTest(opts=opts):
                self.img('convert', *opts, '-f', 'raw', '-O', 'zvhd2',
                         *parts, out)
                self.assertEqual(ref.check(out), [])
                self.assertEqual(ref.same_but_identity(out), self.want)

    def test_source_cut_in_small_pieces(self):
        """Block status of the source changes every few sectors."""
        raw = self.path('s.raw')
        qemutest.make_raw(raw, 12 * MIB, [(n * 8192, b'x' * 4096)
                                          for n in range(12 * 128)])
        self.convert(raw, self.z, src_fmt='raw')
        self.want = ref.same_but_identity(self.z)
        self.good(raw)
        for opts in (['-W', '-m', '16'], ['-S', '0'], ['-S', '4k', '-m', '2']):
            self.same(*opts, raw=raw)

    def test_source_with_backing_file(self):
        qcow2 = self.path('top.qcow2')
        self.img('create', '-f', 'qcow2', '-F', 'raw', '-b', self.raw, qcow2)
        out = self.path('o.zvhd2')
        self.convert(qcow2, out)
        self.assertEqual(ref.same_but_identity(out), self.want)


@per_build
class CreateOptions(ConvertCase):
    def setUp(self):
        super().setUp()
        self.raw = qemutest.random_raw(self.path('r.raw'), 70 * MIB, 6)

    def test_cluster_sizes(self):
        for mib in (1, 2, 4, 8, 16, 32):
            with self.subTest(mib=mib):
                r = self.convert(self.raw, self.z, '-o',
                                 f'cluster_size={mib}M')
                self.assertEqual(ref.Image(self.z).header.block_size,
                                 mib * MIB)
                self.good(self.raw)
                if mib == 2:
                    self.assertEqual(r.err, '')
                else:
                    self.assertRegex(r.err, '(?i)warning.*(vendor|unproven)')

    def test_bad_cluster_sizes(self):
        for value in ('0', '1', '512', '512k', '3M', '64M', '2G', '2097153',
                      '18446744073709551615', '-2M', 'big'):
            with self.subTest(value=value):
                r = self.img('convert', '-f', 'raw', '-O', 'zvhd2', '-o',
                             f'cluster_size={value}', self.raw, self.z,
                             rc=1)
                self.assertRegex(r.err, 'cluster_size|[Cc]luster size')

    def test_compression_type_and_level(self):
        sizes = {}
        for method, levels in (('zstd', (1, 3, 9)), ('zlib', (1, 6, 9))):
            for level in levels:
                with self.subTest(method=method, level=level):
                    self.convert(self.raw, self.z, '-o',
                                 f'compression_type={method},'
                                 f'compression_level={level}')
                    self.good(self.raw)
                    image = ref.Image(self.z)
                    self.assertEqual(image.header.compress_method,
                                     ref.METHODS[method])
                    sizes[method, level] = sum(r.size for r in image.records)
        self.assertLess(sizes['zlib', 9], sizes['zlib', 1])
        self.assertLess(sizes['zstd', 9], sizes['zstd', 1])

    def test_zlib_level_1_is_the_default_of_zlib(self):
        self.convert(self.raw, self.z, '-o', 'compression_type=zlib')
        want = ref.same_but_identity(self.z)
        self.convert(self.raw, self.z, '-o',
                     'compression_type=zlib,compression_level=1')
        self.assertEqual(ref.same_but_identity(self.z), want)

    def test_bad_compression_options(self):
        for opts in ('compression_type=lzma', 'compression_type=',
                     'compression_level=99', 'compression_level=-1000000',
                     'compression_level=x',
                     'compression_type=zlib,compression_level=10',
                     'compression_type=zlib,compression_level=22',
                     'encryption=on', 'backing_file=x', 'no_such_option=1'):
            with self.subTest(opts=opts):
                self.img('create', '-f', 'zvhd2', '-o', opts, self.z, '1G',
                         rc=1)
                self.assertFalse(os.path.exists(self.z), 'a file was left')

    def test_bad_sizes(self):
        for size in ('9E', '8E', str(1 << 62), str((1 << 46) + 512)):
            with self.subTest(size=size):
                self.img('create', '-f', 'zvhd2', self.z, size, rc=1)
                self.assertFalse(os.path.exists(self.z) and
                                 os.path.getsize(self.z), 'a file was left')

    def test_what_the_format_cannot_hold(self):
        qcow2 = self.path('b.qcow2')
        self.convert(self.raw, qcow2, fmt='qcow2')
        self.img('bitmap', '--add', qcow2, 'bitmap0')
        for opts in (['-B', qcow2, '-F', 'qcow2'], ['--bitmaps'],
                     ['-o', f'backing_file={qcow2}'],
                     ['-o', 'encryption=on']):
            with self.subTest(opts=opts):
                self.img('convert', *opts, '-O', 'zvhd2', qcow2, self.z,
                         rc=1)
                self.assertFalse(os.path.exists(self.z) and
                                 self.img('info', self.z, '-f', 'zvhd2',
                                          rc=None).rc == 0)

    def test_options_are_documented(self):
        text = self.img('create', '-f', 'zvhd2', '-o', 'help', self.z).out
        for option in ('size', 'cluster_size', 'compression_type',
                       'compression_level'):
            self.assertRegex(text, rf'(?m)^ *{option}=<.*> +- +\S')


@per_build
class Measure(ConvertCase):
    def required(self, *argv):
        text = self.img('measure', '--output=json', '-O', 'zvhd2', *argv).out
        return json.loads(text)

    def test_bound_always_holds(self):
        seed = random.Random().getrandbits(32)
        for n in range(2 if qemutest.QUICK else 6):
            rng = random.Random(f'{seed} {n}')
            size = rng.randrange(0, 60000) * 512
            cluster = rng.choice((1, 2, 4))
            method = rng.choice(('zstd', 'zlib'))
            opts = ['-o', f'cluster_size={cluster}M,'
                    f'compression_type={method}']
            with self.subTest(seed=seed, n=n, size=size, opts=opts):
                # noise: the worst that compression meets
                raw = qemutest.make_raw(self.path('r.raw'), size, [
                    (rng.randrange(size + 1), rng.randbytes(4 * MIB))
                    for _ in range(3)])
                bound = self.required('-f', 'raw', *opts, raw)
                self.convert(raw, self.z, *opts, src_fmt='raw')
                got = os.path.getsize(self.z)
                self.assertLessEqual(got, bound['required'])
                self.assertLessEqual(bound['required'],
                                     bound['fully-allocated'])

    def test_noise_in_every_block(self):
        rng = random.Random(11)
        size = 33 * MIB + 512
        raw = qemutest.make_raw(self.path('r.raw'), size,
                                [(0, rng.randbytes(size))])
        for method, mib in (('zstd', 1), ('zlib', 2), ('zstd', 32)):
            opts = ['-o', f'cluster_size={mib}M,compression_type={method}']
            bound = self.required('-f', 'raw', *opts, raw)
            self.convert(raw, self.z, *opts, src_fmt='raw')
            self.assertLessEqual(os.path.getsize(self.z), bound['required'])

    def test_by_size_alone(self):
        for size in (0, 512, GIB, 64 * GIB + 512, 3 * TIB):
            bound = self.required('--size', size)
            self.assertGreaterEqual(bound['fully-allocated'], size)

    def test_sparse_source_needs_little(self):
        raw = qemutest.make_raw(self.path('r.raw'), 100 * GIB, [(0, b'x')])
        bound = self.required('-f', 'raw', raw)
        self.assertLess(bound['required'], 8 * MIB)
        self.assertGreater(bound['fully-allocated'], 100 * GIB)
        self.convert(raw, self.z, src_fmt='raw')
        self.assertLessEqual(os.path.getsize(self.z), bound['required'])

    def test_zvhd2_source(self):
        raw = qemutest.random_raw(self.path('r.raw'), 30 * MIB, 12)
        self.convert(raw, self.z, src_fmt='raw')
        self.required('-f', 'zvhd2', self.z)
        r = self.img('measure', '-O', 'qcow2', '-f', 'zvhd2', self.z)
        self.assertIn('required size', r.out)


@per_build
class Memory(ConvertCase):
    LIMIT = 200 * MIB

    def bounded(self, *argv):
        r = self.measured(self.tool('qemu-img'), *argv, timeout=300)
        self.assertLessEqual(r.maxrss, self.LIMIT, str(r))

    def test_sparse_tebibyte(self):
        raw = qemutest.make_raw(
            self.path('r.raw'), TIB,
            [(n * 40 * GIB, b'x' * 4096) for n in range(25)])
        self.bounded('convert', '-f', 'raw', '-O', 'zvhd2', raw, self.z)
        self.bounded('convert', '-f', 'zvhd2', '-O', 'raw', self.z,
                     self.path('back'))
        self.bounded('check', self.z)

    @slow
    def test_two_gibibytes_dense(self):
        """One file eight times, and read back into nowhere: little disk."""
        raw = self.path('r.raw')
        piece = random.Random(1).randbytes(256) * 16
        with open(raw, 'wb') as f:
            for n in range(256):
                f.write((piece + n.to_bytes(8, 'big') * 512) * 128)
        self.assertEqual(os.path.getsize(raw), 256 * MIB)
        self.bounded('convert', '-f', 'raw', '-O', 'zvhd2', *[raw] * 8,
                     self.z)
        self.assertEqual(len(ref.Image(self.z).records), 1024)
        self.bounded('convert', '-n', '-m', '16', '-f', 'zvhd2',
                     '--target-image-opts', self.z,
                     f'driver=null-co,size={2 * GIB}')


if __name__ == '__main__':
    qemutest.main()
