# SPDX-License-Identifier: GPL-2.0-or-later
"""Multipart uploads: initiate, upload part, copy part, complete, abort."""

import re
import urllib.parse

from . import obsmeta
from .errors import ApiError
from .obsxml import element, etag_element, parse_xml, xml_answer
from .sign import parse_date
from .store import Content
from .uploads import MAX_OBJECT, MAX_PART, MAX_PARTS, Part
from .wire import Response, iso_date


class Multipart:
    """The multipart operations of ObsService (OBS)."""

    def __init__(self, obs):
        self.obs = obs
        self.shelf = obs.shelf

    def initiator(self, request):
        """Who counts as the initiator: the user, or the very key."""
        caller = request.caller
        if self.obs.settings['initiator_per_key']:
            return caller.user.id + '/' + caller.ak
        return caller.user.id

    def find(self, request, initiator_only=True):
        """The upload a request names, if the caller may use it."""
        self.obs.need_bucket(request)
        upload = self.shelf.upload(request.arg('uploadId'), request.bucket,
                                   request.key)
        if initiator_only and upload.initiator_id != self.initiator(request):
            raise ApiError('AccessDenied', 'Only the initiator may do this '
                           'to a multipart upload.')
        return upload

    def part_number(self, request):
        text = request.arg('partNumber')
        if not re.fullmatch(r'\d{1,9}', text) or not (
                1 <= int(text) <= MAX_PARTS):
            raise ApiError('InvalidArgument', 'Part number must be an '
                           'integer between 1 and 10000, inclusive.', extra={
                               'ArgumentName': 'partNumber',
                               'ArgumentValue': text})
        request.record['part'] = int(text)
        return int(text)

    def op_initiate(self, request):
        self.obs.read_text(request)
        with self.shelf.lock:
            bucket = self.obs.need_bucket(request, 'write')
            self.obs.check_overwrite(request, bucket)
            headers = obsmeta.collect(request)
            upload = self.shelf.begin(
                bucket=bucket.name, key=request.key,
                initiator_id=self.initiator(request),
                owner_id=bucket.owner_id, headers=headers,
                storage_class=obsmeta.storage_class(request,
                                                    bucket.storage_class),
                acl=obsmeta.acl(request), initiated=self.obs.clock())
        request.record['upload_id'] = upload.id
        return xml_answer(request, 'InitiateMultipartUploadResult',
                          element('Bucket', bucket.name)
                          + element('Key', request.key)
                          + element('UploadId', upload.id),
                          obsmeta.encryption_answer(request, headers))

    def _store_part(self, request, upload, number, content, md5):
        """Put a finished part into its upload, if that is still there."""
        part = Part(number, content, md5,
                    self.obs.opaque_etag(md5, upload.headers),
                    self.obs.clock())
        with self.shelf.lock:
            if self.shelf.uploads.get(upload.id) is not upload:
                self.shelf.store.hold(content)
                self.shelf.store.release(content)
                raise ApiError('NoSuchUpload')
            self.shelf.put_part(upload, part)
        request.record.update(stored=True, etag=part.etag, size=content.size)
        return part

    def op_upload_part(self, request):
        number = self.part_number(request)
        with self.shelf.lock:
            upload = self.find(request)
        obsmeta.check_customer_key(request, upload.headers)
        content, md5 = self.obs.receive(request)
        part = self._store_part(request, upload, number, content, md5)
        return Response(200, [('ETag', obsmeta.etag(part.etag))]
                        + obsmeta.encryption_answer(request, upload.headers)
                        + self.obs.checksum_header(content))

    def copy_source(self, request):
        """The object of x-obs-copy-source, conditions checked."""
        if self.obs.settings['refuse_copies']:
            raise ApiError('AccessDenied', 'Copies are refused here.')
        text = request.ext('copy-source')
        path, _, version = text.partition('?versionId=')
        # Some SDKs encode the slashes, too.
        path = urllib.parse.unquote(path).removeprefix('/')
        bucket, slash, key = path.partition('/')
        if not slash or not key or version not in ('', 'null'):
            raise ApiError('InvalidArgument', 'The copy source must be '
                           'bucket/key.', extra={
                               'ArgumentName': 'x-obs-copy-source',
                               'ArgumentValue': text})
        source = self.obs.need_object(request, bucket, key)
        if source.storage_class in obsmeta.ARCHIVED:
            raise ApiError('InvalidObjectState')
        obsmeta.check_customer_key(
            request, source.headers,
            'copy-source-' + obsmeta.SSE_C)
        tag = (obsmeta.etag(source.etag), source.etag)
        match = request.ext('copy-source-if-match')
        none = request.ext('copy-source-if-none-match')
        since = request.ext('copy-source-if-modified-since')
        before = request.ext('copy-source-if-unmodified-since')
        mtime = int(source.mtime)
        if (match is not None and match not in tag
                or none is not None and none in tag
                or since is not None and mtime <= parse_date(since)
                or before is not None and mtime > parse_date(before)):
            raise ApiError('PreconditionFailed')
        return source

    def op_copy_part(self, request):
        number = self.part_number(request)
        self.obs.read_text(request)
        with self.shelf.lock:
            upload = self.find(request)
            obsmeta.check_customer_key(request, upload.headers)
            source = self.copy_source(request)
            content = self._copy_range(request, source)
            self.shelf.store.hold(content)
        try:
            md5 = self.shelf.store.md5(content)
            part = self._store_part(request, upload, number, content, md5)
        finally:
            self.shelf.store.release(content)
        return xml_answer(request, 'CopyPartResult',
                          element('LastModified', iso_date(part.mtime))
                          + etag_element(request, part.etag))

    @staticmethod
    def _copy_range(request, source):
        text = request.ext('copy-source-range')
        if text is None:
            start, length = 0, source.size
        else:
            match = re.fullmatch(r'bytes=(\d{1,18})-(\d{1,18})', text)
            if not match:
                raise ApiError('InvalidArgument', 'The copy range must be '
                               'bytes=first-last.')
            start, last = int(match.group(1)), int(match.group(2))
            length = last - start + 1
            if length < 1 or last >= source.size:
                raise ApiError('InvalidArgument', 'Range specified is not '
                               'valid for source object of size %d.'
                               % source.size)
        if length > MAX_PART:
            raise ApiError('EntityTooLarge', 'The copy source is larger '
                           'than 5 GB.')
        return source.content.slice(start, length) if length else Content()

    def _parse_complete(self, request):
        """Body of complete -> [(number, etag)], in its own order."""
        root = parse_xml(self.obs.read_text(request))
        if root.tag != 'CompleteMultipartUpload':
            raise ApiError('MalformedXML')
        named = []
        for node in root:
            number = (node.findtext('PartNumber') or '').strip()
            etag = (node.findtext('ETag') or '').strip().strip('"')
            if (node.tag != 'Part' or not etag
                    or not re.fullmatch(r'\d{1,9}', number)):
                raise ApiError('MalformedXML')
            named.append((int(number), etag))
        if not named or len(named) > MAX_PARTS:
            raise ApiError('MalformedXML')
        return named

    def _check_parts(self, upload, named):
        """Order, presence, ETags, then sizes: as the service does."""
        for before, after in zip(named, named[1:]):
            if before[0] >= after[0]:
                raise ApiError('InvalidPartOrder',
                               extra={'UploadId': upload.id})
        for number, etag in named:
            part = upload.parts.get(number)
            if part is None or part.etag != etag.lower():
                raise ApiError('InvalidPart', extra={
                    'UploadId': upload.id, 'PartNumber': number,
                    'ETag': etag})
        minimum = self.obs.settings['min_part']
        total = 0
        for number, etag in named:
            size = upload.parts[number].content.size
            total += size
            if size < minimum and number != named[-1][0]:
                raise ApiError('EntityTooSmall', extra={
                    'PartNumber': number, 'ETag': etag,
                    'ProposedSize': size, 'MinSizeAllowed': minimum})
        if total > MAX_OBJECT:
            raise ApiError('EntityTooLarge')

    def op_complete(self, request):
        named = self._parse_complete(request)
        with self.shelf.lock:
            upload = self.find(request)
            self.obs.check_overwrite(request,
                                     self.shelf.bucket(request.bucket))
            self._check_parts(upload, named)
            found = self.shelf.finish(upload, named, self.obs.clock(),
                                      obsmeta.is_opaque(upload.headers))
        request.record.update(stored=True, etag=found.etag, size=found.size)
        etag = ('' if self.obs.settings['complete_without_etag']
                else etag_element(request, found.etag))
        location = '%s://%s%s' % (request.scheme, request.host,
                                  request.raw_path)
        return xml_answer(request, 'CompleteMultipartUploadResult',
                          element('Location', location)
                          + element('Bucket', request.bucket)
                          + element('Key', request.key) + etag,
                          obsmeta.encryption_answer(request, found.headers)
                          + self.obs.checksum_header(found.content))

    def op_abort(self, request):
        with self.shelf.lock:
            # The owner of the bucket may abort as well as the initiator.
            upload = self.find(request, initiator_only=False)
            self.shelf.drop_upload(upload)
        return Response(204)
