#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""obs-push with RAW images: the bitmap beside them, and zeros that are
copied in the cloud instead of being sent."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
from pushtest import GIB, MIB, TIB, PushCase, random_bytes

PART = 5 * MIB


class Zeros(PushCase):
    def sparse(self, name='disk.raw', size=GIB):
        return self.raw(name, size, {3 * MIB: random_bytes(MIB, 1),
                                     size // 2 + 123: random_bytes(PART, 2),
                                     size - 7: b'the end'})

    def summary(self, result):
        return [event for event in result.stages('upload')
                if event['key'].endswith('.raw')][0]

    def test_zeros_are_copied_and_not_sent(self):
        file = self.sparse()
        result = self.upload(file, 'disk.raw', '--part-size', '5MiB',
                             '--json')
        self.assert_stored('disk.raw', file)
        self.assert_clean()
        self.assertEqual(sorted(self.cloud.objects()),
                         ['disk.mf', 'disk.raw'])
        summary = self.summary(result)
        self.assertGreater(summary['copied'], 900 * MIB)
        self.assertLess(summary['wire'], 64 * MIB)
        self.assertEqual(summary['wire'], self.cloud.bytes_in()
                         - self.cloud.objects()['disk.mf']['size'])

    def test_tebibyte_goes_up_with_little_over_the_wire(self):
        file = self.sparse(size=TIB)
        result = self.upload(file, 'disk.raw', '--json')
        summary = self.summary(result)
        self.assertLess(summary['wire'], 200 * MIB)
        self.assertGreater(summary['copied'], TIB - GIB)
        self.assertEqual(self.cloud.objects()['disk.raw']['size'], TIB)
        for offset, length in ((3 * MIB, MIB), (TIB // 2 + 123, PART),
                               (TIB - 7, 7), (TIB // 3, MIB)):
            with open(file, 'rb') as f:
                f.seek(offset)
                self.assertTrue(f.read(length) ==
                                self.cloud.read('disk.raw', offset, length))
        self.assert_clean()

    def test_written_zeros_count_like_holes(self):
        """The bitmap's scan finds them, the file system doesn't."""
        file = self.path('disk.raw')
        with open(file, 'wb') as f:
            f.write(random_bytes(MIB))
            f.write(bytes(299 * MIB))
        result = self.upload(file, 'disk.raw', '--part-size', '5MiB',
                             '--json')
        self.assertGreater(self.summary(result)['copied'], 200 * MIB)
        self.assert_stored('disk.raw', file)

    def test_server_that_refuses_copies(self):
        file = self.sparse(size=300 * MIB)
        for name, setting, fault in (
                ('a', {'refuse_copies': True}, None),
                ('b', {'refuse_copies': False},
                 {'action': 'answer', 'status': 501,
                  'code': 'NotImplemented', 'count': None}),
                ('c', {}, {'action': 'etag', 'count': None})):
            with self.subTest(name):
                self.cloud.clear_faults()
                self.cloud.set(**setting)
                if fault:
                    self.cloud.fault(match={'op': 'copy-part'}, **fault)
                result = self.upload(file, name + '.raw', '--part-size',
                                     '5MiB', '--no-bitmap', '--json')
                self.assert_stored(name + '.raw', file)
                self.assertIn('warning', result.out)
                self.assertGreaterEqual(self.summary(result)['wire'],
                                        300 * MIB)
                self.assert_clean()
                self.assertEqual([k for k in self.cloud.objects()
                                  if 'zeros' in k], [])

    def test_copy_that_answers_200_with_an_error(self):
        file = self.sparse(size=300 * MIB)
        self.cloud.fault(match={'op': 'copy-part', 'key': '^disk.raw$'},
                         action='rewrite', do=False, status=200, count=None,
                         body='<Error><Code>InternalError</Code></Error>')
        self.upload(file, 'disk.raw', '--part-size', '5MiB', '--no-bitmap',
                    '--retries', '2', code=None)
        self.cloud.clear_faults()
        self.upload(file, 'disk.raw', '--part-size', '5MiB', '--no-bitmap')
        self.assert_stored('disk.raw', file)

    def test_few_zeros_are_not_worth_a_copy(self):
        file = self.raw('disk.raw', 40 * MIB, {0: random_bytes(20 * MIB)})
        self.upload(file, 'disk.raw', '--part-size', '5MiB', '--no-bitmap')
        self.assertEqual(self.cloud.count('copy-part'), 0)
        self.assert_stored('disk.raw', file)

    def test_abort_removes_the_zero_object(self):
        file = self.sparse()
        self.cloud.fault(match={'op': 'upload-part'}, action='stall',
                         count=None)
        process = self.start('upload', file, 'obs://test-bucket/disk.raw',
                             *self.where(), '--no-bitmap')
        self.addCleanup(process.kill)
        while not self.cloud.count('copy-part', key='disk.raw', status=200):
            self.assertIsNone(process.poll())
        process.terminate()
        process.communicate()
        self.assertTrue([k for k in self.cloud.objects() if 'zeros' in k])
        self.run_push('abort', 'obs://test-bucket/disk.raw', *self.where())
        self.assertEqual(self.cloud.objects(), {})
        self.assert_clean()


class Bitmap(PushCase):
    def setUp(self):
        super().setUp()
        self.disk = self.raw('disk.raw', 100 * MIB, {0: b'a', 70 * MIB: b'b'})
        self.mf = self.path('disk.mf')

    def test_made_if_missing_and_uploaded_first(self):
        result = self.upload(self.disk, 'dir/', '--part-size', '5MiB')
        self.assertIn('made', result.out)
        self.assertIn('not confirmed', result.err)
        self.assert_stored('dir/disk.mf', self.mf)
        keys = [r['key'] for r in self.cloud.log() if r['status'] == 200 and
                r['op'] in ('put-object', 'complete')]
        self.assertEqual(keys[0], 'dir/disk.mf')
        self.assertEqual(keys[-1], 'dir/disk.raw')

    def test_verified_if_there(self):
        self.run_push('bitmap', self.disk)
        before = os.stat(self.mf).st_mtime_ns
        result = self.upload(self.disk, 'disk.raw')
        self.assertIn('hides no data', result.out)
        self.assertEqual(os.stat(self.mf).st_mtime_ns, before)

    def test_a_bitmap_that_hides_data_is_refused(self):
        self.run_push('bitmap', self.disk)
        with open(self.mf, 'r+b') as f:
            bits = bytearray(f.read())
            bits[35 // 8] &= ~(1 << 35 % 8)
            f.seek(0)
            f.write(bits)
        result = self.upload(self.disk, 'disk.raw', code=3)
        self.assertIn('hold data', result.err)
        self.assertEqual(self.cloud.ops(), ['probe'])

    def test_a_bitmap_of_another_size_is_refused(self):
        with open(self.mf, 'wb') as f:
            f.write(bytes(100))
        result = self.upload(self.disk, 'disk.raw', code=None)
        self.assertNotEqual(result.code, 0)
        self.assertEqual(self.cloud.ops(), ['probe'])

    def test_without_bitmap(self):
        result = self.upload(self.disk, 'disk.raw', '--no-bitmap')
        self.assertIn('without a bitmap', result.err)
        self.assertEqual(sorted(self.cloud.objects()), ['disk.raw'])
        self.assertFalse(os.path.exists(self.mf))

    def test_bitmap_of_another_name(self):
        other = self.path('other.mf')
        self.upload(self.disk, 'disk.raw', '--bitmap', other)
        self.assert_stored('disk.mf', other)

    def test_dry_run_makes_no_bitmap(self):
        self.upload(self.disk, 'disk.raw', '--dry-run')
        self.assertFalse(os.path.exists(self.mf))
        self.assertEqual(self.cloud.objects(), {})

    def test_check_writes_nothing_and_finds_a_bad_one(self):
        self.run_push('check', self.disk)
        self.assertFalse(os.path.exists(self.mf))
        self.run_push('bitmap', self.disk)
        self.assertIn('hides no data', self.run_push('check', self.disk).out)
        with open(self.mf, 'r+b') as f:
            f.write(b'\0')
        self.run_push('check', self.disk, code=3)

    def test_preflight_comes_before_the_scan(self):
        result = self.push(self.disk, 'images/', code=2,
                           os_version='Ubuntu 22.04')
        self.assertIn('nearest', result.err)
        self.assertFalse(os.path.exists(self.mf))

    def test_file_that_is_no_disk_gets_no_bitmap(self):
        file = self.file('notes.txt', 4096)
        self.upload(file, 'notes.txt')
        self.assertEqual(sorted(self.cloud.objects()), ['notes.txt'])


if __name__ == '__main__':
    unittest.main()
