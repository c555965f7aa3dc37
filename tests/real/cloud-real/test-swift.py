#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""obs-push against OpenStack Swift with s3api, which is strict where Ceph is
lax: part order, part numbers, the ETag in the answer to Complete."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import s3suite                                              # noqa: E402
import servers                                              # noqa: E402


class Swift(s3suite.S3Suite, unittest.TestCase):
    NO_SUCH_KEY = 'SignatureDoesNotMatch'       # of a key id it knows not

    @classmethod
    def setUpClass(cls):
        cls.server = servers.Swift()
        cls.server.__enter__()
        cls.addClassCleanup(cls.server.stop)
        cls.server.bucket(cls.BUCKET)


if __name__ == '__main__':
    unittest.main()
