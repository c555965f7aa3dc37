# SPDX-License-Identifier: GPL-2.0-or-later
"""Sign requests the way a client does, for tests of the local cloud.

Written apart from the verifier in tests/cloud/localcloud: neither imports
the other.
"""

import base64
import email.utils
import hashlib
import hmac
import time
import urllib.parse

SIGNED = {'acl', 'append', 'delete', 'location', 'partNumber', 'position',
          'uploadId', 'uploads', 'versionId'}


def quote(text, safe=''):
    return urllib.parse.quote(str(text), safe=safe + '-_.~')


def wire_query(query):
    """[(name, value or None)] as it is sent."""
    return '&'.join(quote(name) + ('' if value is None else '='
                                   + quote(value)) for name, value in query)


def obs_string(method, resource, query, headers, date, prefix):
    signed = '&'.join(name if value is None else '%s=%s' % (name, value)
                      for name, value in sorted(query)
                      if name in SIGNED or name.startswith(prefix))
    lines = [method, headers.get('content-md5', ''),
             headers.get('content-type', ''), date]
    lines += ['%s:%s' % (name, headers[name].strip())
              for name in sorted(headers) if name.startswith(prefix)]
    return '\n'.join(lines + [resource + ('?' + signed if signed else '')])


def sha1(secret, text):
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def address(bucket, key, host):
    """(resource to sign, path to send) for a bucket and a key."""
    resource = '/' + bucket
    if key is not None:
        resource += '/' + quote(key, '/')
    if host and host.startswith(bucket + '.'):
        path = resource[len(bucket) + 1:] or '/'
        return '/' + bucket + path, path
    return resource, resource


def obs(method, bucket, key, query, headers, ak, sk, dialect='OBS', skew=0,
        host=None):
    """(target, headers) of a signed OBS (or AWS V2) request."""
    headers = {name.lower(): value for name, value in headers.items()}
    resource, path = address(bucket, key, host)
    if host:
        headers['host'] = host
    prefix = 'x-obs-' if dialect == 'OBS' else 'x-amz-'
    headers.setdefault('date', email.utils.formatdate(time.time() + skew,
                                                      usegmt=True))
    text = obs_string(method, resource, query, headers, headers['date'],
                      prefix)
    headers['authorization'] = '%s %s:%s' % (dialect, ak, sha1(sk, text))
    sent = wire_query(query)
    return path + ('?' + sent if sent else ''), headers


def presign(method, bucket, key, ak, sk, expires):
    """Path-style target with the signature in the query; epoch seconds."""
    resource, path = address(bucket, key, None)
    text = obs_string(method, resource, (), {}, str(expires), 'x-obs-')
    return path + '?' + wire_query([
        ('AccessKeyId', ak), ('Expires', expires),
        ('Signature', sha1(sk, text))])


def v4(method, path, query, headers, payload, ak, sk, region, when=None):
    """(target, headers) with AWS4-HMAC-SHA256; payload: hex or UNSIGNED..."""
    stamp = time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(when))
    headers = {name.lower(): value for name, value in headers.items()}
    headers.update({'x-amz-date': stamp, 'x-amz-content-sha256': payload})
    names = ';'.join(sorted(headers))
    canonical = '\n'.join(
        [method, path, '&'.join('%s=%s' % (quote(name), quote(value or ''))
                                for name, value in sorted(query))]
        + ['%s:%s' % (name, headers[name]) for name in sorted(headers)]
        + ['', names, payload])
    scope = [stamp[:8], region, 's3', 'aws4_request']
    text = '\n'.join(['AWS4-HMAC-SHA256', stamp, '/'.join(scope),
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = ('AWS4' + sk).encode()
    for step in scope:
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers['authorization'] = (
        'AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s'
        % (ak, '/'.join(scope), names, signature))
    sent = wire_query(query)
    return path + ('?' + sent if sent else ''), headers


def sdk(method, path, query, headers, body, ak, sk, legacy=False, skew=0):
    """(target, headers) with SDK-HMAC-SHA256, plain or legacy form."""
    stamp = time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(time.time() + skew))
    headers = {name.lower(): value for name, value in headers.items()}
    headers['x-sdk-date'] = stamp
    names = ';'.join(sorted(headers))
    canonical = '\n'.join(
        [method, quote(path, '/') + '/',
         '&'.join('%s=%s' % (quote(name), quote(value or ''))
                  for name, value in sorted(query))]
        + ['%s:%s' % (name, headers[name]) for name in sorted(headers)]
        + ['', names, hashlib.sha256(body).hexdigest()])
    lines = ['SDK-HMAC-SHA256', stamp]
    key, who = sk.encode(), 'Access=' + ak
    if legacy:
        scope = [stamp[:8], '', '', 'sdk_request']
        lines.append('/'.join(scope))
        who = 'Credential=%s/%s' % (ak, '/'.join(scope))
        key = b'SDK' + key
        for step in scope:
            key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    lines.append(hashlib.sha256(canonical.encode()).hexdigest())
    signature = hmac.new(key, '\n'.join(lines).encode(),
                         hashlib.sha256).hexdigest()
    headers['authorization'] = (
        'SDK-HMAC-SHA256 %s, SignedHeaders=%s, Signature=%s'
        % (who, names, signature))
    sent = wire_query(query)
    return path + ('?' + sent if sent else ''), headers
