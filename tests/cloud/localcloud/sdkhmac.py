# SPDX-License-Identifier: GPL-2.0-or-later
"""SDK-HMAC-SHA256, the AK/SK signature of IAM and IMS.

Two forms: the plain one (Access=AK, the secret is the key) and the legacy
one with a credential scope (Credential=AK/day/region/service/sdk_request).
Rules: "API Request Signing Guide".
"""

import hashlib
import hmac
import re
import urllib.parse

from .errors import ApiError
from .sign import MAX_SKEW, canonical_query, parse_date

MAX_BODY = 12 << 20
UNSIGNED = 'UNSIGNED-PAYLOAD'

HEADER = re.compile(
    r'SDK-HMAC-SHA256 (Access|Credential)=([^,\s]+), ?'
    r'SignedHeaders=([^,\s]*), ?Signature=([0-9a-f]{64})')

# Headers that choose whose data is used: the plain form must sign them.
SENSITIVE = ('x-project-id', 'x-domain-id', 'x-security-token',
             'x-sdk-content-sha256')


def refuse(text):
    """The gateway's 401."""
    return ApiError('APIGW.0301', 'Incorrect IAM authentication information: '
                    + text, status=401, gateway=True)


class SdkClaim:
    """One parsed Authorization header; check() proves it."""

    def __init__(self, request, body):
        match = HEADER.fullmatch(request.header('authorization', ''))
        if not match:
            raise refuse('the Authorization header is not understood')
        self.request = request
        self.body = body
        self.names = match.group(3).split(';')
        self.signature = match.group(4)
        self.token = request.header('x-security-token')
        self.date = request.header('x-sdk-date', '')
        self.scope = None
        if match.group(1) == 'Access':
            self.kind = 'sdk'
            self.ak = match.group(2)
        else:
            self.kind = 'sdk-legacy'
            self.ak, _, self.scope = match.group(2).partition('/')
            if not re.fullmatch(r'\d{8}/[^/]*/[^/]*/sdk_request', self.scope):
                raise refuse('the credential scope is not understood')
        self.check_names()

    def check_names(self):
        """What has to be signed is signed."""
        if self.names != sorted(set(self.names)):
            raise refuse('SignedHeaders must be lower case and sorted')
        for name in ('host', 'x-sdk-date'):
            if name not in self.names:
                raise refuse('header %s is not signed' % name)
        for name in self.names:
            if self.request.header(name) is None:
                raise refuse('signed header %s is missing' % name)
        if self.kind == 'sdk':
            for name in SENSITIVE:
                if (self.request.header(name) is not None
                        and name not in self.names):
                    raise refuse('header %s is not signed' % name)

    def canonical_request(self):
        request = self.request
        path = urllib.parse.unquote_to_bytes(request.raw_path)
        path = '/'.join(urllib.parse.quote(segment, safe='-_.~')
                        for segment in path.split(b'/'))
        if not path.endswith('/'):
            path += '/'
        digest = request.header('x-sdk-content-sha256')
        if digest is None:
            digest = hashlib.sha256(self.body).hexdigest()
        headers = ''.join('%s:%s\n' % (name, request.header(name))
                          for name in self.names)
        return '\n'.join([request.method, path,
                          canonical_query(request.query), headers,
                          ';'.join(self.names), digest])

    def string_to_sign(self):
        lines = ['SDK-HMAC-SHA256', self.date]
        if self.scope is not None:
            lines.append(self.scope)
        lines.append(hashlib.sha256(
            self.canonical_request().encode('latin-1')).hexdigest())
        return '\n'.join(lines)

    def compute(self, secret):
        key = secret.encode()
        if self.scope is not None:
            key = b'SDK' + key
            for step in self.scope.split('/'):
                key = hmac.new(key, step.encode(), hashlib.sha256).digest()
        return hmac.new(key, self.string_to_sign().encode('latin-1'),
                        hashlib.sha256).hexdigest()

    def check(self, secret, now):
        """Raise ApiError unless time, body and signature are right."""
        if not re.fullmatch(r'\d{8}T\d{6}Z', self.date):
            raise refuse('x-sdk-date is missing or malformed')
        if abs(parse_date(self.date) - now) > MAX_SKEW:
            raise refuse('the request time x-sdk-date %s is not within 15 '
                         'minutes of the server time' % self.date)
        if self.scope is not None and not self.date.startswith(
                self.scope.partition('/')[0]):
            raise refuse('the scope has another day than x-sdk-date')
        if len(self.body) > MAX_BODY:
            raise ApiError('APIGW.0201', 'Request entity too large: AK/SK '
                           'requests are limited to 12 MB', status=413,
                           gateway=True)
        if not hmac.compare_digest(self.compute(secret), self.signature):
            raise refuse('verify aksk signature fail, canonical request is '
                         + self.canonical_request().replace('\n', '|'))
        stated = self.request.header('x-sdk-content-sha256')
        if stated not in (None, UNSIGNED,
                          hashlib.sha256(self.body).hexdigest()):
            raise refuse('x-sdk-content-sha256 is not the hash of the body')
