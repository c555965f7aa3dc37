# SPDX-License-Identifier: GPL-2.0-or-later
"""Error answers: OBS speaks XML (headers on HEAD), the others JSON."""

from xml.sax.saxutils import escape

import json

from .wire import Response

# Code -> (status, text).  Codes and statuses are the documented ones.
OBS_CODES = {
    'PermanentRedirect': (301, 'The bucket is at another endpoint. Send '
                               'future requests there.'),
    'TemporaryRedirect': (307, 'The request is redirected for now.'),
    'BadDigest': (400, 'The Content-MD5 does not match what was received.'),
    'EntityTooLarge': (400, 'The object or part is larger than allowed.'),
    'EntityTooSmall': (400, 'A part is smaller than the minimum.'),
    'IncompleteBody': (400, 'The body is shorter than Content-Length.'),
    'InvalidArgument': (400, 'Invalid argument.'),
    'InvalidBucketName': (400, 'The bucket name is not valid.'),
    'InvalidDigest': (400, 'The Content-MD5 is not a base64 MD5.'),
    'InvalidCRC64': (400, 'The CRC64 does not match what was received.'),
    'InvalidLocationConstraint': (400, 'The location is not valid here.'),
    'InvalidPart': (400, 'A part is missing or its ETag is another.'),
    'InvalidPartOrder': (400, 'Parts are not in ascending order.'),
    'InvalidRequest': (400, 'Invalid request.'),
    'InvalidStorageClass': (400, 'The storage class is not valid.'),
    'InvalidURI': (400, 'The URI cannot be decoded.'),
    'KeyTooLong': (400, 'The object key is longer than 1024 bytes.'),
    'MalformedXML': (400, 'The XML is not well formed or not as expected.'),
    'MetadataTooLarge': (400, 'User metadata is larger than 8 KB.'),
    'XAmzContentSHA256Mismatch': (400, 'The x-amz-content-sha256 does not '
                                       'match what was received.'),
    'AccessDenied': (403, 'Access denied.'),
    'InvalidAccessKeyId': (403, 'The access key does not exist.'),
    'InvalidObjectState': (403, 'The object is archived: restore it first.'),
    'InvalidSecurity': (403, 'The security credentials are not valid.'),
    'RequestTimeTooSkewed': (403, 'The difference between the request time '
                                  'and the server time is too large.'),
    'SignatureDoesNotMatch': (403, 'The signature does not match the one '
                                   'computed here. Check key and method.'),
    'VirtualHostDomainRequired': (403, 'Use the bucket name in the host.'),
    'NoSuchBucket': (404, 'The bucket does not exist.'),
    'NoSuchKey': (404, 'The object does not exist.'),
    'NoSuchUpload': (404, 'The upload does not exist: never begun, '
                          'completed or aborted.'),
    'MethodNotAllowed': (405, 'The method is not allowed here.'),
    'BucketAlreadyExists': (409, 'The bucket name belongs to another.'),
    'BucketAlreadyOwnedByYou': (409, 'The bucket is already yours.'),
    'BucketNotEmpty': (409, 'The bucket is not empty.'),
    'ObjectAlreadyExists': (409, 'The object exists and must not be '
                                 'overwritten.'),
    'MissingContentLength': (411, 'Content-Length is required.'),
    'PreconditionFailed': (412, 'A condition of the request is not met.'),
    'InvalidRange': (416, 'The range cannot be satisfied.'),
    'TooManyRequests': (429, 'Too many requests.'),
    'InternalError': (500, 'Internal error. Try again.'),
    'NotImplemented': (501, 'Not implemented.'),
    'ServiceUnavailable': (503, 'Slow down, then try again.'),
    'SlowDown': (503, 'Slow down, then try again.'),
}


class ApiError(Exception):
    """An answer that is an error.

    extra: more members of the body.  headers: more headers.  gateway: a JSON
    error that comes from the API gateway rather than from the service.
    """

    def __init__(self, code, message=None, status=None, extra=None,
                 headers=(), gateway=False):
        known = OBS_CODES.get(code, (400, code))
        self.code = code
        self.status = status or known[0]
        self.message = message or known[1]
        self.extra = dict(extra or {})
        self.headers = list(headers)
        self.gateway = gateway
        super().__init__('%s: %s' % (code, self.message))


def obs_error(request, error):
    """ApiError -> the answer of OBS: XML, on HEAD two headers."""
    headers = list(error.headers)
    if request.method == 'HEAD':
        headers += [('~error-code', error.code),
                    ('~error-message', error.message)]
        return Response(error.status, headers)
    members = {'Code': error.code, 'Message': error.message,
               'RequestId': request.request_id, 'HostId': 'localcloud',
               'Resource': request.raw_path}
    members.update(error.extra)
    text = ''.join('<%s>%s</%s>' % (name, escape(str(value)), name)
                   for name, value in members.items())
    body = ('<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
            '<Error>%s</Error>' % text)
    return Response(error.status, headers, body, 'application/xml')


def json_error(request, error, style='nested'):
    """ApiError -> JSON; the gateway's errors are always flat.

    style: 'nested' {"error":{"code","message"}}, 'flat' {"error_code",
    "error_msg"} or 'code' {"code","message"}: all are seen in the field.
    """
    if error.gateway or style == 'flat':
        body = {'error_code': error.code, 'error_msg': error.message,
                'request_id': request.request_id}
    elif style == 'code':
        body = {'code': error.code, 'message': error.message}
    else:
        body = {'error': {'code': error.code, 'message': error.message}}
    body.update(error.extra)
    return Response(error.status, error.headers, json.dumps(body),
                    'application/json')


def iam_error(request, error):
    """IAM: code is the number of the status, unless the gateway spoke."""
    if error.gateway:
        return json_error(request, error)
    title = {400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden',
             404: 'Not Found'}.get(error.status, 'Error')
    body = {'error': {'code': error.status, 'message': error.message,
                      'title': title}}
    return Response(error.status, error.headers, json.dumps(body),
                    'application/json')
