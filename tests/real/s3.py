# SPDX-License-Identifier: GPL-2.0-or-later
"""S3 requests with an AWS V2 signature: what the suites need to make and look
at buckets on a real server, apart from the clients under test."""
import base64
import email.utils
import hashlib
import hmac
import http.client
import re
import urllib.parse

PIECE = 1 << 20


class Answer:
    """status, headers (lower case), body; of a file: size, sha256, md5."""

    def __init__(self, answer, keep):
        self.status = answer.status
        self.headers = {k.lower(): v for k, v in answer.getheaders()}
        self.etag = self.headers.get('etag', '').strip('"')
        self.size, pieces = 0, []
        sha, md5 = hashlib.sha256(), hashlib.md5()
        while piece := answer.read(PIECE):
            self.size += len(piece)
            sha.update(piece)
            md5.update(piece)
            if keep:
                pieces.append(piece)
        self.body = b''.join(pieces)
        self.sha256, self.md5 = sha.hexdigest(), md5.hexdigest()

    def texts(self, name):
        """The texts of all XML elements of this name."""
        return [t.decode() for t in re.findall(
            rb'<%b>([^<]*)</%b>' % (name.encode(), name.encode()), self.body)]


def request(url, access, secret, method, path, query='', body=b'',
            headers=None, keep=True):
    """@path: not encoded; @query: one sub-resource, e.g. 'uploadId=x', which
    is signed as it is.  @keep: False for bodies that are only hashed."""
    date = email.utils.formatdate(usegmt=True)
    target = urllib.parse.quote(path)
    if query:
        target += '?' + query
    text = f'{method}\n\n\n{date}\n{target}'
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()
    host = urllib.parse.urlsplit(url).netloc
    link = http.client.HTTPConnection(host, timeout=60)
    try:
        link.request(method, target, body, dict(headers or {}, Date=date,
                     Authorization=f'AWS {access}:'
                     + base64.b64encode(mac).decode()))
        return Answer(link.getresponse(), keep)
    finally:
        link.close()
