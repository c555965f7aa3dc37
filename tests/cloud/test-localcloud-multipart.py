#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The local cloud proves itself: multipart uploads, copies, restarts."""

import glob
import hashlib
import os
import random
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'lib')]

from cloudcase import CloudCase, md5                # noqa: E402

MIB = 1 << 20


class Multipart(CloudCase):
    options = {'settings': {'min_part': 1000}}

    def test_upload(self):
        cloud, random_ = self.cloud, random.Random(1)
        data = [random_.randbytes(size) for size in (5000, 7000, 10)]
        upload = self.begin('dir/m', headers={'x-obs-meta-a': 'b',
                                              'x-obs-acl': 'public-read'})
        self.assertRegex(upload, '^[0-9A-F]{32}$')
        for number in (3, 1, 2):
            answer = self.ok(self.part('dir/m', upload, number,
                                       data[number - 1]))
            self.assertEqual(answer.headers['etag'],
                             '"%s"' % md5(data[number - 1]))
        again = bytes(7000)
        self.ok(self.part('dir/m', upload, 2, again))
        data[1] = again
        listing = cloud.obs('GET', 'dir/m', [
            ('uploadId', upload), ('max-parts', '2')])
        self.assertEqual((listing.text.count('<PartNumber>'),
                          listing.between('IsTruncated'),
                          listing.between('NextPartNumberMarker')),
                         (2, 'true', '2'))
        listing = cloud.obs('GET', 'dir/m', [
            ('uploadId', upload), ('part-number-marker', '2')])
        self.assertEqual((listing.text.count('<PartNumber>'),
                          listing.between('Size')), (1, '10'))
        parts = [(number, md5(data[number - 1])) for number in (1, 2, 3)]
        wanted = md5(b''.join(hashlib.md5(item).digest()
                              for item in data)) + '-3'
        answer = self.ok(self.complete('dir/m', upload, parts))
        self.assertEqual(answer.between('ETag'), '"%s"' % wanted)
        head = cloud.obs('HEAD', 'dir/m').headers
        self.assertEqual([head[name] for name in (
            'etag', 'content-length', 'x-obs-uploadid', 'x-obs-meta-a')],
            ['"%s"' % wanted, '12010', upload, 'b'])
        self.assertEqual(cloud.read('dir/m'), b''.join(data))
        self.assertEqual(cloud.read('dir/m', 4990, 7020),
                         b''.join(data)[4990:])
        self.fails(self.complete('dir/m', upload, parts), 404,
                   'NoSuchUpload')
        self.assertEqual(cloud.uploads(), [])
        self.assertEqual(cloud.sent_twice(), [(upload, 2)])

    def test_complete_rules(self):
        upload = self.begin('rules')
        tags = {}
        for number, size in ((1, 999), (2, 2000), (5, 10)):
            tags[number] = md5(bytes(size))
            self.ok(self.part('rules', upload, number, bytes(size)))
        bad = (([(2, tags[2]), (1, tags[1])], 'InvalidPartOrder'),
               ([(2, tags[2]), (2, tags[2])], 'InvalidPartOrder'),
               ([(2, tags[1])], 'InvalidPart'),
               ([(2, tags[2]), (3, tags[2])], 'InvalidPart'),
               ([(1, tags[1]), (2, tags[2])], 'EntityTooSmall'),
               ([], 'MalformedXML'))
        for parts, code in bad:
            self.fails(self.complete('rules', upload, parts), 400, code)
        for number in (0, 10001):
            self.fails(self.part('rules', upload, number, b'x'), 400,
                       'InvalidArgument')
        # Gaps are allowed; part 1, not named, is thrown away.
        self.ok(self.complete('rules', upload, [(2, tags[2]), (5, tags[5])]))
        self.assertEqual(self.cloud.read('rules'), bytes(2010))

    def test_abort_and_initiator(self):
        second = self.cloud.info['users'][1]['ak']
        upload = self.begin('who')
        self.fails(self.part('who', upload, 1, b'x', ak=second), 403,
                   'AccessDenied')
        self.ok(self.cloud.obs('GET', 'who', [('uploadId', upload)],
                               ak=second))
        self.fails(self.part('other', upload, 1, b'x'), 404, 'NoSuchUpload')
        self.ok(self.cloud.obs('DELETE', 'who', [('uploadId', upload)],
                               ak=second), 204)
        for answer in (self.part('who', upload, 1, b'x'),
                       self.cloud.obs('GET', 'who', [('uploadId', upload)])):
            self.fails(answer, 404, 'NoSuchUpload')

    def test_list_uploads(self):
        for key in ('l/a', 'l/a', 'l/b', 'm'):
            self.begin(key)
        seen, query = [], []
        while True:
            page = self.cloud.obs('GET', query=[
                ('uploads', None), ('prefix', 'l/'), ('max-uploads', '1')]
                + query)
            seen.append((page.between('Key'), page.between('UploadId')))
            if page.between('IsTruncated') == 'false':
                break
            query = [('key-marker', page.between('NextKeyMarker')),
                     ('upload-id-marker', page.between('NextUploadIdMarker'))]
        self.assertEqual([key for key, _ in seen], ['l/a', 'l/a', 'l/b'])
        self.assertEqual(len(set(seen)), 3)

    def test_copies(self):
        cloud, data = self.cloud, os.urandom(3000) + bytes(3 * MIB)
        cloud.put('source key', data)
        upload = self.begin('copied')
        source = 'source%20key'
        tags = {}
        for number, window in ((1, (1000, 2999)), (2, (2990, 5000)),
                               (3, None)):
            answer = self.ok(self.copy('copied', upload, number, source,
                                       *(window or ())))
            tags[number] = answer.between('ETag').strip('"')
        self.assertEqual(tags[2], md5(data[2990:5001]))
        self.ok(self.part('copied', upload, 4, headers={
            'x-obs-copy-source': '%%2F%s%%2Fsource%%20key'
                                 % cloud.bucket}))
        for first, last in ((0, len(data)), (5, 4)):
            self.fails(self.copy('copied', upload, 4, source, first, last),
                       400, 'InvalidArgument')
        self.fails(self.copy('copied', upload, 4, 'missing'), 404,
                   'NoSuchKey')
        cloud.set(refuse_copies=True)
        self.fails(self.copy('copied', upload, 4, source), 403,
                   'AccessDenied')
        self.ok(self.complete('copied', upload, sorted(tags.items())))
        cloud.obs('DELETE', 'source key')       # the copy lives on
        self.assertEqual(cloud.read('copied'),
                         data[1000:3000] + data[2990:5001] + data)

    def test_sparse_terabyte(self):
        """1 TiB of zeros by copies takes no room and no time."""
        cloud, size = self.cloud, 1024 * MIB
        upload = self.begin('zeros')
        self.ok(self.part('zeros', upload, 1, bytes(16 * MIB)))
        self.ok(self.complete('zeros', upload, [(1, md5(bytes(16 * MIB)))]))
        for source, key, count in (('zeros', 'block', size // (16 * MIB)),
                                   ('block', 'huge', (1 << 40) // size)):
            upload = self.begin(key)
            tag = [self.ok(self.copy(key, upload, number, source))
                   .between('ETag').strip('"')
                   for number in range(1, count + 1)]
            self.ok(self.complete(key, upload, enumerate(tag, 1)))
        facts = cloud.objects()['huge']
        self.assertEqual((facts['size'], facts['stored_bytes'],
                          facts['extents']), (1 << 40, 0, 1))
        self.assertEqual(cloud.read('huge', (1 << 40) - 5, 5), bytes(5))

    def test_restart(self):
        """Objects, uploads and parts outlive the server, also kill -9."""
        cloud, data = self.cloud, os.urandom(5000)
        cloud.put('stays', data)
        upload = self.begin('goes on')
        tag = self.ok(self.part('goes on', upload, 1, data)).headers['etag']
        cloud.stop(kill=True)
        cloud.start()
        self.assertEqual(cloud.read('stays'), data)
        self.ok(self.complete('goes on', upload, [(1, tag)]))
        self.assertEqual(cloud.read('goes on'), data)
        blobs = glob.glob(os.path.join(cloud.folder, 'data', 'blobs', '*'))
        self.assertTrue(blobs)
        for key in list(cloud.objects()):
            cloud.obs('DELETE', key)
        for item in cloud.uploads():
            cloud.obs('DELETE', item['key'], [('uploadId', item['id'])])
        self.assertEqual(glob.glob(os.path.join(
            cloud.folder, 'data', 'blobs', '*')), [])


if __name__ == '__main__':
    unittest.main()
