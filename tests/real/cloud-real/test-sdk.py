#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""obs-push and the vendor's own SDKs for Node: each reads, lists and aborts
what the other has made, and their signers agree on random requests."""
import json
import os
import random
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common                                               # noqa: E402
import s3suite                                              # noqa: E402
import servers                                              # noqa: E402
import cloudtest                                            # noqa: E402

MIB = 1 << 20
NPM = os.path.join(common.TOP, 'build', 'cache', 'npm')
PACKAGES = ('esdk-obs-nodejs@3', '@huaweicloud/huaweicloud-sdk-core@3',
            'uuid@9')                   # which the core does not declare
SIGN_LINES = os.path.join(common.TOP, 'build', 'meson', 'tests', 'sign-lines')


def install_sdks():
    """For the tests only, and no package's script is run."""
    if not shutil.which('npm'):
        servers.install('nodejs', 'npm')
    if not os.path.exists(os.path.join(NPM, 'done')):
        os.makedirs(NPM, exist_ok=True)
        with open(os.path.join(NPM, 'package.json'), 'w') as f:
            f.write('{"private": true}\n')
        common.run('npm', 'install', '--ignore-scripts', '--no-audit',
                   '--no-fund', *PACKAGES, cwd=NPM)
        with open(os.path.join(NPM, 'done'), 'w'):
            pass


def node(script, given):
    """Standard output of one of our scripts with the SDKs in reach."""
    p = subprocess.run(['node', os.path.join(common.HERE, script)],
                       input=given, text=True, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=300,
                       env=common.clean_env(
                           NODE_PATH=os.path.join(NPM, 'node_modules')))
    assert p.returncode == 0, p.stderr
    return p.stdout


class Sdk:
    """What both classes below do with a server of their own."""

    def calls(self, *calls, ok=True):
        # the SDK's log goes to standard output too; the answer is its end
        out = node('sdk-obs.js', json.dumps(dict(self.sdk, calls=calls)))
        answers = json.loads(out[out.index('[{"status"'):])
        if ok:
            for call, answer in zip(calls, answers):
                self.assertLess(answer['status'], 300, (call[0], answer))
        return [a['result'] for a in answers]

    def read_and_verify(self, path, key, etag):
        place = {'Bucket': self.bucket, 'Key': key}
        back = os.path.join(common.TMP, 'sdk.back')
        head, listed, _ = self.calls(
            ('getObjectMetadata', place),
            ('listObjects', {'Bucket': self.bucket, 'Prefix': key}),
            ('getObject', dict(place, SaveAsFile=back)))
        self.assertEqual(int(head['ContentLength']), os.path.getsize(path))
        self.assertEqual(head['ETag'].strip('"'), etag)
        entry, = listed['Contents']
        self.assertEqual((entry['Key'], int(entry['Size'])),
                         (key, os.path.getsize(path)))
        self.assertEqual(common.sha256(back), common.sha256(path))
        os.unlink(back)


class LocalCloud(Sdk, unittest.TestCase):
    """Against the local cloud, which checks every signature."""

    @classmethod
    def setUpClass(cls):
        install_sdks()
        cls.cloud = cloudtest.Cloud()
        cls.addClassCleanup(cls.cloud.close)
        cls.bucket = cls.cloud.bucket
        cls.sdk = {'server': cls.cloud.info['regions']['eu-de']['obs'],
                   'ak': cls.cloud.ak, 'sk': cls.cloud.sk,
                   'signature': 'obs', 'pathStyle': False}

    def push(self, *argv):
        return common.run(common.tool('obs-push'), *argv, '--region', 'eu-de',
                          '--endpoint', self.sdk['server'], '--signature',
                          'obs', env=self.cloud.env())

    def test_sdk_reads_what_obs_push_uploaded(self):
        path = s3suite.random_file('ours', 21 * MIB + 5)
        for key in 'ours.zvhd2', 'dir/with space+ü.zvhd2':
            with self.subTest(key):
                self.push('upload', path, f'obs://{self.bucket}/{key}',
                          '--part-size', '5MiB')
                self.read_and_verify(path, key,
                                     s3suite.etag_of_parts(path, 5 * MIB))

    def test_obs_push_knows_what_the_sdk_uploaded(self):
        path = s3suite.random_file('theirs', 21 * MIB)
        self.calls(('uploadFile', {
            'Bucket': self.bucket, 'Key': 'theirs', 'UploadFile': path,
            'PartSize': 5 * MIB, 'TaskNum': 2}))
        before = self.cloud.mark()
        out = self.push('upload', path, f'obs://{self.bucket}/theirs',
                        '--part-size', '5MiB', '--if-changed')
        self.assertIn('same', out)
        self.assertEqual(self.cloud.log('upload-part', since=before), [])

    def test_upload_of_the_sdk_is_resumed(self):
        path = s3suite.random_file('resumed', 31 * MIB)
        begun, = self.calls(('initiateMultipartUpload', {
            'Bucket': self.bucket, 'Key': 'resumed'}))
        upload = begun['UploadId']
        self.calls(*[('uploadPart', {
            'Bucket': self.bucket, 'Key': 'resumed', 'UploadId': upload,
            'PartNumber': n, 'SourceFile': path, 'Offset': (n - 1) * 9 * MIB,
            'PartSize': 9 * MIB}) for n in (1, 3)])
        before = self.cloud.mark()
        self.push('upload', path, f'obs://{self.bucket}/resumed',
                  '--upload-id', upload)
        self.assertEqual(sorted(r['part'] for r in self.cloud.log(
            'upload-part', since=before)), [2, 4])
        self.read_and_verify(path, 'resumed',
                             s3suite.etag_of_parts(path, 9 * MIB))

    def test_upload_of_the_sdk_is_listed_and_aborted(self):
        begun, = self.calls(('initiateMultipartUpload', {
            'Bucket': self.bucket, 'Key': 'begun'}))
        upload = begun['UploadId']
        self.calls(('uploadPart', {
            'Bucket': self.bucket, 'Key': 'begun', 'UploadId': upload,
            'PartNumber': 1, 'Body': 'x' * 200000}))
        self.assertIn(upload, self.push('uploads', f'obs://{self.bucket}/'))
        self.push('abort', f'obs://{self.bucket}/begun')
        listed, = self.calls(('listMultipartUploads',
                              {'Bucket': self.bucket}))
        self.assertNotIn(upload, [u['UploadId'] for u in listed['Uploads']])


class Front(Sdk, unittest.TestCase):
    """The OBS dialect on a real server: a front checks the signature and
    hands on to Ceph, and the SDK is the witness that the front is right."""

    @classmethod
    def setUpClass(cls):
        install_sdks()
        cls.rgw = servers.Rgw(memory=4 << 30)
        cls.rgw.__enter__()
        cls.addClassCleanup(cls.rgw.stop)
        cls.bucket = 'dialect'
        cls.rgw.bucket(cls.bucket)
        port, = servers.free_ports(1)
        cls.log = os.path.join(common.TMP, 'front.log')
        cls.rgw.spawn(sys.executable, '-B',
                      os.path.join(common.HERE, 'obsfront.py'), str(port),
                      str(cls.rgw.port), cls.rgw.access, cls.rgw.secret,
                      'obs.localhost', cls.log)
        cls.rgw.wait_port(port)
        cls.url = f'http://obs.localhost:{port}'
        cls.sdk = {'server': cls.url, 'ak': cls.rgw.access,
                   'sk': cls.rgw.secret, 'signature': 'obs',
                   'pathStyle': False}

    def push(self, *argv, status=0, **env):
        env = common.clean_env(**dict({
            'OBS_ACCESS_KEY_ID': self.rgw.access,
            'OBS_SECRET_ACCESS_KEY': self.rgw.secret}, **env))
        out, code = common.run_any(
            common.tool('obs-push'), *argv, '--endpoint', self.url,
            '--signature', 'obs', env=env)
        self.assertEqual(code == 0, status == 0, out)
        return out

    def test_obs_dialect_upload_to_ceph(self):
        path = s3suite.random_file('dialect', 17 * MIB + 3)
        self.push('upload', path, f'obs://{self.bucket}/a b+ü',
                  '--part-size', '5MiB', '--meta', 'owner=me')
        etag = s3suite.etag_of_parts(path, 5 * MIB)
        self.read_and_verify(path, 'a b+ü', etag)
        answer = self.rgw.s3('GET', f'/{self.bucket}/a b+ü', keep=False)
        self.assertEqual((answer.sha256, answer.etag),
                         (common.sha256(path), etag))
        self.assertEqual(answer.headers.get('x-amz-meta-owner'), 'me')

    def test_wrong_secret_is_refused_by_the_front(self):
        path = s3suite.random_file('refused', 1000)
        out = self.push('upload', path, f'obs://{self.bucket}/refused',
                        status=None, OBS_SECRET_ACCESS_KEY='wrong')
        self.assertIn('SignatureDoesNotMatch', out)
        self.assertEqual(self.rgw.s3('HEAD', f'/{self.bucket}/refused').status,
                         404)


TEXT = 'aZ09 -_.~+&=%/?#ü日'
SUB_RESOURCES = (('uploads', None), ('uploadId', 'x'), ('partNumber', '1'),
                 ('acl', None), ('location', None), ('versionId', 'x'),
                 # and what is not signed
                 ('prefix', 'x'), ('max-uploads', '10'))


def random_request(rnd, sign):
    def text(least=1, letters=TEXT):
        return ''.join(rnd.choices(letters, k=rnd.randint(least, least + 11)))

    r = {'sign': sign, 'method': rnd.choice(['GET', 'HEAD', 'PUT', 'POST',
                                             'DELETE']),
         'host': 'service.example.com', 'ak': 'AK' + text(8, 'AB01'),
         'sk': text(20, 'abcXYZ01/+'), 'bucket': None, 'key': None,
         'path': None, 'body': None, 'headers': [], 'query': [],
         'token': rnd.choice([None, text(20, 'abc01+/=')]),
         'time': rnd.randint(10**9, 2 * 10**9)}
    if sign == 'sdk':
        r['path'] = '/' + '/'.join(text(1, 'az09-_.')
                                   for _ in range(rnd.randint(1, 4)))
        r['query'] = [[n, text()] for n in rnd.sample(
            ['name', '__imagetype', 'limit', 'marker', 'B'],
            rnd.randint(0, 4))]
        if r['method'] in ('PUT', 'POST'):
            # as JavaScript writes it: both have to hash the same bytes
            r['body'] = json.dumps({text(): text(), 'n': rnd.randint(0, 9)},
                                   separators=(',', ':'), ensure_ascii=False)
            r['headers'] = [['Content-Type', 'application/json']]
        if rnd.random() < .5:
            r['headers'].append(['X-Project-Id', text(10, '01ab')])
        return r
    r['bucket'] = text(3, 'abc01')
    r['key'] = rnd.choice([None, text()])
    picked = rnd.sample(SUB_RESOURCES, rnd.randint(0, 3))
    r['query'] = [[n, v if v is None or v.isdigit() else text()]
                  for n, v in picked]
    for name, value in (('Content-MD5', text(8, 'abc+/=')),
                        ('Content-Type', 'application/octet-stream'),
                        ('x-obs-acl', 'private'),
                        ('x-obs-meta-owner', text(1, 'abc 01').strip() or 'x'),
                        ('x-obs-copy-source', '/b/' + text(1, 'ab%20'))):
        if rnd.random() < .5:
            r['headers'].append([name, value])
    return r


class Signers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        install_sdks()

    def agree(self, sign, count=500):
        seed = int(time.time())
        rnd = random.Random(seed)
        requests = [random_request(rnd, sign) for _ in range(count)]
        lines = ''.join(json.dumps(r) + '\n' for r in requests)
        theirs = node('sdk-sign.js', lines).splitlines()
        ours = subprocess.run([SIGN_LINES], input=lines, text=True, check=True,
                              stdout=subprocess.PIPE).stdout.splitlines()
        self.assertEqual(len(theirs), count)
        self.assertEqual(len(ours), count)
        for request, a, b in zip(requests, ours, theirs):
            self.assertEqual(a, b, f'seed {seed}: {json.dumps(request)}')

    def test_obs(self):
        self.agree('obs')

    def test_v2(self):
        self.agree('v2')

    def test_sdk_hmac_sha256_of_the_image_service(self):
        self.agree('sdk')


if __name__ == '__main__':
    unittest.main()
