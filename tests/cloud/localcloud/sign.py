# SPDX-License-Identifier: GPL-2.0-or-later
"""Object storage signatures: OBS, AWS V2, AWS V4; in a header or the URL.

Rules: API reference "User Signature Authentication" and "Authentication in a
URL"; Amazon's Signature Version 4 for S3.  Text is handled as latin-1, which
is how the standard library hands over header bytes: nothing is lost.
"""

import base64
import calendar
import email.utils
import hashlib
import hmac
import re
import time
import urllib.parse

from .errors import ApiError

MAX_SKEW = 15 * 60
UNSIGNED = 'UNSIGNED-PAYLOAD'

# Query names that are part of the signed resource.
SUBRESOURCES = frozenset('''
    CDNNotifyConfiguration acl append attname cors customdomain delete
    deletebucket encryption inventory length lifecycle location logging
    metadata mirrorBackToSource modify name notification obscompresspolicy
    object-lock partNumber policy position quota rename replication
    requestPayment response-cache-control response-content-disposition
    response-content-encoding response-content-language
    response-content-type response-expires restore retention storageClass
    storagePolicy storageinfo tagging torrent truncate uploadId uploads
    versionId versioning versions website'''.split())


class Claim:
    """What a request says about who signed it; check() proves it."""

    kind = 'none'

    def __init__(self, ak, signature, token=None):
        self.ak = ak
        self.signature = signature
        self.token = token
        self.payload_sha256 = None      # hex the body must have, or None

    def string_to_sign(self):
        raise NotImplementedError

    def compute(self, secret):
        raise NotImplementedError

    def check_time(self, now):
        raise NotImplementedError

    def check(self, secret, now):
        """Raise ApiError unless time and signature are right."""
        self.check_time(now)
        if not hmac.compare_digest(self.compute(secret).encode('latin-1'),
                                   self.signature.encode('latin-1')):
            raise ApiError('SignatureDoesNotMatch', extra={
                'AccessKeyId': self.ak,
                'StringToSign': self.string_to_sign(),
                'SignatureProvided': self.signature})


def check_skew(when, now):
    if abs(when - now) > MAX_SKEW:
        raise ApiError('RequestTimeTooSkewed', extra={
            'RequestTime': time.strftime('%Y-%m-%dT%H:%M:%SZ',
                                         time.gmtime(when)),
            'ServerTime': time.strftime('%Y-%m-%dT%H:%M:%SZ',
                                        time.gmtime(now)),
            'MaxAllowedSkewMilliseconds': MAX_SKEW * 1000})


def parse_date(text):
    """An HTTP date or the basic ISO form -> epoch seconds."""
    if text and re.fullmatch(r'\d{8}T\d{6}Z', text):
        return calendar.timegm(time.strptime(text, '%Y%m%dT%H%M%SZ'))
    try:
        parsed = email.utils.parsedate_tz(text)
        return email.utils.mktime_tz(parsed)
    except (TypeError, ValueError, IndexError, OverflowError):
        raise ApiError('AccessDenied', 'A valid Date header is required.')


# -- OBS and AWS V2: HMAC-SHA1 over a string of lines -----------------------

def canonical_resource(request, prefix='x-obs-'):
    """'/bucket/key?sub' from the request line as it was on the wire."""
    path = request.raw_path
    if request.style == 'vhost':
        path = '/' + request.bucket + path
    elif request.style == 'custom':
        path = '/' + request.host.partition(':')[0] + path
    signed = sorted((name, value) for name, value in request.query
                    if name in SUBRESOURCES or name.startswith(prefix))
    text = '&'.join('%s=%s' % (name, value) if value else name
                    for name, value in signed)
    # Decoded values may be any text; what was signed were their bytes.
    text = text.encode('utf-8').decode('latin-1')
    return path + ('?' + text if text else '')


def canonical_headers(request, prefix):
    values = {}
    for name, value in request.headers:
        if name.startswith(prefix):
            values.setdefault(name, []).append(value)
    return ''.join('%s:%s\n' % (name, ','.join(values[name]))
                   for name in sorted(values))


class LineClaim(Claim):
    """Authorization: OBS ak:sig (kind obs) or AWS ak:sig (kind v2)."""

    def __init__(self, request, kind, ak, signature, expires=None):
        self.kind = kind
        self.prefix = 'x-obs-' if kind == 'obs' else 'x-amz-'
        name = self.prefix + 'security-token'
        token = (request.arg(name) if expires is not None
                 else request.header(name))
        super().__init__(ak, signature, token)
        self.request = request
        self.expires = expires

    def date_line(self):
        if self.expires is not None:
            return self.expires
        if self.request.header(self.prefix + 'date') is not None:
            return ''
        return self.request.header('date', '')

    def string_to_sign(self):
        request = self.request
        return '\n'.join([
            request.method,
            request.header('content-md5', ''),
            request.header('content-type', ''),
            self.date_line(),
            canonical_headers(request, self.prefix)
            + canonical_resource(request, self.prefix)])

    def compute(self, secret):
        digest = hmac.new(secret.encode(),
                          self.string_to_sign().encode('latin-1'),
                          hashlib.sha1).digest()
        return base64.b64encode(digest).decode()

    def check_time(self, now):
        if self.expires is not None:
            if not re.fullmatch(r'\d{1,15}', self.expires):
                raise ApiError('AccessDenied', 'Expires is not a number.')
            if int(self.expires) < now:
                raise ApiError('AccessDenied', 'Request has expired.')
            return
        text = self.request.header(self.prefix + 'date')
        check_skew(parse_date(text or self.request.header('date')), now)


# -- AWS V4 ------------------------------------------------------------------

def encode(text, safe=''):
    return urllib.parse.quote(text, safe=safe + '-_.~')


def canonical_query(pairs, without=()):
    return '&'.join('%s=%s' % pair for pair in sorted(
        (encode(name), encode(value or '')) for name, value in pairs
        if name not in without))


class V4Claim(Claim):
    """AWS4-HMAC-SHA256 in a header, or in the query when presigned."""

    kind = 'v4'

    def __init__(self, request, credential, names, signature, presigned):
        parts = credential.split('/')
        if len(parts) != 5 or parts[4] != 'aws4_request':
            raise ApiError('InvalidArgument', 'The Credential is not '
                           'AK/date/region/s3/aws4_request.')
        self.day, self.region, self.service = parts[1:4]
        self.request = request
        self.presigned = presigned
        self.names = names.split(';')
        token = (request.arg('X-Amz-Security-Token') if presigned
                 else request.header('x-amz-security-token'))
        super().__init__(parts[0], signature, token)
        self.check_names()
        self.payload = request.header('x-amz-content-sha256')
        if presigned:
            self.payload = self.payload or UNSIGNED
            self.date = request.arg('X-Amz-Date', '')
        else:
            self.date = request.header('x-amz-date')
            if self.date is None:
                when = parse_date(request.header('date'))
                self.date = time.strftime('%Y%m%dT%H%M%SZ',
                                          time.gmtime(when))
        if self.payload is None:
            raise ApiError('InvalidRequest',
                           'The header x-amz-content-sha256 is missing.')
        if re.fullmatch('[0-9a-f]{64}', self.payload):
            self.payload_sha256 = self.payload
        elif self.payload != UNSIGNED:
            raise ApiError('NotImplemented', 'x-amz-content-sha256: only a '
                           'SHA-256 or UNSIGNED-PAYLOAD.')

    def check_names(self):
        """host and every x-amz- header have to be signed."""
        if self.names != sorted(self.names) or 'host' not in self.names:
            raise ApiError('AccessDenied', 'SignedHeaders must be sorted '
                           'and contain host.')
        loose = [name for name, _ in self.request.headers
                 if name.startswith('x-amz-') and name not in self.names]
        if loose:
            raise ApiError('AccessDenied', 'There were headers present in '
                           'the request which were not signed: '
                           + ', '.join(loose))

    def canonical_request(self):
        request = self.request
        without = ('X-Amz-Signature',) if self.presigned else ()
        headers = ''.join('%s:%s\n' % (
            name, ' '.join((request.header(name) or '').split()))
            for name in self.names)
        return '\n'.join([request.method, request.raw_path or '/',
                          canonical_query(request.query, without),
                          headers, ';'.join(self.names), self.payload])

    def string_to_sign(self):
        digest = hashlib.sha256(
            self.canonical_request().encode('latin-1')).hexdigest()
        scope = '/'.join([self.day, self.region, self.service,
                          'aws4_request'])
        return '\n'.join(['AWS4-HMAC-SHA256', self.date, scope, digest])

    def compute(self, secret):
        key = ('AWS4' + secret).encode()
        for step in (self.day, self.region, self.service, 'aws4_request'):
            key = hmac.new(key, step.encode(), hashlib.sha256).digest()
        return hmac.new(key, self.string_to_sign().encode('latin-1'),
                        hashlib.sha256).hexdigest()

    def check_time(self, now):
        when = parse_date(self.date)
        if not self.date.startswith(self.day):
            raise ApiError('SignatureDoesNotMatch',
                           'The date of the scope is not the request date.')
        if self.request.region and self.region != self.request.region:
            raise ApiError('InvalidArgument', 'The region of the scope is '
                           'wrong: expecting \'%s\'.' % self.request.region,
                           extra={'Region': self.request.region})
        if self.service != 's3':
            raise ApiError('InvalidArgument', 'The service must be s3.')
        if not self.presigned:
            check_skew(when, now)
            return
        life = self.request.arg('X-Amz-Expires', '')
        if not re.fullmatch(r'\d{1,6}', life) or int(life) > 604800:
            raise ApiError('InvalidArgument', 'X-Amz-Expires is not valid.')
        if when - MAX_SKEW > now:
            raise ApiError('AccessDenied', 'Request is not yet valid.')
        if now > when + int(life):
            raise ApiError('AccessDenied', 'Request has expired.')


# -- Which of them is it? ----------------------------------------------------

def find_claim(request):
    """The Claim of a request, or None if it is anonymous."""
    header = request.header('authorization')
    in_url = [name for name in ('AccessKeyId', 'AWSAccessKeyId',
                                'X-Amz-Credential')
              if request.has_query(name)]
    if header is not None and in_url:
        raise ApiError('InvalidArgument',
                       'Only one way to authenticate is allowed.')
    if header is not None:
        return header_claim(request, header)
    if not in_url:
        return None
    if in_url[0] == 'X-Amz-Credential':
        if request.arg('X-Amz-Algorithm') != 'AWS4-HMAC-SHA256':
            raise ApiError('InvalidArgument', 'X-Amz-Algorithm is not valid.')
        return V4Claim(request, request.arg('X-Amz-Credential'),
                       request.arg('X-Amz-SignedHeaders', ''),
                       request.arg('X-Amz-Signature', ''), True)
    if not request.has_query('Expires') or not request.has_query('Signature'):
        raise ApiError('AccessDenied',
                       'Expires and Signature have to be in the query.')
    kind = 'obs' if in_url[0] == 'AccessKeyId' else 'v2'
    # The query was decoded with plus as space; base64 has no spaces.
    return LineClaim(request, kind, request.arg(in_url[0]),
                     request.arg('Signature').replace(' ', '+'),
                     request.arg('Expires'))


def header_claim(request, header):
    """Authorization header -> Claim."""
    match = re.fullmatch(r'(OBS|AWS) ([^:\s]+):(\S+)', header)
    if match:
        kind = 'obs' if match.group(1) == 'OBS' else 'v2'
        return LineClaim(request, kind, match.group(2), match.group(3))
    match = re.fullmatch(
        r'AWS4-HMAC-SHA256\s+Credential=([^,\s]+),\s*'
        r'SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})', header)
    if match:
        return V4Claim(request, match.group(1), match.group(2),
                       match.group(3), False)
    raise ApiError('InvalidArgument',
                   'The Authorization header is not understood.')
