# SPDX-License-Identifier: GPL-2.0-or-later
"""The object store: authentication, buckets, single objects."""

import hashlib
import re
from xml.sax.saxutils import escape

from . import obslist, obsmeta, obsmulti
from .crc64 import crc64
from .errors import ApiError, obs_error
from .obsxml import element, etag_element, parse_xml, xml_answer
from .sign import find_claim, parse_date
from .uploads import MAX_PART, Bucket, Object
from .wire import MAX_TEXT_BODY, Response, Stream, http_date, iso_date

OPEN_OBJECT = ('public-read', 'public-read-write')
OPEN_BUCKET = ('public-read-delivered', 'public-read-write-delivered')


def valid_bucket_name(name):
    return (re.fullmatch(r'[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]', name)
            and not re.search(r'\.\.|\.-|-\.', name)
            and not re.fullmatch(r'\d+\.\d+\.\d+\.\d+', name))


class ObsService:
    """handle(request) -> Response; classify() comes first."""

    def __init__(self, shelf, accounts, settings, clock):
        self.shelf = shelf
        self.store = shelf.store
        self.accounts = accounts
        self.settings = settings
        self.clock = clock
        self.multipart = obsmulti.Multipart(self)
        self.listing = obslist.Listing(self)

    error = staticmethod(obs_error)

    # -- which operation, who is it

    def classify(self, request):
        """Set dialect and op from the request line and headers."""
        header = request.header('authorization', '')
        if (header.startswith('AWS') or request.has_query('AWSAccessKeyId')
                or request.has_query('X-Amz-Credential')):
            request.dialect = 'aws'
        request.op = self._op(request)

    def _op(self, request):
        method, has = request.method, request.has_query
        if method == 'HEAD' and has('apiversion') and not request.key:
            return 'probe'
        if request.bucket is None:
            return 'list-buckets' if method == 'GET' else 'unknown'
        if not request.key:
            if method == 'GET':
                for name in ('location', 'uploads', 'acl'):
                    if has(name):
                        return {'location': 'get-location',
                                'uploads': 'list-uploads',
                                'acl': 'get-bucket-acl'}[name]
            if method == 'POST' and has('delete'):
                return 'delete-objects'
            if method == 'PUT' and has('acl'):
                return 'put-bucket-acl'
            return {'HEAD': 'head-bucket', 'GET': 'list-objects',
                    'PUT': 'create-bucket',
                    'DELETE': 'delete-bucket'}.get(method, 'unknown')
        copy = request.ext('copy-source') is not None
        if has('uploadId'):
            if method == 'PUT' and has('partNumber'):
                return 'copy-part' if copy else 'upload-part'
            return {'GET': 'list-parts', 'POST': 'complete',
                    'DELETE': 'abort'}.get(method, 'unknown')
        if method == 'POST':
            return 'initiate' if has('uploads') else 'unknown'
        if has('acl'):
            return {'GET': 'get-object-acl',
                    'PUT': 'put-object-acl'}.get(method, 'unknown')
        if method == 'PUT':
            return 'copy-object' if copy else 'put-object'
        return {'GET': 'get-object', 'HEAD': 'head-object',
                'DELETE': 'delete-object'}.get(method, 'unknown')

    def authenticate(self, request):
        claim = find_claim(request)
        if claim is None:
            request.record['auth'] = 'anonymous'
            return
        request.record['auth'] = claim.kind
        request.record['ak'] = claim.ak
        if claim.kind not in self.settings['signatures']:
            raise ApiError('AccessDenied', 'The signature version of the '
                           'request is not supported here.')
        request.caller = self.accounts.check_obs(claim)
        request.payload_sha256 = claim.payload_sha256

    # -- rights

    def owner_of(self, request, bucket):
        return (request.caller is not None
                and request.caller.user.domain_id == bucket.owner_id)

    def need_bucket(self, request, right='owner'):
        """The bucket of a request, if the caller may use it there."""
        bucket = self.shelf.bucket(request.bucket)
        if bucket.region != request.region:
            endpoint = 'obs.%s.localhost' % bucket.region
            raise ApiError('PermanentRedirect', extra={
                'Endpoint': endpoint, 'Bucket': bucket.name},
                headers=[('~bucket-region', bucket.region)])
        if not self.owner_of(request, bucket):
            allowed = {'list': ('public-read', 'public-read-write')
                       + OPEN_BUCKET,
                       'write': ('public-read-write',
                                 'public-read-write-delivered')}
            if bucket.acl not in allowed.get(right, ()):
                raise ApiError('AccessDenied')
        return bucket

    def need_object(self, request, bucket_name=None, key=None):
        """An object that the caller may read."""
        if bucket_name is None:
            bucket_name, key = request.bucket, request.key
        bucket = self.shelf.bucket(bucket_name)
        if bucket.region != request.region:
            if bucket_name == request.bucket:
                self.need_bucket(request)
            raise ApiError('InvalidRequest', 'The copy source is in another '
                           'region.')
        found = bucket.objects.get(key)
        if not self.owner_of(request, bucket):
            if (found is None or found.acl not in OPEN_OBJECT
                    and bucket.acl not in OPEN_BUCKET):
                raise ApiError('AccessDenied')
        if found is None:
            raise ApiError('NoSuchKey', extra={'Key': key})
        return found

    # -- receiving data

    def receive(self, request):
        """Body -> (Content, MD5).  All checksums are checked; on any
        trouble nothing is kept."""
        body = request.body
        if body.length is None:
            raise ApiError('MissingContentLength')
        if body.length > MAX_PART:
            raise ApiError('EntityTooLarge', extra={
                'ProposedSize': body.length, 'MaxSizeAllowed': MAX_PART})
        wanted = request.header('content-md5')
        if wanted is not None:
            wanted = obsmeta.decode_md5(wanted)
        crc_sent = (request.ext('checksum-crc64ecma')
                    or request.ext('hash-crc64ecma'))
        md5 = hashlib.md5()
        sha256 = hashlib.sha256() if request.payload_sha256 else None
        crc = 0 if crc_sent or self.settings['crc64'] else None
        writer = self.store.writer()
        try:
            for piece in body.pieces():
                md5.update(piece)
                if sha256:
                    sha256.update(piece)
                if crc is not None:
                    crc = crc64(piece, crc)
                writer.write(piece)
            if wanted is not None and wanted != md5.digest():
                raise ApiError('BadDigest')
            if sha256 and sha256.hexdigest() != request.payload_sha256:
                raise ApiError('XAmzContentSHA256Mismatch')
            if crc_sent and crc_sent != str(crc):
                raise ApiError('InvalidCRC64')
        except BaseException:
            writer.discard()
            raise
        content = writer.finish()
        self.store.note_md5(content, md5.digest())
        return content, md5.digest()

    def read_text(self, request):
        """A short body (XML), with its checksums checked."""
        if request.body.length is None:
            raise ApiError('MissingContentLength')
        data = request.body.read_all(MAX_TEXT_BODY)
        if data is None:
            raise ApiError('EntityTooLarge')
        wanted = request.header('content-md5')
        if wanted is not None and (obsmeta.decode_md5(wanted)
                                   != hashlib.md5(data).digest()):
            raise ApiError('BadDigest')
        if request.payload_sha256 not in (None,
                                          hashlib.sha256(data).hexdigest()):
            raise ApiError('XAmzContentSHA256Mismatch')
        return data

    def checksum_header(self, content):
        """x-obs-checksum-crc64ecma of a content, where it is offered."""
        if not self.settings['crc64']:
            return []
        value = 0
        for piece in self.store.pieces(content):
            value = crc64(piece, value)
        return [('~checksum-crc64ecma', str(value))]

    def opaque_etag(self, md5, headers):
        """ETag of a single body or part."""
        if obsmeta.is_opaque(headers):
            return hashlib.md5(b'opaque' + md5).hexdigest()
        return md5.hex()

    def check_overwrite(self, request, bucket):
        """forbid-overwrite, and conditions on PUT where they are on."""
        exists = request.key in bucket.objects
        forbid = request.ext('forbid-overwrite', 'false') == 'true'
        if exists and forbid and self.settings['forbid_overwrite']:
            raise ApiError('ObjectAlreadyExists')
        if (exists and self.settings['conditional_put']
                and request.header('if-none-match') == '*'):
            raise ApiError('PreconditionFailed')

    # -- operations

    def handle(self, request):
        self.authenticate(request)
        if (request.bucket and self.settings['virtual_host_only']
                and request.style == 'path' and 'obs.' in request.host):
            raise ApiError('VirtualHostDomainRequired')
        if request.key:
            obsmeta.check_key(request.key)
        name = 'op_' + request.op.replace('-', '_')
        for part in (self, self.multipart, self.listing):
            if hasattr(part, name):
                break
        else:
            raise ApiError('MethodNotAllowed')
        if request.caller is None and request.op not in (
                'probe', 'get-object', 'head-object', 'list-objects',
                'put-object', 'head-bucket'):
            raise ApiError('AccessDenied')
        response = getattr(part, name)(request)
        if request.payload_sha256 and not request.body.started:
            self.read_text(request)
        return response

    def op_probe(self, request):
        if request.bucket:
            self.shelf.bucket(request.bucket)
        version = self.settings['obs_api']
        return Response(200, [('x-obs-api', version)] if version else [])

    def op_head_bucket(self, request):
        bucket = self.need_bucket(request, 'list')
        headers = [('~bucket-location', bucket.region),
                   ('~bucket-region', bucket.region),
                   ('~storage-class', obsmeta.class_name(
                       bucket.storage_class, request.dialect)),
                   ('~version', '3.0'), ('~az-redundancy', '3az'),
                   ('epid', '0')]
        if bucket.fs_interface:
            headers.append(('~fs-file-interface', 'Enabled'))
        return Response(200, headers)

    def op_get_location(self, request):
        bucket = self.need_bucket(request)
        name = 'LocationConstraint' if request.dialect == 'aws' else 'Location'
        return xml_answer(request, name, escape(bucket.region))

    def op_create_bucket(self, request):
        text = self.read_text(request)
        region = request.region
        if text.strip():
            root = parse_xml(text)
            node = root.find('Location')
            if node is None:
                node = root.find('LocationConstraint')
            if node is None or not node.text:
                raise ApiError('MalformedXML')
            region = node.text.strip()
        if region != request.region:
            raise ApiError('InvalidLocationConstraint')
        if not valid_bucket_name(request.bucket):
            raise ApiError('InvalidBucketName')
        with self.shelf.lock:
            old = self.shelf.buckets.get(request.bucket)
            if old:
                mine = self.owner_of(request, old)
                raise ApiError('BucketAlreadyOwnedByYou' if mine
                               else 'BucketAlreadyExists')
            self.shelf.add_bucket(Bucket(
                request.bucket, request.caller.user.domain_id, region,
                obsmeta.storage_class(request, 'STANDARD'),
                obsmeta.acl(request), self.clock(),
                request.ext('fs-file-interface') == 'Enabled'))
        return Response(200, [('Location', '/' + request.bucket)])

    def op_delete_bucket(self, request):
        with self.shelf.lock:
            bucket = self.need_bucket(request)
            if bucket.objects or any(upload.bucket == bucket.name for upload
                                     in self.shelf.uploads.values()):
                raise ApiError('BucketNotEmpty')
            self.shelf.remove_bucket(bucket)
        return Response(204)

    def op_put_object(self, request):
        bucket = self.need_bucket(request, 'write')
        self.check_overwrite(request, bucket)
        headers = obsmeta.collect(request)
        kind = obsmeta.storage_class(request, bucket.storage_class)
        acl = obsmeta.acl(request)
        content, md5 = self.receive(request)
        with self.shelf.lock:
            found = Object(request.key, content,
                           self.opaque_etag(md5, headers), headers, kind,
                           acl, self.clock(), bucket.owner_id)
            self.shelf.put_object(bucket, found)
        request.record.update(stored=True, size=found.size, etag=found.etag)
        return Response(200, [('ETag', obsmeta.etag(found.etag))]
                        + obsmeta.encryption_answer(request, headers)
                        + self.checksum_header(content))

    def op_head_object(self, request):
        found = self.need_object(request)
        obsmeta.check_customer_key(request, found.headers)
        early = self.check_conditions(request, found)
        if early:
            return early
        return Response(200, obsmeta.answer(request, found)
                        + self.checksum_header(found.content),
                        Stream(found.size, ()))

    def op_get_object(self, request):
        # Held until sent, so that an overwrite cannot pull it away.
        with self.shelf.lock:
            found = self.need_object(request)
            self.store.hold(found.content)
        try:
            response = self._get_answer(request, found)
        except ApiError:
            self.store.release(found.content)
            raise
        if not isinstance(response.body, Stream):
            self.store.release(found.content)
        return response

    def _get_answer(self, request, found):
        """The answer of GET; a Stream in it releases the content."""
        obsmeta.check_customer_key(request, found.headers)
        if found.storage_class in obsmeta.ARCHIVED:
            raise ApiError('InvalidObjectState')
        early = self.check_conditions(request, found)
        if early:
            return early
        headers = obsmeta.answer(request, found)
        window = obsmeta.parse_range(request.header('range'), found.size)
        status, content = 200, found.content
        if window:
            start, length = window
            status, content = 206, found.content.slice(start, length)
            headers.append(('Content-Range', 'bytes %d-%d/%d' % (
                start, start + length - 1, found.size)))
        return Response(status, headers, Stream(
            content.size, self.store.pieces(content),
            lambda: self.store.release(found.content)))

    def check_conditions(self, request, found):
        """If-Match and its kin on GET and HEAD: None, or a 304 answer."""
        tag = obsmeta.etag(found.etag)
        match = request.header('if-match')
        if match is not None and match not in (tag, found.etag, '*'):
            raise ApiError('PreconditionFailed')
        none = request.header('if-none-match')
        modified = request.header('if-modified-since')
        unmodified = request.header('if-unmodified-since')
        if (unmodified is not None and match is None
                and int(found.mtime) > parse_date(unmodified)):
            raise ApiError('PreconditionFailed')
        same = (none in (tag, found.etag, '*') if none is not None
                else modified is not None
                and int(found.mtime) <= parse_date(modified))
        if same:
            return Response(304, [('ETag', tag), (
                'Last-Modified', http_date(found.mtime))])
        return None

    def op_delete_object(self, request):
        with self.shelf.lock:
            bucket = self.need_bucket(request, 'write')
            self.shelf.remove_object(bucket, request.key)
        return Response(204)

    def op_delete_objects(self, request):
        root = parse_xml(self.read_text(request))
        keys = [node.findtext('Key') for node in root.findall('Object')]
        if not keys or len(keys) > 1000 or None in keys:
            raise ApiError('MalformedXML')
        with self.shelf.lock:
            bucket = self.need_bucket(request, 'write')
            for key in keys:
                self.shelf.remove_object(bucket, key)
        quiet = root.findtext('Quiet', 'false').strip() == 'true'
        return xml_answer(request, 'DeleteResult', '' if quiet else ''.join(
            '<Deleted>%s</Deleted>' % element('Key', key) for key in keys))

    def op_copy_object(self, request):
        with self.shelf.lock:
            bucket = self.need_bucket(request, 'write')
            self.check_overwrite(request, bucket)
            source = self.multipart.copy_source(request)
            if source.size > MAX_PART:
                raise ApiError('InvalidRequest', 'The copy source is larger '
                               'than 5 GB: copy it in parts.')
            headers = obsmeta.encryption(request)
            if request.ext('metadata-directive', 'COPY') == 'REPLACE':
                headers = obsmeta.collect(request)
            else:
                headers.update((name, value) for name, value
                               in source.headers.items()
                               if not name.startswith(obsmeta.SSE))
            kind = obsmeta.storage_class(request, bucket.storage_class)
            acl = obsmeta.acl(request)
            self.store.hold(source.content)
        try:
            md5 = self.store.md5(source.content)
            with self.shelf.lock:
                found = Object(request.key, source.content,
                               self.opaque_etag(md5, headers), headers, kind,
                               acl, self.clock(), bucket.owner_id)
                self.shelf.put_object(bucket, found)
        finally:
            self.store.release(source.content)
        return xml_answer(request, 'CopyObjectResult', element(
            'LastModified', iso_date(found.mtime))
            + etag_element(request, found.etag),
            obsmeta.encryption_answer(request, headers))

    # -- ACLs: canned ones only

    def _acl_answer(self, request, acl, owner_id):
        owner = '<Owner>%s</Owner>' % element('ID', owner_id)
        grants = ('<Grant><Grantee>%s</Grantee><Permission>FULL_CONTROL'
                  '</Permission></Grant>' % element('ID', owner_id))
        if acl.startswith('public-read'):
            grants += ('<Grant><Grantee><Canned>Everyone</Canned></Grantee>'
                       '<Permission>READ</Permission></Grant>')
        return xml_answer(request, 'AccessControlPolicy', owner
                          + '<AccessControlList>%s</AccessControlList>'
                          % grants)

    def op_get_bucket_acl(self, request):
        bucket = self.need_bucket(request)
        return self._acl_answer(request, bucket.acl, bucket.owner_id)

    def op_get_object_acl(self, request):
        self.need_bucket(request)
        found = self.need_object(request)
        return self._acl_answer(request, found.acl, found.owner_id)

    def op_put_bucket_acl(self, request):
        if request.ext('acl') is None:
            raise ApiError('NotImplemented', 'Only ACLs in the header.')
        with self.shelf.lock:
            bucket = self.need_bucket(request)
            bucket.acl = obsmeta.acl(request)
            self.shelf.save_bucket(bucket)
        return Response(200)

    def op_put_object_acl(self, request):
        if request.ext('acl') is None:
            raise ApiError('NotImplemented', 'Only ACLs in the header.')
        with self.shelf.lock:
            bucket = self.need_bucket(request)
            found = self.shelf.object(request.bucket, request.key)
            found.acl = obsmeta.acl(request)
            self.shelf.save_object(bucket, found)
        return Response(200)
