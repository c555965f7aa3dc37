#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The local cloud proves itself: fault rules, request log, TLS."""

import http.client
import json
import os
import socket
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'lib')]

import cloudsign                                    # noqa: E402
from cloudcase import CloudCase, md5                # noqa: E402

MIB = 1 << 20


class Faults(CloudCase):
    def test_status(self):
        cloud = self.cloud
        cloud.fault(match={'op': 'put-object', 'key': '^f'}, skip=1, count=2,
                    action='answer', status=503,
                    headers={'Retry-After': '7'})
        seen = [cloud.obs('PUT', 'f', body=b'x') for _ in range(4)]
        self.assertEqual([answer.status for answer in seen],
                         [200, 503, 503, 200])
        self.assertEqual(seen[1].headers['retry-after'], '7')
        self.assertEqual(seen[1].code, 'ServiceUnavailable')
        self.ok(cloud.obs('PUT', 'g'))
        self.assertEqual(cloud.faults()[0]['hits'], 2)
        self.assertEqual(cloud.count(status=503), 2)

    def test_early_answer(self):
        """The answer comes while the client still sends."""
        self.cloud.fault(action='answer', status=403, early=True)
        self.fails(self.cloud.obs('PUT', 'e', body=bytes(5 * MIB)), 403,
                   'AccessDenied')
        self.ok(self.cloud.obs('PUT', 'e', body=b'x'))

    def test_redirect(self):
        self.cloud.fault(action='redirect', host='elsewhere.localhost')
        answer = self.fails(self.cloud.obs('GET', 'r'), 307,
                            'TemporaryRedirect')
        self.assertEqual(answer.headers['location'],
                         'http://elsewhere.localhost/%s/r'
                         % self.cloud.bucket)

    def drops(self, **rule):
        """A PUT that ends in a dropped connection; its record."""
        self.cloud.obs('DELETE', 'd')
        self.cloud.fault(action='drop', **rule)
        with self.assertRaises(ConnectionError):
            self.cloud.obs('PUT', 'd', body=bytes(100000))
        return self.cloud.log()[-1]

    def test_drop_before(self):
        record = self.drops(when='before', reset=True)
        self.assertEqual((record['bytes_in'], record['status']), (0, None))
        self.assertNotIn('d', self.cloud.objects())

    def test_drop_in_body(self):
        record = self.drops(when='body', bytes=1000)
        self.assertEqual((record['bytes_in'], record['acked']),
                         (1000, False))
        self.assertNotIn('d', self.cloud.objects())

    def test_drop_answer(self):
        """Done, but the client does not get to know."""
        record = self.drops(when='after')
        self.assertEqual((record['acked'], record['stored'],
                          record['bytes_in']), (False, True, 100000))
        self.assertIn('d', self.cloud.objects())

    def test_drop_in_answer(self):
        self.cloud.put('whole', b'0123456789')
        self.cloud.fault(match={'op': 'get-object'}, action='drop',
                         when='response', bytes=4)
        with self.assertRaises(http.client.IncompleteRead) as caught:
            self.cloud.obs('GET', 'whole')
        self.assertEqual(caught.exception.partial, b'0123')
        self.assertFalse(self.cloud.log('get-object')[0]['acked'])

    def test_stall(self):
        """A request that is never answered does not block the others."""
        cloud = self.cloud
        cloud.fault(match={'key': 'slow'}, action='stall', when='before')
        cloud.fault(match={'key': 'late'}, action='stall', seconds=0.3)
        target, headers = cloudsign.obs('GET', cloud.bucket, 'slow', [], {},
                                        cloud.ak, cloud.sk)
        link = cloud.connect()
        link.request('GET', target, headers=headers)
        link.sock.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            link.sock.recv(1)
        began = time.monotonic()
        self.ok(cloud.obs('PUT', 'late'))
        self.assertGreaterEqual(time.monotonic() - began, 0.3)
        link.close()
        for _ in range(100):
            if cloud.log(key='slow'):
                break
            time.sleep(0.05)
        self.assertEqual(cloud.log(key='slow')[0]['status'], None)

    def test_stall_in_answer(self):
        """The rest of the answer comes late, but whole."""
        self.cloud.put('late', b'0123456789')
        self.cloud.fault(match={'op': 'get-object'}, action='stall',
                         when='response', seconds=0.2)
        self.assertEqual(self.cloud.obs('GET', 'late').body, b'0123456789')
        self.assertGreaterEqual(self.cloud.log('get-object')[0]['seconds'],
                                0.2)

    def test_slow(self):
        """A limit for all, and one for a request."""
        self.cloud.set(bandwidth=200000)
        self.ok(self.cloud.obs('PUT', 's', body=bytes(40000)))
        self.cloud.set(bandwidth=0)
        self.cloud.fault(action='slow', rate=200000)
        self.ok(self.cloud.obs('PUT', 's', body=bytes(140000)))
        for record in self.cloud.log('put-object'):
            self.assertGreaterEqual(record['seconds'], 0.1)

    def test_lies(self):
        cloud = self.cloud
        cloud.fault(match={'op': 'upload-part'}, action='etag')
        upload = self.begin('lies')
        tag = self.ok(self.part('lies', upload, 1, b'x')).headers['etag']
        self.assertNotEqual(tag, '"%s"' % md5(b'x'))
        cloud.fault(match={'op': 'complete'}, action='rewrite', do=False,
                    body='<Error><Code>InternalError</Code></Error>')
        parts = [(1, md5(b'x'))]
        self.fails(self.complete('lies', upload, parts), 200,
                   'InternalError')
        self.assertEqual(len(cloud.uploads()), 1)
        cloud.fault(match={'op': 'complete'}, action='etag')
        answer = self.ok(self.complete('lies', upload, parts))
        self.assertNotEqual(answer.between('ETag'),
                            cloud.obs('HEAD', 'lies').headers['etag'])

    def test_expire_upload(self):
        upload = self.begin('gone')
        self.cloud.fault(match={'part': '2-3'}, action='expire',
                         what='upload')
        self.ok(self.part('gone', upload, 1, b'x'))
        self.fails(self.part('gone', upload, 2, b'x'), 404, 'NoSuchUpload')

    def test_set_and_continue(self):
        """A rule may change a setting and let the next rule act."""
        cloud = self.cloud
        cloud.fault(match={'op': 'head-bucket'}, action='set',
                    settings={'clock_offset': 3600}, **{'continue': True})
        cloud.fault(match={'op': 'head-bucket'}, action='stall',
                    seconds=0.01)
        answer = self.fails(cloud.obs('HEAD'), 403, 'RequestTimeTooSkewed')
        self.assertEqual(len(cloud.log()[0]['fault']), 2)
        self.assertIn('GMT', answer.headers['date'])
        self.ok(cloud.obs('HEAD', skew=3600))

    def test_odd_requests(self):
        """What is not HTTP, or odd, gets its answer; nothing breaks."""
        cloud = self.cloud
        signed = b'Authorization: OBS %s:b\r\n' % cloud.ak.encode()
        for line, status in (
                (b'GET\r\n\r\n', b' 400 '),
                (b'\x16\x03\x01\x02\x00\r\n\r\n', b' 400 '),
                (b'GET / HTTP/1.1\r\nno colon\r\n\r\n', b' 400 '),
                (b'GET nothing HTTP/1.1\r\n\r\n', b' 400 '),
                (b'GET /b/%ff%fe HTTP/1.1\r\n\r\n', b' 400 '),
                (b'PUT /b/k HTTP/1.1\r\nContent-Length: -1\r\n\r\n',
                 b' 400 '),
                (b'GET /b/k HTTP/1.1\r\nDate: \xff\r\n' + signed + b'\r\n',
                 b' 403 '),
                (b'GET /b/k HTTP/1.1\r\nDate: Tue, 99 Foo 9999999 99:99:99 '
                 b'GMT\r\n' + signed + b'\r\n', b' 403 ')):
            with socket.create_connection(('127.0.0.1', cloud.port)) as link:
                link.sendall(line)
                link.settimeout(10)
                self.assertEqual(link.recv(100)[8:13], status, line)
        for value in ([], {'auth': 1}, {'auth': {'identity': {
                'methods': [{}, 'password'], 'password': {'user': 2}}}},
                {'auth': {'identity': {'methods': ['password'], 'password': {
                    'user': {'name': [], 'domain': 3}}}}}):
            self.assertEqual(cloud.request(
                'POST', '/v3/auth/tokens', {'Content-Type':
                                            'application/json'},
                json.dumps(value)).status, 400)
        self.assertEqual([record for record in cloud.log()
                          if 'bug' in record], [])

    def test_bad_rules(self):
        for rule in ({'action': 'explode'}, {'action': 'drop', 'wen': 'x'},
                     {'action': 'drop', 'when': 'never'}, {'action': 'slow'},
                     {'action': 'etag', 'match': {'uri': '/'}}):
            with self.assertRaises(ValueError):
                self.cloud.fault(**rule)
        for settings in ({'min_prt': 1}, {'min_part': 'x'},
                         {'min_part': True}):
            with self.assertRaises(ValueError):
                self.cloud.set(**settings)

    def test_log(self):
        """The log has each request, its bytes and no secrets."""
        cloud = self.cloud
        threads = [threading.Thread(target=cloud.obs, args=('PUT', 'k%d' % n),
                                    kwargs={'body': bytes(n)})
                   for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        records = cloud.log('put-object', status=200, acked=True)
        self.assertEqual(sorted(record['bytes_in'] for record in records),
                         list(range(20)))
        self.assertEqual(len({record['seq'] for record in records}), 20)
        record = records[0]
        self.assertEqual((record['auth'], record['ak'], record['headers'][
            'authorization']), ('obs', cloud.ak, '***'))
        with open(cloud.info['log'], encoding='utf-8') as file:
            lines = [json.loads(line) for line in file]
        self.assertLessEqual(20, len(lines))
        self.assertNotIn(cloud.sk, json.dumps(lines))


class Tls(CloudCase):
    options = {'tls': True}

    def test_put(self):
        self.cloud.put('secure', b'data')
        self.assertEqual(self.cloud.read('secure'), b'data')
        self.assertEqual(self.cloud.log('put-object')[0]['scheme'], 'https')


if __name__ == '__main__':
    unittest.main()
