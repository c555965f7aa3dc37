#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""obs-push against Ceph's RADOS gateway: whole uploads, resuming, copies,
temporary keys, TLS with an own authority, 3 GiB read back as ZVHD2."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common                                               # noqa: E402
import relay                                                # noqa: E402
import s3suite                                              # noqa: E402
import servers                                              # noqa: E402
import webserver                                            # noqa: E402

NO_LISTING = {'Version': '2012-10-17', 'Statement': [
    {'Effect': 'Deny', 'Action': ['s3:ListBucketVersions'],
     'Principal': {'AWS': ['*']}, 'Resource': ['arn:aws:s3:::versioned']}]}
POLICY = {'Version': '2012-10-17', 'Statement': [
    {'Effect': 'Allow', 'Action': ['s3:*', 'sts:*'], 'Resource': ['*']}]}


class Rgw(s3suite.S3Suite, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = os.path.join(common.TMP, 'tls')
        os.makedirs(folder, exist_ok=True)
        cls.ca, cert, key = webserver.make_certificate(folder)
        cls.server = servers.Rgw(tls=(cert, key))
        cls.server.__enter__()
        cls.addClassCleanup(cls.server.stop)
        cls.server.bucket(cls.BUCKET)

    def test_tls_with_an_own_authority(self):
        path = s3suite.random_file('secure', 12 << 20)
        for signature in self.SIGNATURES:
            with self.subTest(signature):
                key = f'secure-{signature}'
                out = self.push('upload', path, self.target(key), status=None,
                                signature=signature, url=self.server.tls_url)
                self.assertRegex(out, '(?i)certificate')
                answer = self.server.s3('HEAD', f'/{self.BUCKET}/{key}')
                self.assertEqual(answer.status, 404)
                self.push('upload', path, self.target(key), '--part-size',
                          '5MiB', '--cacert', self.ca, signature=signature,
                          url=self.server.tls_url)
                self.stored(key, path)

    def versions(self, key):
        """([(key, 'true' if latest)], number of delete markers)."""
        answer = self.server.s3('GET', '/versioned', 'versions')
        self.assertEqual(answer.status, 200)
        entries = zip(*map(answer.texts, ('Key', 'IsLatest')))
        return [e for e in entries if e[0].startswith(key)], \
            answer.body.count(b'<DeleteMarker>')

    def test_versions_of_the_zero_object_do_not_stay(self):
        path = s3suite.sparse_file('versions.raw')
        self.server.bucket('versioned')
        answer = self.server.s3(
            'PUT', '/versioned', 'versioning',
            body=b'<VersioningConfiguration><Status>Enabled</Status>'
                 b'</VersioningConfiguration>')
        self.assertEqual(answer.status, 200)

        def push(place, **more):
            return self.push('upload', path, place, '--part-size', '5MiB',
                             '--no-bitmap', **more)

        for signature in self.SIGNATURES:
            with self.subTest(signature):
                out = push(f'obs://versioned/{signature}',
                           signature=signature)
                self.assertNotIn('old versions', out)
                self.assertEqual(self.versions(signature),
                                 ([(signature, 'true')], 0))
        # a second upload makes a second version, and keeps the first
        push('obs://versioned/v2')
        self.assertEqual(self.versions('v2'),
                         ([('v2', 'true'), ('v2', 'false')], 0))
        # who may not list versions has the upload all the same
        answer = self.server.s3('PUT', '/versioned', 'policy',
                                body=json.dumps(NO_LISTING).encode())
        self.assertEqual(answer.status // 100, 2)
        out = push('obs://versioned/denied')
        self.assertRegex(out, 'warning.*old versions of the helper object '
                              'denied.obs-push-zeros-.* are left.*AccessDenied')
        answer = self.server.s3('HEAD', '/versioned/denied')
        self.assertEqual(answer.status, 200)

    def test_three_gib_in_16_mib_parts_read_back_as_zvhd2(self):
        """What nbdkit makes up cannot be compressed, and needs no room."""
        servers.install('nbdkit')
        image = os.path.join(common.TMP, 'big.zvhd2')
        socket = os.path.join(common.TMP, 'random.sock')
        source = f'nbd+unix:///?socket={socket}'
        common.run('nbdkit', '-r', '-U', socket, '-P', socket + '.pid',
                   '--filter=blocksize', 'sparse-random', 'size=3G',
                   'percent=100', 'seed=5', 'random-content=true',
                   # else what it makes up depends on how it is read
                   'minblock=4096')
        try:
            common.run(common.tool('qemu-img'), 'convert', '-f', 'raw', '-O',
                       'zvhd2', source, image)
            size = os.path.getsize(image)
            self.assertGreater(size, 3 << 30)
            out = self.push('upload', image, self.target('big.zvhd2'),
                            '--part-size', '16MiB', '--acl', 'public-read',
                            timeout=1200)
            print(out.splitlines()[-1])
            answer = self.server.s3('HEAD', f'/{self.BUCKET}/big.zvhd2')
            self.assertEqual(answer.etag,
                             s3suite.etag_of_parts(image, 16 << 20))
            os.unlink(image)
            with relay.Relay(self.server.port) as counted:
                remote = 'json:' + json.dumps({
                    'driver': 'zvhd2', 'file': {
                        'driver': 'http', 'readahead': 0,
                        'url': f'{counted.url}/{self.BUCKET}/big.zvhd2'}})
                common.run(common.tool('qemu-io'), '-r', '-c',
                           'read 1537M 4k', remote)
                # a record and the index, and not the object
                self.assertLess(counted.received, 4 << 20)
                out = common.run(common.tool('qemu-img'), 'compare', '-F',
                                 'raw', remote, source, timeout=1200)
            self.assertIn('identical', out)
        finally:
            with open(socket + '.pid') as f:
                os.kill(int(f.read()), 15)


class TemporaryKeys(unittest.TestCase):
    """A gateway of its own: with STS it says AccessDenied for all reasons."""

    @classmethod
    def setUpClass(cls):
        servers.install('awscli')
        cls.server = servers.Rgw(sts=True)
        cls.server.__enter__()
        cls.addClassCleanup(cls.server.stop)
        cls.server.bucket('temporary')

    def test_temporary_keys_need_their_token(self):
        s = self.server
        env = common.clean_env(AWS_ACCESS_KEY_ID=s.access, AWS_PAGER='',
                               AWS_SECRET_ACCESS_KEY=s.secret,
                               AWS_DEFAULT_REGION='us-east-1')
        aws = ('/usr/bin/aws', '--endpoint-url', s.url)
        common.run(*aws, 'iam', 'put-user-policy', '--user-name', 'test',
                   '--policy-name', 'sts', '--policy-document',
                   json.dumps(POLICY), env=env)
        keys = json.loads(common.run(*aws, 'sts', 'get-session-token',
                                     env=env))['Credentials']
        path = s3suite.random_file('temporary', 12 << 20)
        temporary = {'OBS_ACCESS_KEY_ID': keys['AccessKeyId'],
                     'OBS_SECRET_ACCESS_KEY': keys['SecretAccessKey']}
        for signature in ('v2', 'v4'):
            with self.subTest(signature):
                place = f'obs://temporary/{signature}'
                out = common.push(s, 'upload', path, place, status=None,
                                  signature=signature, **temporary)
                self.assertRegex(out, '403 (InvalidAccessKeyId|AccessDenied)')
                common.push(s, 'upload', path, place, '--part-size', '5MiB',
                            signature=signature,
                            OBS_SECURITY_TOKEN=keys['SessionToken'],
                            **temporary)
                answer = s.s3('GET', f'/temporary/{signature}')
                self.assertEqual(answer.sha256, common.sha256(path))


if __name__ == '__main__':
    unittest.main()
