# SPDX-License-Identifier: GPL-2.0-or-later
"""What obs-push does with any S3 server: one set of tests that every real
server runs, as a mixin for unittest.TestCase."""
import hashlib
import os
import random
import re
import subprocess
import time

import common
import relay

MIB = 1 << 20
PART = 5 * MIB                  # the smallest part that S3 takes


def random_file(name, size, seed=1):
    """A file of bytes that no one can compress; its path."""
    path = os.path.join(common.TMP, name)
    rnd = random.Random(seed)
    with open(path, 'wb') as f:
        while size:
            piece = min(size, 4 * MIB)
            f.write(rnd.randbytes(piece))
            size -= piece
    return path


def sparse_file(name):
    """A RAW disk of 256 MiB, of which three pieces of 1 MiB are data."""
    path = os.path.join(common.TMP, name)
    with open(path, 'wb') as f:
        f.truncate(256 * MIB)
        for offset in 0, 100 * MIB + 512, 255 * MIB:
            f.seek(offset)
            f.write(random.Random(offset).randbytes(MIB))
    return path


def etag_of_parts(path, part):
    """What S3 makes of a multipart upload in parts of @part bytes."""
    md5s = []
    with open(path, 'rb') as f:
        while piece := f.read(part):
            md5s.append(hashlib.md5(piece).digest())
    return hashlib.md5(b''.join(md5s)).hexdigest() + f'-{len(md5s)}'


class S3Suite:
    """Needs setUpClass to set cls.server: a servers.Server with a bucket
    named BUCKET."""

    BUCKET = 'suite'
    SIGNATURES = 'v2', 'v4'
    NO_SUCH_KEY = 'InvalidAccessKeyId'

    def push(self, *argv, **more):
        return common.push(self.server, *argv, **more)

    def target(self, key=''):
        return f'obs://{self.BUCKET}/{key}'

    def stored(self, key, path):
        """The object is the file, byte for byte; the answer to a GET."""
        answer = self.server.s3('GET', f'/{self.BUCKET}/{key}', keep=False)
        self.assertEqual(answer.status, 200, key)
        self.assertEqual(answer.size, os.path.getsize(path))
        self.assertEqual(answer.sha256, common.sha256(path))
        return answer

    def setUp(self):
        # one test's unfinished uploads are not another's
        for key, upload in self.server.uploads(self.BUCKET):
            self.server.s3('DELETE', f'/{self.BUCKET}/{key}',
                           f'uploadId={upload}')

    def begin_and_kill(self, path, key, parts=4, url=None):
        """Starts a slow upload, kills it with SIGKILL when the server has
        some parts; returns the numbers of these."""
        argv, env = common.push_command(
            self.server, 'upload', path, self.target(key), '--part-size',
            '5MiB', '--parallel', '2', '--limit-rate', '12MiB', url=url)
        child = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
        try:
            end = time.monotonic() + 60
            have = []
            while len(have) < parts:
                if child.poll() is not None or time.monotonic() > end:
                    self.fail('no upload to kill:\n'
                              + child.communicate()[0])
                time.sleep(.1)
                for found, upload in self.server.uploads(self.BUCKET):
                    if found == key:
                        have = self.server.parts(self.BUCKET, key, upload)
        finally:
            child.kill()
            child.communicate()
        # a part may have arrived whole although its sender is dead
        time.sleep(.5)
        (_, upload), = [u for u in self.server.uploads(self.BUCKET)
                        if u[0] == key]
        return self.server.parts(self.BUCKET, key, upload)

    def test_whole_upload_in_parts(self):
        path = random_file('whole', 23 * MIB + 4711)
        for signature in self.SIGNATURES:
            with self.subTest(signature):
                key = f'whole-{signature}'
                self.push('upload', path, self.target(key), '--part-size',
                          '5MiB', signature=signature)
                answer = self.stored(key, path)
                self.assertEqual(answer.etag, etag_of_parts(path, PART))
        self.assertEqual(self.server.uploads(self.BUCKET), [])

    def test_empty_file_is_refused(self):
        path = random_file('empty', 0)
        out = self.push('upload', path, self.target('empty'), status=None)
        self.assertIn('empty', out)
        answer = self.server.s3('HEAD', f'/{self.BUCKET}/empty')
        self.assertEqual(answer.status, 404)

    def test_small_files_by_one_put(self):
        for size in 1, 100000:
            path = random_file('small', size)
            for signature in self.SIGNATURES:
                with self.subTest(size=size, signature=signature):
                    key = f'small-{size}-{signature}'
                    self.push('upload', path, self.target(key),
                              signature=signature)
                    answer = self.stored(key, path)
                    self.assertEqual(answer.etag, answer.md5)

    def test_keys_that_need_encoding(self):
        path = random_file('odd', 70000)
        for key in ('dir/with space.zvhd2', "a+b&c=d%20e'(f)*!~", 'ümlaut/日本',
                    'semi;colon,comma@at:colon$', 'trailing.dot./x'):
            for signature in self.SIGNATURES:
                with self.subTest(key=key, signature=signature):
                    self.push('upload', path, self.target(key),
                              signature=signature)
                    self.stored(key, path)
                    self.server.s3('DELETE', f'/{self.BUCKET}/{key}')

    def test_killed_upload_goes_on_without_sending_twice(self):
        path = random_file('resumed', 80 * MIB)
        with relay.Relay(self.server.port) as counted:
            have = self.begin_and_kill(path, 'resumed', url=counted.url)
            before = counted.sent
            self.push('upload', path, self.target('resumed'), '--part-size',
                      '5MiB', url=counted.url)
        self.stored('resumed', path)
        left, sent = (16 - len(have)) * PART, counted.sent - before
        self.assertLess(sent, left + MIB)
        self.assertGreaterEqual(sent, left)
        self.assertEqual(self.server.uploads(self.BUCKET), [])

    def test_unfinished_uploads_are_listed_and_aborted(self):
        path = random_file('dropped', 60 * MIB)
        self.begin_and_kill(path, 'dropped', parts=1)
        (key, upload), = self.server.uploads(self.BUCKET)
        self.assertEqual(key, 'dropped')
        listed = self.push('uploads', self.target())
        self.assertIn('dropped', listed)
        self.assertIn(upload, listed)
        self.push('abort', self.target('dropped'))
        self.assertEqual(self.server.uploads(self.BUCKET), [])
        self.assertEqual(self.server.parts(self.BUCKET, key, upload), [])
        self.assertNotIn(upload, self.push('uploads', self.target()))

    def test_uploads_of_others_are_listed_and_aborted(self):
        answer = self.server.s3('POST', f'/{self.BUCKET}/foreign', 'uploads')
        upload, = answer.texts('UploadId')
        self.assertIn(upload, self.push('uploads', self.target()))
        self.push('abort', self.target('foreign'), upload)
        self.assertEqual(self.server.uploads(self.BUCKET), [])

    def test_zeros_of_a_raw_image_are_copied_in_the_cloud(self):
        path = sparse_file('sparse.raw')
        for signature in self.SIGNATURES:
            with self.subTest(signature), \
                    relay.Relay(self.server.port) as counted:
                key = f'sparse-{signature}.raw'
                self.push('upload', path, self.target(key), '--part-size',
                          '5MiB', url=counted.url, signature=signature)
                self.stored(key, path)
                # three parts with data, 16 MiB of zeros to copy from, and
                # none of the other 220 MiB
                self.assertLess(counted.sent, 40 * MIB)
            # what was copied from does not stay
            self.assertEqual([k for k in self.server.keys(self.BUCKET)
                              if 'sparse' in k and k != key
                              and not k.startswith('sparse-')], [])
        self.assertEqual(self.server.uploads(self.BUCKET), [])

    def test_wrong_keys_are_refused_and_not_shown(self):
        path = random_file('refused', 100000)
        secret = 'wrong-secret-that-nobody-may-read'
        for signature in self.SIGNATURES:
            with self.subTest(signature):
                out = self.push('upload', path, self.target('refused'),
                                status=None, signature=signature,
                                OBS_SECRET_ACCESS_KEY=secret)
                self.assertRegex(out, 'SignatureDoesNotMatch')
                self.assertNotIn(secret, out)
                out = self.push('upload', path, self.target('refused'),
                                status=None, signature=signature,
                                OBS_ACCESS_KEY_ID='nobody')
                self.assertRegex(out, self.NO_SUCH_KEY)
        answer = self.server.s3('HEAD', f'/{self.BUCKET}/refused')
        self.assertEqual(answer.status, 404)

    def test_missing_bucket_is_told(self):
        path = random_file('lost', 1000)
        out = self.push('upload', path, 'obs://no-such-bucket/lost',
                        status=None)
        self.assertIn('no bucket no-such-bucket', out)

    def test_no_clobber_and_if_changed(self):
        path = random_file('kept', 200000, seed=1)
        key = self.target('kept')
        self.push('upload', path, key)
        other = random_file('other', 200000, seed=2)
        out = self.push('upload', other, key, '--no-clobber', status=None)
        self.assertRegex(out, 'exist')
        self.stored('kept', path)
        with relay.Relay(self.server.port) as counted:
            self.push('upload', path, key, '--if-changed', url=counted.url)
        self.assertLess(counted.sent, 100000)
        self.push('upload', other, key, '--if-changed')
        self.stored('kept', other)

    def test_summary_tells_bytes_and_place(self):
        path = random_file('told', 6 * MIB)
        out = self.push('upload', path, self.target('told'))
        self.assertRegex(out, re.escape(self.target('told')))
        self.assertRegex(out, r'6(\.0+)? ?MiB')
