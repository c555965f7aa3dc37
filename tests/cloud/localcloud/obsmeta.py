# SPDX-License-Identifier: GPL-2.0-or-later
"""Object headers: what a client stores with an object and gets back.

Kept under neutral names without x-obs-/x-amz-, so that an object written in
one dialect can be read in the other.
"""

import base64
import binascii
import hashlib
import re

from .errors import ApiError
from .wire import http_date

MAX_META = 8 << 10
MAX_KEY = 1024

PLAIN = ('content-type', 'content-encoding', 'content-disposition',
         'content-language', 'cache-control', 'expires')
KEPT = ('website-redirect-location', 'tagging')

CLASSES = {
    'obs': {'STANDARD': 'STANDARD', 'WARM': 'WARM', 'COLD': 'COLD',
            'DEEP_ARCHIVE': 'DEEP_ARCHIVE',
            'INTELLIGENT_TIERING': 'INTELLIGENT_TIERING'},
    'aws': {'STANDARD': 'STANDARD', 'STANDARD_IA': 'WARM', 'GLACIER': 'COLD',
            'DEEP_ARCHIVE': 'DEEP_ARCHIVE',
            'INTELLIGENT_TIERING': 'INTELLIGENT_TIERING'}}
ARCHIVED = ('COLD', 'DEEP_ARCHIVE')

ACLS = ('private', 'public-read', 'public-read-write',
        'public-read-delivered', 'public-read-write-delivered',
        'authenticated-read', 'bucket-owner-read',
        'bucket-owner-full-control')

SSE = 'server-side-encryption'
SSE_C = SSE + '-customer-'


def class_name(storage_class, dialect):
    """Neutral storage class -> its name in a dialect."""
    for name, neutral in CLASSES[dialect].items():
        if neutral == storage_class:
            return name
    return storage_class


def storage_class(request, default):
    name = request.ext('storage-class')
    if name is None:
        return default
    if name not in CLASSES[request.dialect]:
        raise ApiError('InvalidStorageClass',
                       'The storage class %s is not valid.' % name)
    return CLASSES[request.dialect][name]


def acl(request):
    name = request.ext('acl')
    if name is not None and name not in ACLS:
        raise ApiError('InvalidArgument', 'The ACL %s is not valid.' % name,
                       extra={'ArgumentName': 'acl', 'ArgumentValue': name})
    return name or 'private'


def check_key(key):
    if len(key.encode()) > MAX_KEY:
        raise ApiError('KeyTooLong')


def decode_md5(text, what='Content-MD5'):
    """base64 -> 16 bytes."""
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        digest = b''
    if len(digest) != 16:
        raise ApiError('InvalidDigest', 'The %s %r is not a base64 MD5.'
                       % (what, text))
    return digest


def customer_key(request, prefix=SSE_C):
    """The SSE-C headers of a request -> neutral headers ({} without)."""
    names = [prefix + last for last in ('algorithm', 'key', 'key-MD5')]
    algorithm, key, md5 = (request.ext(name.lower()) for name in names)
    if algorithm is None and key is None and md5 is None:
        return {}
    try:
        raw = base64.b64decode(key or '', validate=True)
    except (binascii.Error, ValueError):
        raw = b''
    if algorithm != 'AES256' or len(raw) != 32 or md5 is None:
        raise ApiError('InvalidArgument', 'The headers of the customer key '
                       'are incomplete or the key is not 256 bits.')
    if decode_md5(md5, 'key MD5') != hashlib.md5(raw).digest():
        raise ApiError('InvalidArgument', 'The MD5 of the customer key does '
                       'not match.')
    return {SSE_C + 'algorithm': 'AES256', SSE_C + 'key-MD5': md5}


def encryption(request):
    """The encryption headers of PUT or initiate -> neutral headers."""
    found = customer_key(request)
    method = request.ext(SSE)
    if method is None:
        return found
    allowed = {'obs': ('kms', 'AES256'), 'aws': ('aws:kms', 'AES256')}
    if method not in allowed[request.dialect] or found:
        raise ApiError('InvalidArgument', 'The encryption method %s is not '
                       'valid.' % method)
    found = {SSE: method.replace('aws:', '')}
    name = SSE + ('-aws-kms-key-id' if request.dialect == 'aws'
                  else '-kms-key-id')
    if request.ext(name):
        if found[SSE] != 'kms':
            raise ApiError('InvalidArgument', 'A KMS key without kms.')
        found[SSE + '-kms-key-id'] = request.ext(name)
    return found


def is_opaque(headers):
    """Is the ETag something else than an MD5?  (SSE-KMS and SSE-C)"""
    return headers.get(SSE) == 'kms' or SSE_C + 'algorithm' in headers


def check_customer_key(request, headers, prefix=SSE_C):
    """An SSE-C object needs its key for each use, others must have none."""
    sent = customer_key(request, prefix)
    if sent.get(SSE_C + 'key-MD5') != headers.get(SSE_C + 'key-MD5'):
        raise ApiError('InvalidArgument', 'The object is encrypted with '
                       'another customer key, or with none.')


def collect(request):
    """All that PUT object or initiate stores beside the data."""
    found = {name: request.header(name) for name in PLAIN
             if request.header(name) is not None}
    for name in KEPT:
        if request.ext(name) is not None:
            found[name] = request.ext(name)
    prefix = 'x-%s-meta-' % ('amz' if request.dialect == 'aws' else 'obs')
    size = 0
    for name, value in request.headers:
        if name.startswith(prefix):
            meta = name[len(prefix):]
            if not meta:
                raise ApiError('InvalidArgument', 'Metadata without a name.')
            found['meta-' + meta] = request.header(name)
            size += len(meta) + len(value)
    if size > MAX_META:
        raise ApiError('MetadataTooLarge')
    found.update(encryption(request))
    return found


def etag(value):
    return '"%s"' % value


def encryption_answer(request, headers):
    """The encryption headers that are repeated in answers."""
    result = []
    for name, value in headers.items():
        if name.startswith(SSE):
            if request.dialect == 'aws':
                name = name.replace('-kms-key-id', '-aws-kms-key-id')
                value = 'aws:kms' if value == 'kms' else value
            result.append(('~' + name, value))
    return result


def answer(request, found):
    """Answer headers of GET and HEAD for an object."""
    result = [('ETag', etag(found.etag)),
              ('Last-Modified', http_date(found.mtime)),
              ('Accept-Ranges', 'bytes')]
    kind = found.headers.get('content-type', 'binary/octet-stream')
    result.append(('Content-Type',
                   request.arg('response-content-type') or kind))
    for name in PLAIN[1:]:
        value = request.arg('response-' + name) or found.headers.get(name)
        if value:
            result.append((name.title(), value))
    for name, value in found.headers.items():
        if name.startswith('meta-') or name in KEPT[:1]:
            result.append(('~' + name, value))
    result += encryption_answer(request, found.headers)
    # A missing class means Standard.
    if found.storage_class != 'STANDARD':
        result.append(('~storage-class',
                       class_name(found.storage_class, request.dialect)))
    if found.upload_id:
        result.append(('~uploadId', found.upload_id))
    return result


def parse_range(text, size):
    """'bytes=a-b' -> (start, length); None: send everything."""
    match = re.fullmatch(r'bytes=(\d*)-(\d*)', text or '')
    if not match or match.group(0) == 'bytes=-':
        return None
    first, last = match.groups()
    if first == '':
        length = min(int(last), size)
        start = size - length
    else:
        start = int(first)
        if last and int(last) < start:
            return None
        length = min(int(last) if last else size, size - 1) - start + 1
    if start >= size or length <= 0:
        raise ApiError('InvalidRange', headers=[
            ('Content-Range', 'bytes */%d' % size)])
    return start, length
