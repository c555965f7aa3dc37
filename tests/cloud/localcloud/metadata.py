# SPDX-License-Identifier: GPL-2.0-or-later
"""The metadata service of a machine: temporary keys of its agency."""

import json
import re
import secrets
import threading

from .errors import ApiError
from .iam import key_json
from .wire import Response

TOKEN_PATH = '/meta-data/latest/api/token'
KEY_PATHS = ('/openstack/latest/securitykey', '/openstack/latest/security_key')


def plain(status, text):
    return Response(status, (), text, 'text/plain')


class MetadataService:
    def __init__(self, accounts, settings, clock):
        self.accounts = accounts
        self.settings = settings
        self.clock = clock
        self._lock = threading.Lock()
        self._tokens = {}       # text -> end of life

    @staticmethod
    def error(_request, error):
        return plain(error.status, error.message)

    def classify(self, request):
        request.op = {TOKEN_PATH: 'metadata-token',
                      KEY_PATHS[0]: 'metadata-key'}.get(request.raw_path,
                                                        'unknown')

    def handle(self, request):
        if request.op == 'metadata-token':
            return self.make_token(request)
        if request.op == 'metadata-key' and request.method == 'GET':
            return self.give_key(request)
        raise ApiError('NotFound', '404 Not Found', status=404)

    def make_token(self, request):
        if self.settings['metadata'] == 'v1':
            status = self.settings['metadata_no_v2_status']
            raise ApiError('NoToken', 'no token service', status=status)
        if request.method != 'PUT':
            raise ApiError('Method', 'PUT only', status=405)
        life = request.header('x-metadata-token-ttl-seconds', '')
        if not re.fullmatch(r'\d{1,5}', life) or not (
                1 <= int(life) <= 21600):
            raise ApiError('Ttl', 'X-Metadata-Token-Ttl-Seconds must be 1 '
                           'to 21600', status=400)
        if request.header('x-forwarded-for') is not None:
            raise ApiError('Forwarded', 'not through a proxy', status=403)
        text = secrets.token_urlsafe(40)
        with self._lock:
            self._tokens[text] = self.clock() + int(life)
        return plain(200, text)

    def give_key(self, request):
        token = request.header('x-metadata-token')
        with self._lock:
            good = self._tokens.get(token, 0) > self.clock()
        if token is not None and not good:
            raise ApiError('Token', 'The metadata token is not valid',
                           status=401)
        if token is None and self.settings['metadata'] == 'v2':
            raise ApiError('Token', 'A metadata token is needed', status=401)
        if not self.settings['metadata_agency']:
            raise ApiError('Agency', 'Please configure Cloud Service Agency '
                           'first', status=401)
        key = self.accounts.issue_key(self.accounts.users[0],
                                      self.settings['metadata_key_life'])
        return Response(200, (), json.dumps({'credential': key_json(key)}),
                        'application/json')
