#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""obs-push upload against everything a server and a network can do wrong."""

import http.server
import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
from pushtest import MIB, PushCase

PART = 5 * MIB


class FaultCase(PushCase):
    def setUp(self):
        super().setUp()
        self.disk = self.file('disk.bin', 4 * PART + 77)

    def go(self, *arguments, **how):
        return self.upload(self.disk, 'key', '--part-size', '5MiB',
                           *arguments, **how)

    def fault(self, op, action, **fields):
        self.cloud.fault(match={'op': op, **fields.pop('match', {})},
                         action=action, **fields)

    def assert_good(self, parts=5, sent=None):
        """The object is right, nothing is left, and each part was sent once,
        or as often as @sent says."""
        self.assert_stored('key', self.disk)
        self.assert_clean()
        self.assertEqual(self.cloud.sent_twice(), [])
        if sent is not None:
            self.assertEqual(self.cloud.count('upload-part'), sent)


class Retried(FaultCase):
    """Faults that end after a while must not be seen by the user."""

    def test_500_on_every_kind_of_request(self):
        for op in ('probe', 'initiate', 'upload-part', 'list-parts',
                   'complete', 'head-object'):
            self.fault(op, 'answer', status=500, code='InternalError')
        self.go()
        self.assert_good(sent=6)
        self.assertEqual(self.cloud.count('initiate'), 2)

    def test_retry_after_is_waited_for(self):
        self.fault('upload-part', 'answer', status=503, code='SlowDown',
                   headers={'Retry-After': '2'}, match={'part': 3})
        self.go()
        self.assert_good(sent=6)
        times = [r['time'] for r in self.cloud.log('upload-part')
                 if r['query']['partNumber'] == '3']
        self.assertGreaterEqual(times[1] - times[0], 2)

    def test_429(self):
        self.fault('upload-part', 'answer', status=429,
                   code='TooManyRequests', count=3)
        self.go()
        self.assert_good(sent=8)

    def test_connection_lost_at_each_point(self):
        for part, when in enumerate(('before', 'body', 'after', 'response'),
                                    1):
            self.fault('upload-part', 'drop', when=when,
                       match={'part': part})
        self.go()
        self.assert_stored('key', self.disk)
        self.assert_clean()

    def test_connection_reset(self):
        self.fault('upload-part', 'drop', when='body', reset=True, count=2)
        self.go()
        self.assert_good(sent=7)

    def test_stall_in_the_middle(self):
        self.fault('upload-part', 'stall', when='body', match={'part': 2})
        self.go('--timeout', '2')
        self.assert_good()
        self.assertEqual([rule['hits'] for rule in self.cloud.faults()], [1])

    def test_no_answer_to_a_part(self):
        self.fault('upload-part', 'stall', match={'part': 2})
        self.go('--timeout', '2')
        self.assert_good()
        self.assertEqual([rule['hits'] for rule in self.cloud.faults()], [1])

    def test_wrong_etag_of_a_part(self):
        self.fault('upload-part', 'etag', match={'part': 4})
        result = self.go()
        self.assertIn('part 4', result.err)
        self.assert_stored('key', self.disk)
        self.assertEqual(self.cloud.count('upload-part'), 6)

    def test_clock_that_is_off(self):
        for offset in (3600, -86400):
            with self.subTest(offset):
                self.cloud.set(clock_offset=offset)
                result = self.upload(self.disk, 'key%d' % offset)
                self.assertIn('clock is off', result.err)
                self.assert_stored('key%d' % offset, self.disk)
        # Found out once, not by each request.
        self.assertEqual(self.cloud.count(status=403), 2)

    def test_redirect_is_followed_with_a_fresh_signature(self):
        self.fault('upload-part', 'redirect', status=307)
        self.go()
        self.assert_good(sent=6)

    def test_complete_answer_lost(self):
        """Done, but nobody heard: the object is looked at, not made again."""
        self.fault('complete', 'drop', when='response')
        self.go()
        self.assert_good(sent=5)
        self.assertEqual(self.cloud.count('complete'), 1)

    def test_complete_lost_before_it_was_done(self):
        self.fault('complete', 'drop', when='before')
        self.go()
        self.assert_good(sent=5)
        self.assertEqual(self.cloud.count('complete'), 2)

    def test_complete_500_although_done(self):
        self.fault('complete', 'rewrite', status=500,
                   body='<Error><Code>InternalError</Code></Error>')
        self.go()
        self.assert_good(sent=5)
        self.assertEqual(self.cloud.count('complete'), 1)

    def test_complete_200_with_an_error_inside(self):
        self.fault('complete', 'rewrite', do=False, status=200,
                   body='<?xml version="1.0"?><Error><Code>InternalError'
                        '</Code><Message>try again</Message></Error>')
        self.go()
        self.assert_good(sent=5)
        self.assertEqual(self.cloud.count('complete'), 2)

    def test_complete_answer_without_etag(self):
        self.cloud.set(complete_without_etag=True)
        self.go()
        self.assert_good()

    def test_upload_dropped_in_the_middle(self):
        """NoSuchUpload: begun anew, once."""
        self.fault('upload-part', 'expire', what='upload',
                   match={'part': 3})
        result = self.go('--parallel', '1')
        self.assertIn('beginning anew', result.err)
        self.assert_stored('key', self.disk)
        self.assertEqual(self.cloud.count('initiate'), 2)

    def test_part_lost_by_the_server(self):
        """The list before Complete shows it."""
        self.fault('upload-part', 'rewrite', do=False, status=200,
                   headers={}, match={'part': 2})
        self.go()
        self.assert_stored('key', self.disk)

    def test_server_restarts(self):
        self.cloud.fault(match={'op': 'upload-part', 'part': '3-9'},
                         action='stall', count=None)
        process = self.start('upload', self.disk, 'obs://test-bucket/key',
                             *self.where(), '--part-size', '5MiB')
        self.addCleanup(process.kill)
        while self.cloud.count('upload-part', status=200) < 2:
            self.assertIsNone(process.poll())
            time.sleep(0.02)
        self.cloud.stop(kill=True)
        time.sleep(0.5)
        self.cloud.start()
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, err.decode())
        self.assert_stored('key', self.disk)


class Final(FaultCase):
    """Faults that stay end with a clear message and a useful exit code."""

    def test_server_that_never_answers(self):
        self.cloud.fault(action='stall', count=None)
        begin = time.monotonic()
        result = self.go('--timeout', '1', '--retries', '2', code=5)
        self.assertLess(time.monotonic() - begin, 60)
        self.assertIn('gave up after 2 attempts', result.err)

    def test_server_that_never_answers_and_a_deadline(self):
        self.cloud.fault(action='stall', count=None)
        result = self.go('--deadline', '2s', code=8)
        self.assertIn('deadline', result.err)

    def test_nobody_listens(self):
        self.cloud.stop()
        result = self.go('--retries', '2', code=5)
        self.assertIn('gave up after 2 attempts', result.err)

    def test_server_that_stops_answering_in_the_middle(self):
        self.cloud.fault(match={'op': 'upload-part', 'part': '3-9'},
                         action='stall', count=None)
        result = self.go('--timeout', '1', '--retries', '2', code=6)
        self.assertIn('same command', result.err)
        self.cloud.clear_faults()
        self.go()
        self.assert_good()

    def test_host_that_does_not_exist(self):
        result = self.run_push('upload', self.disk, 'obs://test-bucket/key',
                               '--endpoint', 'https://nowhere.invalid',
                               '--retries', '1', '--state-dir', self.state,
                               code=None)
        self.assertIn(result.code, (5, 6), result)
        self.assertIn('nowhere.invalid', result.err)

    def test_etag_always_wrong(self):
        self.fault('upload-part', 'etag', count=None)
        result = self.go(code=6)
        self.assertIn('changes the data', result.err)
        self.assertEqual(self.cloud.count('complete'), 0)

    def test_503_without_end(self):
        self.fault('upload-part', 'answer', status=503, code='SlowDown',
                   count=None)
        result = self.go('--retries', '2', code=6)
        self.assertIn('SlowDown', result.err)
        self.assertIn('same command', result.err)
        self.cloud.clear_faults()
        self.go()
        self.assert_good()
        self.assertEqual(self.cloud.count('initiate'), 1)

    def test_access_denied(self):
        self.fault('upload-part', 'answer', status=403, code='AccessDenied',
                   count=None)
        result = self.go(code=4)
        self.assertIn('AccessDenied', result.err)
        self.assertIn('request', result.err)
        self.assertLessEqual(self.cloud.count('upload-part'), 5)

    def test_no_such_bucket(self):
        result = self.upload(self.disk, 'key', bucket='no-bucket', code=5)
        self.assertIn('bucket', result.err)

    def test_bucket_in_another_region(self):
        self.fault('initiate', 'answer', status=301, code='PermanentRedirect',
                   count=None)
        result = self.go(code=5)
        self.assertIn('301', result.err)

    def test_redirect_to_a_stranger_is_refused(self):
        for op in ('probe', 'upload-part'):
            with self.subTest(op):
                self.cloud.clear_faults()
                self.fault(op, 'redirect', status=307,
                           host='evil.example.com', count=None)
                result = self.upload(self.disk, 'key-' + op, '--part-size',
                                     '5MiB', code=5)
                self.assertIn('evil.example.com', result.err)

    def test_redirects_without_end(self):
        self.fault('initiate', 'redirect', status=307, count=None)
        result = self.go(code=None)
        self.assertNotEqual(result.code, 0)
        self.assertEqual(self.cloud.count('initiate'), 4)

    def test_retry_after_longer_than_the_deadline(self):
        self.fault('upload-part', 'answer', status=503, code='SlowDown',
                   headers={'Retry-After': '300'}, count=None)
        begin = time.monotonic()
        result = self.go('--deadline', '30s', code=8)
        self.assertLess(time.monotonic() - begin, 25)
        self.assertIn('deadline', result.err)

    def test_answers_that_are_no_xml(self):
        self.fault('initiate', 'rewrite', status=200, body='{"not": "xml"}',
                   count=None)
        result = self.go(code=None)
        self.assertIn(result.code, (1, 6), result)
        self.assertIn('begin the upload', result.err)

    def test_answer_without_end(self):
        class Endless(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self):
                self.send_response(200)
                self.end_headers()

            def do_POST(self):
                self.send_response(200)
                self.end_headers()
                try:
                    while True:
                        self.wfile.write(b'x' * MIB)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Endless)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        result = self.run_push(
            'upload', self.disk, 'obs://test-bucket/key', '--part-size',
            '5MiB', '--endpoint',
            'http://127.0.0.1:%d' % server.server_address[1], '--state-dir',
            self.state, '--retries', '2', code=None)
        self.assertNotEqual(result.code, 0)
        self.assertIn('larger than', result.err)

    def test_control_characters_in_an_error_do_not_reach_the_terminal(self):
        self.fault('initiate', 'answer', status=403, code='AccessDenied',
                   message='\x1b[2J\x1b]0;owned\x07', count=None)
        result = self.go(code=4)
        self.assertNotIn('\x1b', result.err)

    def test_object_that_is_not_what_was_sent(self):
        self.fault('head-object', 'etag', count=None)
        result = self.go(code=6)
        self.assertIn('not what was sent', result.err)


if __name__ == '__main__':
    unittest.main()
