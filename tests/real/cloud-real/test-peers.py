#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Peers of obs-push read what it has uploaded: rclone, s3cmd and aws from
Debian see the object's size and ETag and fetch its bytes; what they begin or
upload, obs-push lists, aborts and recognises."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common                                               # noqa: E402
import s3suite                                              # noqa: E402
import servers                                              # noqa: E402

MIB = 1 << 20
KEY = 'images/disk one.zvhd2'


class Peers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        servers.install('rclone', 's3cmd', 'awscli')
        cls.rgw = s = servers.Rgw()
        s.__enter__()
        cls.addClassCleanup(s.stop)
        s.bucket('peers')
        cls.path = s3suite.random_file('peer', 21 * MIB + 99)
        cls.etag = s3suite.etag_of_parts(cls.path, 5 * MIB)
        for signature in 'v2', 'v4':
            common.push(s, 'upload', cls.path, f'obs://peers/{KEY}',
                        '--part-size', '5MiB', signature=signature)
        cls.env = common.clean_env(
            AWS_ACCESS_KEY_ID=s.access, AWS_SECRET_ACCESS_KEY=s.secret,
            AWS_DEFAULT_REGION='us-east-1', AWS_PAGER='',
            RCLONE_CONFIG_REAL_TYPE='s3', RCLONE_CONFIG_REAL_PROVIDER='Ceph',
            RCLONE_CONFIG_REAL_ACCESS_KEY_ID=s.access,
            RCLONE_CONFIG_REAL_SECRET_ACCESS_KEY=s.secret,
            RCLONE_CONFIG_REAL_ENDPOINT=s.url,
            # without one it complains among its answers
            RCLONE_CONFIG=os.path.join(common.TMP, 'rclone.conf'))
        with open(cls.env['RCLONE_CONFIG'], 'w'):
            pass
        cls.s3cfg = os.path.join(common.TMP, 's3cfg')
        with open(cls.s3cfg, 'w') as f:
            f.write(f'[default]\naccess_key = {s.access}\n'
                    f'secret_key = {s.secret}\nhost_base = {s.url[7:]}\n'
                    f'host_bucket = {s.url[7:]}\nuse_https = False\n')

    def tool(self, *argv):
        return common.run(*argv, env=self.env)

    def aws(self, *argv):
        return self.tool('/usr/bin/aws', '--endpoint-url', self.rgw.url,
                         *argv)

    def s3cmd(self, *argv):
        return self.tool('/usr/bin/s3cmd', '-c', self.s3cfg, *argv)

    def same_file(self, path):
        self.assertEqual(common.sha256(path), common.sha256(self.path))
        os.unlink(path)

    def test_aws_sees_size_etag_and_bytes(self):
        head = json.loads(self.aws('s3api', 'head-object', '--bucket', 'peers',
                                   '--key', KEY))
        self.assertEqual(head['ContentLength'], os.path.getsize(self.path))
        self.assertEqual(head['ETag'].strip('"'), self.etag)
        back = os.path.join(common.TMP, 'aws.back')
        self.aws('s3', 'cp', '--quiet', f's3://peers/{KEY}', back)
        self.same_file(back)

    def test_rclone_sees_size_and_bytes(self):
        rclone = '/usr/bin/rclone'
        listed = json.loads(self.tool(rclone, 'lsjson', '-R', 'real:peers'))
        sizes = {e['Path']: e['Size'] for e in listed}
        self.assertEqual(sizes[KEY], os.path.getsize(self.path))
        back = os.path.join(common.TMP, 'rclone.back')
        self.tool(rclone, 'copyto', f'real:peers/{KEY}', back)
        self.same_file(back)

    def test_s3cmd_sees_size_etag_and_bytes(self):
        info = self.s3cmd('info', f's3://peers/{KEY}')
        self.assertRegex(info, rf'File size: +{os.path.getsize(self.path)}')
        self.assertRegex(info, rf'MD5 sum: +{self.etag}')
        back = os.path.join(common.TMP, 's3cmd.back')
        self.s3cmd('get', '--quiet', f's3://peers/{KEY}', back)
        self.same_file(back)

    def test_what_rclone_uploaded_is_known_to_be_the_same(self):
        self.tool('/usr/bin/rclone', 'copyto', '--s3-chunk-size', '5Mi',
                  '--s3-upload-cutoff', '5Mi', self.path, 'real:peers/theirs')
        out = common.push(self.rgw, 'upload', self.path, 'obs://peers/theirs',
                          '--if-changed', '--part-size', '5MiB')
        self.assertIn('same', out)

    def test_upload_that_aws_began_is_listed_and_aborted(self):
        begun = json.loads(self.aws(
            's3api', 'create-multipart-upload', '--bucket', 'peers', '--key',
            'begun'))
        self.aws('s3api', 'upload-part', '--bucket', 'peers', '--key', 'begun',
                 '--part-number', '1', '--upload-id', begun['UploadId'],
                 '--body', self.path)
        out = common.push(self.rgw, 'uploads', 'obs://peers/')
        self.assertIn(begun['UploadId'], out)
        common.push(self.rgw, 'abort', 'obs://peers/begun')
        left = self.aws('s3api', 'list-multipart-uploads', '--bucket', 'peers')
        self.assertNotIn(begun['UploadId'], left)


if __name__ == '__main__':
    unittest.main()
