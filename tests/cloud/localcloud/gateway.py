# SPDX-License-Identifier: GPL-2.0-or-later
"""What IAM and IMS share: the gateway that proves who is calling."""

import json

from .errors import ApiError
from .sdkhmac import SdkClaim, refuse
from .wire import MAX_TEXT_BODY

ALL_KINDS = ('sdk', 'sdk-legacy', 'token')


def read_body(request):
    """The body of a request; these services take no chunked bodies."""
    if request.body.length is None:
        raise ApiError('APIGW.0201', 'Content-Length is required.',
                       status=411, gateway=True)
    body = request.body.read_all(MAX_TEXT_BODY)
    if body is None:
        raise ApiError('APIGW.0201', 'Request entity too large', status=413,
                       gateway=True)
    return body


def authenticate(request, body, accounts, kinds=ALL_KINDS):
    """Set request.caller from X-Auth-Token or an AK/SK signature."""
    token = request.header('x-auth-token')
    if token is not None:
        request.record['auth'] = 'token'
        if 'token' not in kinds:
            raise refuse('tokens are not supported here')
        request.caller = accounts.check_token(token)
        return
    if request.header('authorization') is None:
        request.record['auth'] = 'anonymous'
        raise refuse('the request carries no authentication')
    claim = SdkClaim(request, body)
    request.record['auth'] = claim.kind
    request.record['ak'] = claim.ak
    if claim.kind not in kinds:
        raise refuse('verify aksk signature fail, this form of signature is '
                     'not supported here')
    request.caller = accounts.check_sdk(claim)


def parse_json(request, body, code):
    """A JSON object, or ApiError(code)."""
    kind = request.header('content-type', '').partition(';')[0].strip()
    if kind.lower() != 'application/json':
        raise ApiError(code, 'Content-Type must be application/json, not %r.'
                       % kind)
    try:
        value = json.loads(body)
    except ValueError as error:
        raise ApiError(code, 'The body is not JSON: %s' % error)
    if not isinstance(value, dict):
        raise ApiError(code, 'The body is not a JSON object.')
    return value


def no_such_api(status=404):
    return ApiError('APIGW.0101', 'The API does not exist or has not been '
                    'published in the environment', status=status,
                    gateway=True)
