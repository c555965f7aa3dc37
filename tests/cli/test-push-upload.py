#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""obs-push upload: which requests a good server sees, and from whom."""

import base64
import http.server
import json
import os
import pty
import re
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
from pushtest import GIB, MIB, PushCase

PART = 5 * MIB


class Requests(PushCase):
    def test_small_file_is_one_put(self):
        file = self.file('small.bin', 3 * MIB)
        result = self.upload(file, 'dir/', '--json')
        self.assertEqual(self.cloud.ops(), ['probe', 'put-object'])
        self.assert_stored('dir/small.bin', file)
        [summary] = result.stages('upload')
        self.assertEqual(summary['wire'], 3 * MIB)
        self.assertEqual(summary['parts'], 0)
        self.assertFalse(os.listdir(self.state))

    def test_parts(self):
        file = self.file('disk.bin', 4 * PART + 1)
        result = self.upload(file, 'key', '--part-size', '5MiB', '--json')
        ops = self.cloud.ops()
        self.assertEqual(ops[:2], ['probe', 'initiate'])
        self.assertEqual(ops[-3:], ['list-parts', 'complete', 'head-object'])
        self.assertEqual(ops[2:-3], ['upload-part'] * 5)
        self.assertEqual(sorted(self.parts_sent()), [1, 2, 3, 4, 5])
        for record in self.cloud.log('upload-part'):
            self.assertIn('content-md5', record['headers'])
            self.assertNotIn('expect', record['headers'])
        self.assert_stored('key', file)
        self.assert_clean()
        [summary] = result.stages('upload')
        self.assertEqual(summary['wire'], self.cloud.bytes_in())
        self.assertEqual(summary['parts'], 5)
        self.assertEqual(summary['etag'],
                         self.cloud.objects()['key']['etag'].strip('"'))

    def test_few_connections(self):
        file = self.file('disk.bin', 12 * PART)
        self.upload(file, 'key', '--part-size', '5MiB', '--parallel', '3')
        used = {record['conn'] for record in self.cloud.log()}
        self.assertLessEqual(len(used), 4)

    def test_key_with_special_characters(self):
        file = self.file('small.bin', 100)
        key = 'dir name/é+a&b=c~(1)*!\'.bin'
        self.upload(file, key)
        self.assert_stored(key, file)

    def test_names_are_checked_before_anything_is_sent(self):
        file = self.file('small.bin', 100)
        for url in ('obs://UPPER/key', 'obs://ab/key', 'obs:///key', 'key',
                    'obs://test-bucket//key', 'obs://test-bucket/a/../b',
                    'obs://test-bucket/' + 'x' * 1025):
            with self.subTest(url):
                self.run_push('upload', file, url, *self.where(), code=2)
        self.assertEqual(self.cloud.ops(), [])

    def test_part_size_grows_with_the_file(self):
        """10000 parts must do, whatever is asked for."""
        file = self.path('huge.bin')
        with open(file, 'wb') as f:
            f.truncate(200 * GIB)
        result = self.upload(file, 'key', '--dry-run')
        parts = int(re.search(r'in (\d+) parts', result.out)[1])
        self.assertLessEqual(parts, 10000)
        with open(file, 'wb') as f:
            f.truncate(10 * GIB)
        result = self.upload(file, 'key', '--dry-run')
        self.assertIn('in 640 parts', result.out)

    def test_headers_of_the_object(self):
        for name, size in (('small.bin', 100), ('big.bin', 4 * PART)):
            with self.subTest(name):
                self.cloud.mark()
                file = self.file(name, size)
                self.upload(file, name, '--part-size', '5MiB',
                            '--storage-class', 'WARM', '--acl', 'public-read',
                            '--meta', 'made-by=me', '--meta', 'n=1 2')
                record = self.cloud.log(
                    'put-object' if size == 100 else 'initiate')[0]
                headers = record['headers']
                self.assertEqual(headers['x-obs-storage-class'], 'WARM')
                self.assertEqual(headers['x-obs-acl'], 'public-read')
                self.assertEqual(headers['x-obs-meta-made-by'], 'me')
                self.assertEqual(headers['x-obs-meta-n'], '1 2')
                self.assertEqual(headers['content-type'],
                                 'application/octet-stream')
                self.assertEqual(self.cloud.objects()[name]['storage_class'],
                                 'WARM')

    def test_server_side_encryption(self):
        file = self.file('big.bin', 4 * PART)
        self.upload(file, 'key', '--part-size', '5MiB', '--sse', 'kms:abc')
        headers = self.cloud.log('initiate')[0]['headers']
        self.assertEqual(headers['x-obs-server-side-encryption'], 'kms')
        self.assertEqual(
            headers['x-obs-server-side-encryption-kms-key-id'], 'abc')
        self.assert_stored('key', file)
        self.upload(file, 'key2', '--sse', 'rot13', code=2)

    def test_bad_metadata_is_refused(self):
        file = self.file('small.bin', 100)
        for meta in ('novalue', '=x', 'a b=c', 'a=\n', 'a=' + 'x' * 9000):
            with self.subTest(meta[:20]):
                self.upload(file, 'key', '--meta', meta, code=2)

    def test_limit_rate_slows_down(self):
        """What is looked at is not the time but that it comes in pieces."""
        file = self.file('small.bin', 2 * MIB)
        self.upload(file, 'key', '--limit-rate', '1MiB')
        [record] = self.cloud.log('put-object')
        self.assertGreaterEqual(record['seconds'], 1)
        self.assert_stored('key', file)


class Choices(PushCase):
    def setUp(self):
        super().setUp()
        self.disk = self.file('disk.bin', 4 * PART)

    def test_no_clobber(self):
        self.cloud.put('key', b'precious')
        result = self.upload(self.disk, 'key', '--no-clobber', code=5)
        self.assertIn('exists already', result.err)
        self.assertEqual(self.cloud.read('key'), b'precious')
        self.upload(self.disk, 'other', '--no-clobber')
        self.assert_stored('other', self.disk)

    def test_no_clobber_when_it_appears_meanwhile(self):
        self.cloud.fault(match={'op': 'list-parts'}, action='stall',
                         seconds=1.5)
        process = self.start('upload', self.disk, 'obs://test-bucket/key',
                             *self.where(), '--part-size', '5MiB',
                             '--no-clobber')
        self.addCleanup(process.kill)
        while self.cloud.count('upload-part', status=200) < 4:
            self.assertIsNone(process.poll())
        self.cloud.put('key', b'precious')
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 5, err)
        self.assertEqual(self.cloud.read('key'), b'precious')

    def test_if_changed(self):
        for args in ((), ('--part-size', '5MiB')):
            with self.subTest(args):
                key = 'key%d' % len(args)
                self.upload(self.disk, key, '--if-changed', *args)
                self.cloud.mark()
                result = self.upload(self.disk, key, '--if-changed', *args)
                self.assertIn('the same already', result.out)
                self.assertEqual(self.cloud.ops(), ['probe', 'head-object'])
                with open(self.disk, 'r+b') as f:
                    f.seek(PART + 5)
                    f.write(b'new')
                self.upload(self.disk, key, '--if-changed', *args)
                self.assert_stored(key, self.disk)

    def test_dry_run_sends_nothing(self):
        result = self.upload(self.disk, 'key', '--dry-run')
        self.assertIn('would send', result.out)
        self.assertEqual({r['method'] for r in self.cloud.log()}, {'HEAD'})
        self.assertFalse(os.path.isdir(self.state) and
                         os.listdir(self.state))

    def test_quiet_and_json(self):
        result = self.upload(self.disk, 'key', '--quiet')
        self.assertEqual((result.out, result.err), ('', ''))
        result = self.upload(self.disk, 'key', '--json')
        kinds = {event['event'] for event in result.events()}
        self.assertLessEqual({'stage', 'progress'}, kinds)

    def test_error_as_json(self):
        result = self.upload(self.path('missing'), 'key', '--json', code=3)
        [event] = result.events()
        self.assertEqual(event['event'], 'error')
        self.assertEqual(event['exit_code'], 3)


class Verbose(PushCase):
    def test_requests_are_shown_without_secrets(self):
        file = self.file('disk.bin', 4 * PART)
        result = self.upload(file, 'key', '--part-size', '5MiB', '-v')
        self.assertIn('> PUT ', result.err)
        self.assertIn('partNumber=4', result.err)
        self.assertIn('< 200', result.err)
        for record in self.cloud.log():
            value = record['headers'].get('authorization', '')
            if ':' in value:
                self.assertNotIn(value.rpartition(':')[2], result.err)

    def test_secrets_of_a_login_stay_secret(self):
        file = self.file('small.bin', 100)
        user = next(u for u in self.cloud.info['users'] if u.get('password'))
        env = self.cloud.env(credentials=False, OS_AUTH_URL=self.cloud.url +
                             '/v3', OS_USERNAME=user['name'],
                             OS_PASSWORD=user['password'],
                             OS_USER_DOMAIN_NAME=user['domain'],
                             OS_PROJECT_NAME='eu-de')
        result = self.upload(file, 'key', '-v', env=env)
        self.assertIn('> POST', result.err)
        self.assertNotIn(user['password'], result.err + result.out)
        for record in self.cloud.log():
            for name in ('x-auth-token', 'x-subject-token',
                         'x-obs-security-token'):
                value = record['headers'].get(name, '')
                if len(value) > 8:      # the cloud's log hides some
                    self.assertNotIn(value, result.err)


class Protocols(PushCase):
    def test_each_signature(self):
        file = self.file('disk.bin', 4 * PART)
        for method in ('obs', 'v2', 'v4'):
            with self.subTest(method):
                self.cloud.set(signatures=[method])
                self.cloud.mark()
                self.upload(file, 'key-' + method, '--part-size', '5MiB',
                            '--signature', method, '--storage-class', 'WARM',
                            '--meta', 'a=b')
                self.assertEqual(self.cloud.count('probe'), 0)
                self.assertEqual(self.cloud.count(status=403), 0)
                self.assert_stored('key-' + method, file)
                self.assertEqual(self.cloud.objects()['key-' + method]
                                 ['storage_class'], 'WARM')

    def test_probe_finds_a_plain_s3_service(self):
        file = self.file('disk.bin', 4 * PART)
        self.cloud.set(obs_api='', signatures=['v2'])
        self.upload(file, 'key', '--part-size', '5MiB')
        self.assert_stored('key', file)
        self.assertEqual(self.cloud.count(status=403), 0)

    def test_copies_in_each_signature(self):
        file = self.raw('disk.raw', 300 * MIB, {0: b'x' * MIB})
        for method in ('obs', 'v2', 'v4'):
            with self.subTest(method):
                key = method + '.raw'
                self.upload(file, key, '--part-size', '5MiB', '--no-bitmap',
                            '--signature', method)
                self.assert_stored(key, file)


class Tls(PushCase):
    cloud_arguments = {'tls': True}

    def test_the_certificate_must_be_right(self):
        file = self.file('disk.bin', 4 * PART)
        url = self.cloud.url
        result = self.run_push('upload', file, 'obs://test-bucket/key',
                               '--endpoint', url, '--state-dir', self.state,
                               code=None)
        self.assertIn(result.code, (5, 6), result)
        self.assertIn('certificate', result.err)
        self.assertEqual(self.cloud.ops(), [])
        self.upload(file, 'key', '--part-size', '5MiB')
        self.assert_stored('key', file)

    def test_missing_ca_file(self):
        file = self.file('small.bin', 100)
        result = self.run_push('upload', file, 'obs://test-bucket/key',
                               '--endpoint', self.cloud.url, '--cacert',
                               self.path('none'), code=2)
        self.assertIn('none', result.err)

    def test_redirect_to_plain_http_is_refused(self):
        file = self.file('small.bin', 100)
        self.cloud.fault(match={'op': 'put-object'}, action='redirect',
                         scheme='http', count=None)
        result = self.upload(file, 'key', code=5)
        self.assertIn('http', result.err)
        self.assertEqual(self.cloud.count('put-object'), 1)


class Addresses(PushCase):
    cloud_arguments = {'tls': True}

    def virtual(self):
        return 'https://obs.eu-de.localhost:%d' % self.cloud.port

    def test_virtual_hosts(self):
        """The bucket is in the host name, as the real clouds want it."""
        self.cloud.set(virtual_host_only=True)
        file = self.file('disk.bin', 4 * PART)
        options = ['--endpoint', self.virtual(), '--cacert',
                   self.cloud.ca, '--state-dir', self.state]
        for method in ('obs', 'v2', 'v4'):
            with self.subTest(method):
                self.cloud.mark()
                self.run_push('upload', file, 'obs://test-bucket/' + method,
                              '--part-size', '5MiB', '--signature', method,
                              '--region', 'eu-de', *options)
                self.assert_stored(method, file)
                for record in self.cloud.log():
                    self.assertTrue(record['host'].startswith(
                        'test-bucket.'), record['host'])

    def test_redirect_to_a_sister_host(self):
        file = self.file('disk.bin', 4 * PART)
        self.cloud.fault(match={'op': 'upload-part'}, action='redirect',
                         host='test-bucket.obs.eu-de.localhost:%d'
                         % self.cloud.port)
        self.run_push('upload', file, 'obs://test-bucket/key', '--part-size',
                      '5MiB', '--endpoint', self.virtual(),
                      '--cacert', self.cloud.ca, '--state-dir', self.state,
                      '--region', 'eu-de')
        self.assert_stored('key', file)


class Proxy(PushCase):
    def test_proxy_variables(self):
        """http_proxy is used, and no_proxy keeps it out."""
        seen = []

        class Refusing(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self):
                seen.append(self.path)
                self.send_error(403)

            def log_message(self, *_):
                pass

        proxy = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Refusing)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        self.addCleanup(proxy.server_close)
        self.addCleanup(proxy.shutdown)
        file = self.file('small.bin', 100)
        env = self.cloud.env(http_proxy='http://127.0.0.1:%d'
                             % proxy.server_address[1])
        self.upload(file, 'key', '--dry-run', '--no-clobber', env=env,
                    code=4)
        self.assertTrue(seen[0].startswith(self.cloud.url))
        self.assertEqual(self.cloud.ops(), [])
        env['no_proxy'] = '127.0.0.1'
        self.upload(file, 'key', env=env)
        self.assert_stored('key', file)


class Terminal(PushCase):
    def on_terminal(self, *arguments, **env):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            self.command(*arguments), stdin=subprocess.DEVNULL, stdout=theirs,
            stderr=subprocess.PIPE, env=self.cloud.env(TERM='xterm', **env))
        os.close(theirs)
        out = b''
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break
            if not piece:
                break
            out += piece
        os.close(ours)
        self.assertEqual(process.wait(60), 0, process.stderr.read())
        process.stderr.close()
        return out.decode()

    def test_bar_on_a_terminal_and_lines_elsewhere(self):
        file = self.file('disk.bin', 4 * PART)
        line = ['upload', file, 'obs://test-bucket/key', *self.where(),
                '--part-size', '5MiB']
        shown = self.on_terminal(*line)
        self.assertIn('\r', shown.replace('\r\n', '\n'))
        self.assertIn('░', shown)
        # What stays on the screen is whole lines, the bar is wiped.
        self.assertTrue(shown.rstrip().splitlines()[-1].count('upload   obs'))
        self.assertNotIn('\r', self.run_push(*line).out)
        self.assertNotIn('\r', self.on_terminal(*line, TERM_PROGRAM='x',
                                                LC_ALL='C').replace(
            '\r\n', '').replace('\r\x1b[K', ''))


class Credentials(PushCase):
    def setUp(self):
        super().setUp()
        self.small = self.file('small.bin', 100)

    def env(self, **more):
        return self.cloud.env(credentials=False, **more)

    def home(self, name, text, mode=0o600):
        self.env()
        path = os.path.join(self.cloud.home, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def ok(self, *arguments, **env):
        self.cloud.mark()
        result = self.upload(self.small, 'key', *arguments,
                             env=self.env(**env))
        self.assertEqual(self.cloud.count(status=403), 0)
        return result

    def test_each_family_of_variables(self):
        for ak, sk in (('OBS_ACCESS_KEY_ID', 'OBS_SECRET_ACCESS_KEY'),
                       ('HUAWEICLOUD_SDK_AK', 'HUAWEICLOUD_SDK_SK'),
                       ('HW_ACCESS_KEY', 'HW_SECRET_KEY'),
                       ('OS_ACCESS_KEY', 'OS_SECRET_KEY'),
                       ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY')):
            with self.subTest(ak):
                self.ok(**{ak: self.cloud.ak, sk: self.cloud.sk})

    def test_files(self):
        self.home('.obsutilconfig', 'endpoint=%s\nak=%s\nsk=%s\n'
                  % (self.cloud.url, self.cloud.ak, self.cloud.sk))
        self.ok()
        os.unlink(os.path.join(self.cloud.home, '.obsutilconfig'))
        path = self.home('.huaweicloud/credentials', '[basic]\nak = %s\n'
                         'sk = %s\n' % (self.cloud.ak, self.cloud.sk))
        self.ok()
        self.ok('--credentials-file', path)

    def test_no_credentials(self):
        result = self.upload(self.small, 'key', '--no-metadata', code=4,
                             env=self.env())
        self.assertIn('OBS_ACCESS_KEY_ID', result.err)
        self.assertEqual(self.cloud.ops(), [])

    def test_encrypted_obsutil_file_is_named(self):
        self.home('.obsutilconfig', 'endpoint=%s\nak=%s\nsk=%s\n' % (
            self.cloud.url, *(base64.b64encode(os.urandom(size)).decode()
                              for size in (32, 48))))
        result = self.upload(self.small, 'key', '--no-metadata', code=4,
                             env=self.env())
        self.assertIn('encrypted', result.err)

    def test_wrong_secret(self):
        result = self.upload(self.small, 'key', code=4, env=self.env(
            OBS_ACCESS_KEY_ID=self.cloud.ak,
            OBS_SECRET_ACCESS_KEY='wrong' * 8))
        self.assertIn('SignatureDoesNotMatch', result.err)
        self.assertNotIn('wrongwrong', result.err)
        self.assertEqual(self.cloud.count('put-object'), 1)

    def test_unknown_key(self):
        result = self.upload(self.small, 'key', code=4, env=self.env(
            OBS_ACCESS_KEY_ID='NOBODY', OBS_SECRET_ACCESS_KEY='x' * 40))
        self.assertIn('InvalidAccessKeyId', result.err)

    def password(self):
        user = next(u for u in self.cloud.info['users'] if u.get('password'))
        return {'OS_AUTH_URL': self.cloud.url + '/v3',
                'OS_USERNAME': user['name'], 'OS_PASSWORD': user['password'],
                'OS_USER_DOMAIN_NAME': user['domain'],
                'OS_PROJECT_NAME': 'eu-de'}

    def test_password_login(self):
        self.ok(**self.password())
        self.assertEqual(self.cloud.count('put-object', status=200), 1)

    def test_token_login_and_clouds_yaml(self):
        login = self.password()
        clouds = self.home('.config/openstack/clouds.yaml', '''
clouds:
  mine:
    auth:
      auth_url: %(OS_AUTH_URL)s
      username: %(OS_USERNAME)s
      password: "%(OS_PASSWORD)s"
      user_domain_name: %(OS_USER_DOMAIN_NAME)s
      project_name: eu-de
    region_name: eu-de
''' % login)
        self.ok('--os-cloud', 'mine')
        self.ok(OS_CLOUD='mine', OS_CLIENT_CONFIG_FILE=clouds)
        body = {'auth': {'identity': {'methods': ['password'], 'password': {
            'user': {'name': login['OS_USERNAME'],
                     'password': login['OS_PASSWORD'],
                     'domain': {'name': login['OS_USER_DOMAIN_NAME']}}}},
            'scope': {'project': {'name': 'eu-de'}}}}
        token = self.cloud.request(
            'POST', '/v3/auth/tokens', {'content-type': 'application/json'},
            json.dumps(body)).headers['x-subject-token']
        self.ok(OS_AUTH_URL=login['OS_AUTH_URL'], OS_TOKEN=token)

    def test_keys_that_run_out_in_the_middle_are_renewed(self):
        disk = self.file('disk.bin', 6 * PART)
        self.cloud.fault(match={'op': 'upload-part', 'part': 3},
                         action='expire', what='keys')
        self.upload(disk, 'disk', '--part-size', '5MiB', '--parallel', '2',
                    env=self.env(**self.password()))
        self.assert_stored('disk', disk)
        self.assertEqual(self.cloud.sent_twice(), [])
        self.assertEqual(self.cloud.count('initiate'), 1)

    def test_metadata_service_of_either_version(self):
        for version in ('v2', 'v1'):
            with self.subTest(version):
                self.cloud.set(metadata=version)
                self.ok('--metadata-endpoint', self.cloud.url)

    def test_metadata_without_an_agency(self):
        self.cloud.set(metadata_agency=False)
        result = self.upload(self.small, 'key', '--metadata-endpoint',
                             self.cloud.url, code=4, env=self.env())
        self.assertIn('agency', result.err.lower())

    def test_config_shows_what_is_used_and_no_secret(self):
        result = self.run_push('config', *self.where())
        self.assertIn('OBS_ACCESS_KEY_ID', result.out)
        self.assertIn(self.cloud.ak, result.out)
        self.assertEqual(self.cloud.ops(), [])

    def test_no_core_dump_and_no_secret_in_the_journal(self):
        disk = self.file('disk.bin', 6 * PART)
        self.cloud.fault(match={'op': 'upload-part', 'part': '2-9'},
                         action='stall', count=None)
        process = self.start('upload', disk, 'obs://test-bucket/key',
                             *self.where(), '--part-size', '5MiB')
        self.addCleanup(process.kill)
        while self.cloud.count('upload-part', status=200) < 1:
            self.assertIsNone(process.poll())
        with open('/proc/%d/limits' % process.pid) as f:
            core = next(line for line in f if 'core file' in line)
        self.assertRegex(core, r'size +0 ')
        process.terminate()
        process.communicate()
        for name in os.listdir(self.state):
            with open(os.path.join(self.state, name), 'rb') as f:
                text = f.read()
            self.assertNotIn(self.cloud.sk.encode(), text)
            self.assertNotIn(self.cloud.ak.encode(), text)
            self.assertEqual(os.stat(os.path.join(self.state, name)).st_mode
                             & 0o77, 0)
        self.assertEqual(os.stat(self.state).st_mode & 0o77, 0)


class Sources(PushCase):
    def test_what_cannot_be_uploaded(self):
        os.mkfifo(self.path('fifo'))
        open(self.path('empty'), 'w').close()
        for name in ('missing', 'fifo', 'empty', '.'):
            with self.subTest(name):
                self.upload(self.path(name), 'key', code=3)
        self.assertEqual(self.cloud.ops(), [])

    def test_damaged_zvhd2_is_not_uploaded(self):
        image = self.zvhd2()
        self.upload(image, 'key')
        self.assert_stored('key', image)
        os.truncate(image, os.stat(image).st_size - 4096)
        self.cloud.mark()
        result = self.upload(image, 'key', code=3)
        self.assertIn('convert it again', result.err)
        self.assertEqual(self.cloud.ops(), [])

    def test_check(self):
        image = self.zvhd2()
        result = self.run_push('check', image)
        self.assertIn('ZVHD2, zstd, 1.0 GiB disk', result.out)
        self.run_push('check', '--deep', image)
        with open(image, 'r+b') as f:
            f.seek(4096 + 48)
            f.write(b'no zstd frame')
        self.run_push('check', image)
        result = self.run_push('check', '--deep', image, code=3)
        self.assertIn('rule', result.err)
        for size, text in ((4097, 'cut off: 4097 bytes'),
                           (4096, 'has no footer'), (8192, 'has no footer')):
            os.truncate(image, size)
            result = self.run_push('check', image, code=3)
            self.assertIn(text, result.err)

    def test_foreign_formats_are_named(self):
        for magic, name in ((b'QFI\xfb', 'qcow2'), (b'KDMV', 'VMDK'),
                            (b'vhdxfile', 'VHDX')):
            with open(self.path('x'), 'wb') as f:
                f.write(magic.ljust(4096, b'\0'))
            result = self.run_push('check', self.path('x'), code=3)
            self.assertIn(name, result.err)
            self.assertIn('qemu-img convert -O zvhd2', result.err)


if __name__ == '__main__':
    unittest.main()
