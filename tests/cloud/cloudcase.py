# SPDX-License-Identifier: GPL-2.0-or-later
"""unittest case with a local cloud, for the cloud's own tests."""

import hashlib
import unittest

from cloudtest import Cloud


def md5(data):
    return hashlib.md5(data).hexdigest()


def complete_body(parts):
    return ('<CompleteMultipartUpload>' + ''.join(
        '<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>' % item
        for item in parts) + '</CompleteMultipartUpload>').encode()


class CloudCase(unittest.TestCase):
    """One cloud for all tests of a class; each test leaves it as it was."""

    options = {}

    @classmethod
    def setUpClass(cls):
        cls.cloud = Cloud(**cls.options)
        cls.defaults = cls.cloud.control('GET', 'settings')

    @classmethod
    def tearDownClass(cls):
        cls.cloud.close()

    def setUp(self):
        self.cloud.clear_faults()
        self.cloud.set(**self.defaults)
        self.cloud.mark()

    def ok(self, answer, status=200):
        self.assertEqual((answer.status, answer.code), (status, None))
        return answer

    def fails(self, answer, status, code):
        self.assertEqual((answer.status, answer.code), (status, code))
        return answer

    def begin(self, key, **how):
        answer = self.ok(self.cloud.obs('POST', key, [('uploads', None)],
                                        **how))
        return answer.between('UploadId')

    def part(self, key, upload, number, data=b'', **how):
        return self.cloud.obs('PUT', key, [
            ('partNumber', str(number)), ('uploadId', upload)], body=data,
            **how)

    def copy(self, key, upload, number, source, first=None, last=None):
        headers = {'x-obs-copy-source': '%s/%s' % (self.cloud.bucket, source)}
        if first is not None:
            headers['x-obs-copy-source-range'] = 'bytes=%d-%d' % (first, last)
        return self.part(key, upload, number, headers=headers)

    def complete(self, key, upload, parts, **how):
        return self.cloud.obs('POST', key, [('uploadId', upload)],
                              body=complete_body(parts), **how)
