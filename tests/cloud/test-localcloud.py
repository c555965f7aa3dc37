#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The local cloud proves itself: signatures, object store, faults, log."""

import base64
import hashlib
import json
import os
import socket
import sys
import time
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'lib')]

import cloudsign                                    # noqa: E402
from cloudcase import CloudCase, md5                # noqa: E402
from localcloud import sdkhmac, sign, wire          # noqa: E402
from localcloud.crc64 import crc64                  # noqa: E402
from localcloud.errors import ApiError              # noqa: E402
from localcloud.route import Router                 # noqa: E402

VECTORS = os.path.join(HERE, '..', '..', '..', 'shared', 'vectors', 'signing')
NOW = 1767323045        # of the vectors: Fri, 02 Jan 2026 03:04:05 GMT


def make_request(method, target, headers, authorization=None):
    headers = list(headers.items())
    if authorization:
        headers.append(('Authorization', authorization))
    return wire.Request(method, target, headers)


def obs_request(method, target, headers, authorization=None):
    """A request with its bucket, the custom domain of one vector known."""
    request = make_request(method, target, headers, authorization)
    Router(['r1'], {'obs.example.com': 'any'}).route(request)
    return request


class Signatures(unittest.TestCase):
    """The verifier agrees with what other programs have signed."""

    def refuses(self, claim, secret, now, changes):
        """Each change of the request makes the signature wrong."""
        claim.check(secret, now)
        with self.assertRaises(ApiError):
            claim.check(secret + 'x', now)
        with self.assertRaises(ApiError):
            claim.check(secret, now + 901)
        for name, value in changes.items():
            old = getattr(claim.request, name)
            setattr(claim.request, name, value)
            with self.assertRaises(ApiError, msg=name):
                claim.check(secret, now)
            setattr(claim.request, name, old)
        claim.check(secret, now)

    def test_published_aws_v2(self):
        """Example of Amazon's "Signing and authenticating REST requests"."""
        request = make_request(
            'GET', '/photos/puppy.jpg',
            {'Host': 'johnsmith.s3.amazonaws.com',
             'Date': 'Tue, 27 Mar 2007 19:36:42 +0000'},
            'AWS AKIAIOSFODNN7EXAMPLE:bWq2s1WEIj+Ydj0vQ697zp+IXMU=')
        request.style, request.bucket = 'vhost', 'johnsmith'
        self.refuses(sign.find_claim(request),
                     'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', 1175024202,
                     {'method': 'PUT', 'raw_path': '/photos/other.jpg',
                      'bucket': 'johnsmit'})

    def test_published_aws_v4(self):
        """Example GET object of Amazon's "Signature calculations"."""
        empty = hashlib.sha256(b'').hexdigest()
        request = make_request(
            'GET', '/test.txt',
            {'Host': 'examplebucket.s3.amazonaws.com', 'Range': 'bytes=0-9',
             'x-amz-content-sha256': empty, 'x-amz-date': '20130524T000000Z'},
            'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/'
            'us-east-1/s3/aws4_request,SignedHeaders=host;range;'
            'x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd'
            '35b5d6ed310bd44f0170aba48dd91039c6036bdb41')
        claim = sign.find_claim(request)
        self.assertEqual(claim.payload_sha256, empty)
        self.refuses(claim, 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
                     1369353600, {'method': 'PUT', 'raw_path': '/test.tx',
                                  'query': [('acl', None)]})

    def test_published_sdk_hmac(self):
        """Example of the "API Request Signing Guide"."""
        request = make_request(
            'GET', '/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs?limit=2&marker='
            '13551d6b-755d-4757-b956-536f674975c0',
            {'Content-Type': 'application/json',
             'Host': 'service.region.example.com',
             'X-Sdk-Date': '20191115T033655Z'},
            'SDK-HMAC-SHA256 Access=QTWAOYTTINDUT2QVKYUC, SignedHeaders='
            'content-type;host;x-sdk-date, Signature=7be6668032f70418fcc22abc'
            '52071e57aff61b84a1d2381bb430d6870f4f6ebe')
        self.refuses(sdkhmac.SdkClaim(request, b''),
                     'MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc', 1573789015,
                     {'method': 'POST', 'query': [('limit', '2')]})

    def vectors(self, name):
        path = os.path.join(VECTORS, name)
        if not os.path.exists(path):
            self.skipTest('no ../shared/vectors next to the checkout')
        with open(path, encoding='utf-8') as file:
            found = json.load(file)['vectors']
        self.assertTrue(found)
        return found

    def test_vectors_header(self):
        for vector in self.vectors('obs-header-signature.json'):
            with self.subTest(vector['name']):
                request = obs_request(
                    vector['method'], vector['request_target'],
                    vector['headers'], vector['authorization'])
                claim = sign.find_claim(request)
                self.assertEqual(claim.string_to_sign(),
                                 vector['string_to_sign'])
                request.region = None if claim.kind == 'v4' else 'r1'
                self.assertEqual(claim.token, vector.get('security_token'))
                self.refuses(claim, vector['sk'], NOW, {
                    'method': 'PATCH', 'raw_path': '/other'})

    def test_vectors_url(self):
        for vector in self.vectors('obs-presigned.json'):
            with self.subTest(vector['name']):
                url = urllib.parse.urlsplit(vector['url'])
                request = obs_request(
                    vector['param']['Method'], url.path + '?' + url.query,
                    vector['headers'])
                claim = sign.find_claim(request)
                self.assertEqual(claim.string_to_sign(),
                                 vector['string_to_sign'])
                claim.check(vector['sk'], NOW)
                claim.check(vector['sk'], int(request.arg('Expires')))
                for method, when in (('HEAD', NOW), (
                        request.method, int(request.arg('Expires')) + 1)):
                    request.method = method
                    with self.assertRaises(ApiError):
                        claim.check(vector['sk'], when)
                    request.method = vector['param']['Method']

    def check_sdk(self, method, url, headers, body, secret, wanted):
        parts = urllib.parse.urlsplit(url)
        target = (parts.path or '/') + (parts.query and '?' + parts.query)
        authorization, canonical, text = wanted
        request = make_request(method, target, headers, authorization)
        claim = sdkhmac.SdkClaim(request, body.encode())
        self.assertEqual(claim.canonical_request(), canonical)
        self.assertEqual(claim.string_to_sign(), text)
        self.refuses(claim, secret, NOW, {'method': 'PATCH',
                                          'raw_path': '/other'})

    def test_vectors_sdk(self):
        for vector in self.vectors('sdk-hmac-sha256.json'):
            with self.subTest(vector['name']):
                self.check_sdk(vector['method'], vector['wire_url'],
                               vector['request_headers'], vector['body'],
                               vector['sk'], [vector[name] for name in (
                                   'authorization', 'canonical_request',
                                   'string_to_sign')])

    def test_vectors_sdk_legacy(self):
        for vector in self.vectors('sdk-hmac-sha256-legacy-scope.json'):
            with self.subTest(vector['Name']):
                self.check_sdk(vector['Method'], vector['URL'],
                               vector['Headers'], vector['Body'],
                               vector['Sk'], [vector[name] for name in (
                                   'Authorization', 'CanonicalRequest',
                                   'StringToSign')])

    def test_crc64(self):
        self.assertEqual(crc64(b'123456789'), 11051210869376104954)
        self.assertEqual(crc64(b'6789', crc64(b'12345')), crc64(b'123456789'))


class Objects(CloudCase):
    options = {'regions': ('eu-de', 'eu-nl')}

    def test_buckets(self):
        cloud = self.cloud
        head = self.ok(cloud.obs('HEAD'))
        self.assertEqual(head.headers['x-obs-bucket-location'], 'eu-de')
        self.assertEqual(head.headers['x-obs-storage-class'], 'STANDARD')
        self.assertEqual(
            self.ok(cloud.obs('GET', query=[('location', None)]))
            .text.partition('<Location')[2].partition('>')[2][:5], 'eu-de')
        self.fails(cloud.obs('HEAD', bucket='missing'), 404, 'NoSuchBucket')
        self.fails(cloud.obs('PUT', bucket='Bad_Name'), 400,
                   'InvalidBucketName')
        self.fails(cloud.obs('PUT', bucket=cloud.bucket), 409,
                   'BucketAlreadyOwnedByYou')
        self.ok(cloud.obs('PUT', bucket='cold-one', headers={
            'x-obs-storage-class': 'COLD'}))
        head = cloud.obs('HEAD', bucket='cold-one', dialect='AWS')
        self.assertEqual(head.headers['x-amz-storage-class'], 'GLACIER')
        self.assertIn('<Name>cold-one</Name>', cloud.request(
            'GET', '/', cloudsign.obs('GET', '', None, [], {}, cloud.ak,
                                      cloud.sk)[1]).text)
        self.ok(cloud.obs('DELETE', bucket='cold-one'), 204)

    def test_probe(self):
        answer = self.cloud.request('HEAD', '/?apiversion')
        self.assertEqual((answer.status, answer.headers['x-obs-api']),
                         (200, '3.0'))
        self.cloud.set(obs_api='')
        self.assertNotIn('x-obs-api', self.cloud.request(
            'HEAD', '/%s?apiversion' % self.cloud.bucket).headers)
        self.fails(self.cloud.request('HEAD', '/nothing?apiversion'), 404,
                   'NoSuchBucket')

    def test_regions_and_hosts(self):
        cloud = self.cloud
        cloud.make_bucket('far-away', region='eu-nl')
        there = 'far-away.obs.eu-nl.localhost'
        self.ok(cloud.obs('HEAD', bucket='far-away', host=there))
        self.ok(cloud.obs('PUT', 'a b/ü', bucket='far-away', host=there,
                          body=b'x'))
        answer = self.fails(cloud.obs('GET', 'k', bucket='far-away'), 301,
                            'PermanentRedirect')
        self.assertEqual(answer.between('Endpoint'), 'obs.eu-nl.localhost')
        cloud.set(virtual_host_only=True)
        self.fails(cloud.obs('HEAD', bucket='far-away',
                             host='obs.eu-nl.localhost'), 403,
                   'VirtualHostDomainRequired')
        self.ok(cloud.obs('HEAD', bucket='far-away', host=there))

    def test_put_get(self):
        cloud, data = self.cloud, os.urandom(200000)
        digest = base64.b64encode(hashlib.md5(data).digest()).decode()
        answer = self.ok(cloud.obs('PUT', 'a', body=data, headers={
            'Content-MD5': digest, 'Content-Type': 'text/x',
            'x-obs-meta-who': 'me'}))
        self.assertEqual(answer.headers['etag'], '"%s"' % md5(data))
        head = self.ok(cloud.obs('HEAD', 'a'))
        self.assertEqual([head.headers.get(name) for name in (
            'content-length', 'content-type', 'x-obs-meta-who',
            'x-obs-storage-class', 'x-obs-uploadid', 'accept-ranges')],
            ['200000', 'text/x', 'me', None, None, 'bytes'])
        self.assertEqual(self.ok(cloud.obs('GET', 'a')).body, data)
        part = cloud.obs('GET', 'a', headers={'Range': 'bytes=99990-100009'})
        self.assertEqual((part.status, part.body,
                          part.headers['content-range']),
                         (206, data[99990:100010],
                          'bytes 99990-100009/200000'))
        self.assertEqual(cloud.obs('GET', 'a', headers={
            'Range': 'bytes=-7'}).body, data[-7:])
        self.fails(cloud.obs('GET', 'a', headers={
            'Range': 'bytes=200000-'}), 416, 'InvalidRange')
        self.fails(cloud.obs('PUT', 'b', body=data + b'x', headers={
            'Content-MD5': digest}), 400, 'BadDigest')
        self.fails(cloud.obs('PUT', 'b', headers={'Content-MD5': 'xyz'}),
                   400, 'InvalidDigest')
        self.fails(cloud.obs('HEAD', 'b'), 404, 'NoSuchKey')
        self.fails(cloud.obs('PUT', 'k' * 1025), 400, 'KeyTooLong')
        self.fails(cloud.obs('PUT', 'b', headers={
            'x-obs-storage-class': 'STANDARD_IA'}), 400,
            'InvalidStorageClass')
        self.ok(cloud.obs('DELETE', 'a'), 204)
        self.ok(cloud.obs('DELETE', 'a'), 204)
        self.assertNotIn('a', cloud.objects())

    def test_forbid_overwrite(self):
        cloud, headers = self.cloud, {'x-obs-forbid-overwrite': 'true'}
        self.ok(cloud.obs('PUT', 'once', headers=headers))
        for answer in (cloud.obs('PUT', 'once', headers=headers),
                       cloud.obs('POST', 'once', [('uploads', None)],
                                 headers=headers)):
            self.fails(answer, 409, 'ObjectAlreadyExists')
        self.ok(cloud.obs('PUT', 'once', headers={'If-None-Match': '*'}))
        cloud.set(conditional_put=True)
        self.fails(cloud.obs('PUT', 'once', headers={'If-None-Match': '*'}),
                   412, 'PreconditionFailed')

    def test_encryption(self):
        cloud = self.cloud
        self.ok(cloud.obs('PUT', 'kms', body=b'text', headers={
            'x-obs-server-side-encryption': 'kms',
            'x-obs-server-side-encryption-kms-key-id': 'k1'}))
        head = cloud.obs('HEAD', 'kms').headers
        self.assertEqual(head['x-obs-server-side-encryption'], 'kms')
        self.assertEqual(head['x-obs-server-side-encryption-kms-key-id'],
                         'k1')
        self.assertNotEqual(head['etag'], '"%s"' % md5(b'text'))
        key = os.urandom(32)
        name = 'x-obs-server-side-encryption-customer-'
        customer = {name + 'algorithm': 'AES256',
                    name + 'key': base64.b64encode(key).decode(),
                    name + 'key-MD5': base64.b64encode(
                        hashlib.md5(key).digest()).decode()}
        self.ok(cloud.obs('PUT', 'own', body=b'text', headers=customer))
        self.fails(cloud.obs('GET', 'own'), 400, 'InvalidArgument')
        self.assertEqual(cloud.obs('GET', 'own', headers=customer).body,
                         b'text')
        logged = json.dumps(cloud.log())
        self.assertNotIn(customer[name + 'key'], logged)

    def test_public_read_and_presigned(self):
        cloud = self.cloud
        cloud.put('open', b'0123456789', x_obs_acl='public-read')
        cloud.put('shut', b'0123456789')
        target = '/%s/open' % cloud.bucket
        self.assertEqual(cloud.request('HEAD', target).headers[
            'content-length'], '10')
        part = cloud.request('GET', target, {'Range': 'bytes=2-4'})
        self.assertEqual((part.status, part.body), (206, b'234'))
        self.fails(cloud.request('GET', '/%s/shut' % cloud.bucket), 403,
                   'AccessDenied')
        self.fails(cloud.request('PUT', target, body=b'x'), 403,
                   'AccessDenied')
        url = cloudsign.presign('GET', cloud.bucket, 'shut', cloud.ak,
                                cloud.sk, int(time.time()) + 60)
        self.assertEqual(cloud.request('GET', url, {
            'Range': 'bytes=-3'}).body, b'789')
        # The method is signed, so HEAD needs a URL of its own.
        self.fails(cloud.request('HEAD', url), 403, 'SignatureDoesNotMatch')
        old = cloudsign.presign('GET', cloud.bucket, 'shut', cloud.ak,
                                cloud.sk, int(time.time()) - 1)
        self.fails(cloud.request('GET', old), 403, 'AccessDenied')
        self.assertNotIn('Signature=', json.dumps(cloud.log()))
        self.assertIn('***', json.dumps(cloud.log(op='get-object')))

    def test_who_may(self):
        cloud = self.cloud
        stranger = cloud.info['users'][2]['ak']
        self.fails(cloud.obs('HEAD', ak=stranger), 403, 'AccessDenied')
        self.fails(cloud.obs('PUT', 'x', ak=stranger), 403, 'AccessDenied')
        self.fails(cloud.obs('PUT', 'x', sk='wrong'), 403,
                   'SignatureDoesNotMatch')
        self.fails(cloud.obs('PUT', 'x', ak='AKUNKNOWN', sk='y'), 403,
                   'InvalidAccessKeyId')
        self.fails(cloud.obs('PUT', 'x', skew=-1000), 403,
                   'RequestTimeTooSkewed')
        cloud.set(clock_offset=-1000)
        self.ok(cloud.obs('PUT', 'x', skew=-1000))
        cloud.set(clock_offset=0, signatures=['v2'])
        self.fails(cloud.obs('HEAD', 'x'), 403, 'AccessDenied')
        head = self.ok(cloud.obs('HEAD', 'x', dialect='AWS'))
        self.assertIn('x-amz-request-id', head.headers)

    def test_v4(self):
        cloud, data = self.cloud, b'some data'
        host = {'host': '127.0.0.1:%d' % cloud.port}
        path = '/%s/v4' % cloud.bucket

        def send(method, payload, region='eu-de', body=None):
            target, headers = cloudsign.v4(method, path, [], host, payload,
                                           cloud.ak, cloud.sk, region)
            return cloud.request(method, target, headers, body)

        good = hashlib.sha256(data).hexdigest()
        self.ok(send('PUT', good, body=data))
        self.ok(send('PUT', 'UNSIGNED-PAYLOAD', body=data))
        self.fails(send('PUT', hashlib.sha256(b'other').hexdigest(),
                        body=data), 400, 'XAmzContentSHA256Mismatch')
        self.fails(send('PUT', good, 'mars', data), 400, 'InvalidArgument')
        self.assertEqual(cloud.read('v4'), data)

    def test_list_objects(self):
        cloud = self.cloud
        cloud.make_bucket('listing')
        for key in ('a/1', 'a/2', 'b', 'c/1'):
            cloud.put(key, b'x', bucket='listing')
        first = cloud.obs('GET', bucket='listing', query=[
            ('delimiter', '/'), ('max-keys', '2')])
        self.assertEqual((first.between('IsTruncated'),
                          first.between('NextMarker')), ('true', 'b'))
        second = cloud.obs('GET', bucket='listing', query=[
            ('delimiter', '/'), ('marker', 'b')])
        self.assertEqual((second.between('IsTruncated'),
                          second.between('CommonPrefixes')),
                         ('false', '<Prefix>c/</Prefix>'))
        third = cloud.obs('GET', bucket='listing', query=[('prefix', 'a/')])
        self.assertEqual(third.text.count('<Key>'), 2)

    def test_body_rules(self):
        """No length: 411.  Too long: refused before the body is sent."""
        cloud = self.cloud

        def raw(*lines):
            target, headers = cloudsign.obs('PUT', cloud.bucket, 'raw', [],
                                            {}, cloud.ak, cloud.sk)
            with socket.create_connection(('127.0.0.1', cloud.port)) as link:
                text = 'PUT %s HTTP/1.1\r\nHost: x\r\n' % target
                text += ''.join('%s: %s\r\n' % item
                                for item in headers.items())
                link.sendall((text + '\r\n'.join(lines + ('', '')))
                             .encode())
                link.settimeout(10)
                return link.recv(65536, socket.MSG_WAITALL).decode() \
                    if lines[0].startswith('Transfer') \
                    else link.recv(65536).decode()

        self.assertIn(' 411 ', raw('Transfer-Encoding: chunked', ''))
        self.assertIn('EntityTooLarge', raw(
            'Content-Length: %d' % (5 << 30 | 1), 'Expect: 100-continue'))
        self.assertTrue(raw('Content-Length: 5', 'Expect: 100-continue')
                        .startswith('HTTP/1.1 100 '))

    def test_checksum(self):
        cloud, data = self.cloud, b'123456789'
        cloud.set(crc64=True)
        self.fails(cloud.obs('PUT', 'crc', body=data, headers={
            'x-obs-checksum-crc64ecma': '1'}), 400, 'InvalidCRC64')
        self.ok(cloud.obs('PUT', 'crc', body=data, headers={
            'x-obs-checksum-crc64ecma': '11051210869376104954'}))
        self.assertEqual(cloud.obs('HEAD', 'crc').headers[
            'x-obs-checksum-crc64ecma'], '11051210869376104954')



if __name__ == '__main__':
    unittest.main()
