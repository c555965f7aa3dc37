# SPDX-License-Identifier: GPL-2.0-or-later
"""Which service is meant: by host name, else by path.

    obs.REGION.localhost, BUCKET.obs.REGION.localhost    OBS, virtual-hosted
    obs.localhost, BUCKET.obs.localhost                  the first region
    ims.REGION.localhost  iam.REGION.localhost           IMS, IAM
    any other host, an address above all                 by path: /v3 is IAM,
        /v1 and /v2 are IMS, /openstack and /meta-data the metadata service
        (no bucket may have the names v1, v2, v3); the rest OBS, path style
"""

import re
import urllib.parse

from .errors import ApiError

PATHS = (
    (re.compile(r'/v3(\.0)?/'), 'iam'),
    (re.compile(r'/v(1|2|2\.1)/'), 'ims'),
    (re.compile(r'/(openstack|meta-data)/latest/'), 'metadata'),
    (re.compile(r'/_control(/|$)'), 'control'),
)


class Router:
    def __init__(self, regions, custom_domains=()):
        self.regions = list(regions)
        self.custom = dict(custom_domains)      # host -> bucket

    def _by_host(self, host):
        """(service, region, bucket) of a host name, or None."""
        labels = host.lower().split('.')
        for index in range(len(labels) - 1, -1, -1):
            if labels[index] in ('obs', 'oss', 'ims', 'iam', 'iam-pub'):
                break
        else:
            return None
        service = {'oss': 'obs', 'iam-pub': 'iam'}.get(labels[index],
                                                       labels[index])
        region = self.regions[0]
        if len(labels) > index + 2:
            region = labels[index + 1]
        bucket = '.'.join(labels[:index])
        if bucket and service != 'obs':
            return None
        return service, region, bucket or None

    def route(self, request):
        """Fill service, region, style, bucket and key of a request."""
        host = request.host.rpartition(':')[0] or request.host
        if not request.raw_path.startswith('/'):
            raise ApiError('InvalidURI')
        if host in self.custom:
            request.service, request.region = 'obs', self.regions[0]
            self._address(request, self.custom[host], 'custom')
            return
        by_host = self._by_host(host)
        if by_host:
            request.service, request.region, bucket = by_host
            if request.service == 'obs':
                self._address(request, bucket)
            return
        request.region = self.regions[0]
        for pattern, service in PATHS:
            if pattern.match(request.raw_path):
                request.service = service
                return
        request.service = 'obs'
        self._address(request, None)

    @staticmethod
    def _address(request, bucket, style='vhost'):
        """Bucket and key, from host and path or from the path alone."""
        path = request.raw_path[1:]
        request.style = style
        if bucket is None:
            request.style = 'path'
            bucket, _, path = path.partition('/')
        try:
            request.bucket = urllib.parse.unquote(
                bucket, errors='strict') or None
            request.key = urllib.parse.unquote(path, errors='strict') or None
        except UnicodeDecodeError:
            raise ApiError('InvalidURI')
        if request.bucket and '/' in request.bucket:
            raise ApiError('InvalidBucketName')
