#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""obs-push logs in at OpenStack Keystone: token by password, project scope,
expiry and renewal.  Keystone has neither temporary keys nor jobs, so a front
plays these two; it asks Keystone about each token that it is shown."""
import http.server
import json
import os
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common                                               # noqa: E402
import servers                                              # noqa: E402

IMAGE = '11111111-2222-3333-4444-555555555555'
TOKEN_SECONDS = 6


def ask(method, url, body=None, **headers):
    """(status, headers, body) of a request."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {
        name.replace('_', '-'): value for name, value in headers.items()},
        method=method)
    if data:
        request.add_header('Content-Type', 'application/json')
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as e:
        return e.code, dict(e.headers), e.read()


class Handler(http.server.BaseHTTPRequestHandler):
    """@server.keystone: a Keystone; .jobs_end: when a job has succeeded."""

    def log_message(self, *_):
        pass

    def answer(self, status, body, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def token_is_good(self):
        """Keystone's own verdict on the token of this request."""
        token = self.headers.get('X-Auth-Token', '')
        status, _, body = ask('GET', self.server.keystone.url + '/auth/tokens',
                              X_Auth_Token=token, X_Subject_Token=token)
        if status == 200:
            project = json.loads(body)['token'].get('project', {})
            self.server.projects.add(project.get('id'))
        self.server.verdicts.append(status)
        return status == 200

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        if self.path.startswith('/v3/auth/tokens'):
            status, headers, answer = ask(
                'POST', self.server.keystone.url + self.path[3:],
                json.loads(body))
            self.server.logins.append(status)
            token = headers.get('X-Subject-Token')
            return self.answer(status, answer,
                               **({'X_Subject_Token': token} if token else {}))
        if self.path == '/v3.0/OS-CREDENTIAL/securitytokens':
            if not self.token_is_good():
                return self.answer(401, {'error': {
                    'code': 401, 'message': 'token'}})
            return self.answer(201, {'credential': {
                'access': 'TEMPORARY', 'secret': 'secret',
                'securitytoken': 'token',
                'expires_at': '2099-01-01T00:00:00.000000Z'}})
        self.answer(404, {})

    def do_GET(self):
        job = '/jobs/' in self.path
        if not job and '/cloudimages' not in self.path:
            return self.answer(404, {})
        if not self.token_is_good():
            return self.answer(401, {'error': {
                'code': 401, 'message': 'The token has expired.'}})
        if not job:
            return self.answer(200, {'images': [
                {'id': IMAGE, 'name': 'disk', 'status': 'active'}]})
        ended = time.monotonic() > self.server.jobs_end
        self.answer(200, {
            'job_id': 'job', 'job_type': 'ims_import_image',
            'status': 'SUCCESS' if ended else 'RUNNING',
            'entities': {'image_id': IMAGE} if ended else {}})


class KeystoneLogin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keystone = k = servers.Keystone(token_seconds=TOKEN_SECONDS)
        k.__enter__()
        cls.addClassCleanup(k.stop)
        _, _, body = ask('POST', k.url + '/auth/tokens', {'auth': {
            'identity': {'methods': ['password'], 'password': {'user': {
                'name': k.user, 'password': k.password,
                'domain': {'name': k.domain}}}},
            'scope': {'project': {'name': k.project,
                                  'domain': {'name': k.domain}}}}})
        cls.project_id = json.loads(body)['token']['project']['id']

    def setUp(self):
        front = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        front.keystone, front.jobs_end = self.keystone, 0
        front.logins, front.verdicts, front.projects = [], [], set()
        threading.Thread(target=front.serve_forever, daemon=True).start()
        self.addCleanup(front.server_close)
        self.addCleanup(front.shutdown)
        self.front = front

    def wait(self, **env):
        url = f'http://127.0.0.1:{self.front.server_port}'
        k = self.keystone
        env = common.clean_env(**dict(dict(
            OS_USERNAME=k.user, OS_PASSWORD=k.password,
            OS_USER_DOMAIN_NAME=k.domain, OS_PROJECT_ID=self.project_id),
            **env))
        return common.run_any(
            common.tool('obs-push'), 'wait', 'job', '--iam-endpoint', url,
            '--ims-endpoint', url, '--endpoint', url, '--poll-interval', '1',
            '--no-metadata', timeout=120, env=env)

    def test_token_by_password_with_project_scope(self):
        out, code = self.wait()
        self.assertEqual(code, 0, out)
        self.assertIn(IMAGE, out)
        # on a slow machine the short-lived token is renewed on the way
        self.assertEqual(set(self.front.logins), {201})
        self.assertEqual(self.front.projects, {self.project_id})

    def test_project_by_name_in_its_domain(self):
        k = self.keystone
        out, code = self.wait(OS_PROJECT_ID='', OS_PROJECT_NAME=k.project,
                              OS_PROJECT_DOMAIN_NAME=k.domain)
        self.assertEqual(code, 0, out)
        self.assertIn(IMAGE, out)
        self.assertEqual(self.front.projects, {self.project_id})

    def test_expired_token_is_renewed_while_waiting(self):
        self.front.jobs_end = time.monotonic() + 3 * TOKEN_SECONDS
        out, code = self.wait()
        self.assertEqual(code, 0, out)
        self.assertIn(IMAGE, out)
        # three lives of a token cannot be waited for with one of them
        self.assertGreaterEqual(self.front.logins.count(201), 3)

    def test_wrong_password_is_told_and_not_shown(self):
        out, code = self.wait(OS_PASSWORD='not-the-password')
        self.assertNotEqual(code, 0)
        self.assertIn('401', out)
        self.assertNotIn('not-the-password', out)
        self.assertEqual(set(self.front.logins), {401})

    def test_foreign_project_is_refused(self):
        out, code = self.wait(OS_PROJECT_ID='0' * 32)
        self.assertNotEqual(code, 0)
        self.assertIn('401', out)


if __name__ == '__main__':
    unittest.main()
