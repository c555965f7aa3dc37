# SPDX-License-Identifier: GPL-2.0-or-later
"""Listings of the object store: buckets, objects, uploads, parts."""

import re
import urllib.parse

from . import obsmeta
from .errors import ApiError
from .obsxml import element, etag_element, xml_answer
from .uploads import MAX_PARTS
from .wire import iso_date

PAGE = 1000


def count_argument(request, name, maximum=PAGE):
    """max-keys and its kin: a number, cut down to the page size."""
    text = request.arg(name)
    if text is None or text == '':
        return maximum
    if not re.fullmatch(r'\d{1,10}', text) or int(text) > 2147483647:
        raise ApiError('InvalidArgument', '%s is not a number.' % name,
                       extra={'ArgumentName': name, 'ArgumentValue': text})
    return min(int(text), maximum)


def fold(keys, prefix, delimiter):
    """Sorted keys -> [(text, None | key)]: a text without a key is a common
    prefix that stands for all keys under it."""
    seen = set()
    for key in keys:
        if not key.startswith(prefix):
            continue
        if delimiter:
            rest, found, _ = key[len(prefix):].partition(delimiter)
            if found:
                common = prefix + rest + delimiter
                if common not in seen:
                    seen.add(common)
                    yield common, None
                continue
        yield key, key


class Listing:
    """The listing operations of ObsService (OBS)."""

    def __init__(self, obs):
        self.obs = obs
        self.shelf = obs.shelf

    @staticmethod
    def _namer(request):
        """Function that writes a key: percent-encoded on demand."""
        kind = request.arg('encoding-type')
        if kind not in (None, '', 'url'):
            raise ApiError('InvalidArgument', 'encoding-type must be url.')
        if kind == 'url':
            return lambda text: urllib.parse.quote(text, safe='/')
        return lambda text: text

    @staticmethod
    def _owner(ident, name='Owner'):
        return '<%s>%s</%s>' % (name, element('ID', ident), name)

    def op_list_buckets(self, request):
        with self.shelf.lock:
            owner = request.caller.user.domain_id
            mine = sorted((bucket for bucket in self.shelf.buckets.values()
                           if bucket.owner_id == owner),
                          key=lambda bucket: bucket.name)
        text = ''.join('<Bucket>%s</Bucket>' % (
            element('Name', bucket.name)
            + element('CreationDate', iso_date(bucket.created))
            + element('Location', bucket.region)) for bucket in mine)
        return xml_answer(request, 'ListAllMyBucketsResult',
                          self._owner(owner)
                          + '<Buckets>%s</Buckets>' % text)

    def op_list_objects(self, request):
        """Version 1, and version 2 (list-type=2) of the S3 dialect."""
        name = self._namer(request)
        second = request.arg('list-type') == '2'
        limit = count_argument(request, 'max-keys')
        prefix = request.arg('prefix', '')
        delimiter = request.arg('delimiter', '')
        if second:
            marker = (request.arg('continuation-token')
                      or request.arg('start-after', ''))
        else:
            marker = request.arg('marker', '')
        with self.shelf.lock:
            bucket = self.obs.need_bucket(request, 'list')
            objects = dict(bucket.objects)
        rows = [row for row in fold(sorted(objects), prefix, delimiter)
                if row[0] > marker]
        page, truncated = rows[:limit], len(rows) > limit
        text = element('Name', bucket.name)
        text += element('Prefix', name(prefix))
        if not second:
            text += element('Marker', name(marker))
        text += element('MaxKeys', limit)
        if delimiter:
            text += element('Delimiter', name(delimiter))
        text += element('IsTruncated', 'true' if truncated else 'false')
        if second:
            text += element('KeyCount', len(page))
        if truncated and page:
            text += element('NextContinuationToken' if second
                            else 'NextMarker', name(page[-1][0]))
        for row, key in page:
            if key is None:
                text += ('<CommonPrefixes>%s</CommonPrefixes>'
                         % element('Prefix', name(row)))
                continue
            found = objects[key]
            text += '<Contents>%s</Contents>' % (
                element('Key', name(key))
                + element('LastModified', iso_date(found.mtime))
                + etag_element(request, found.etag)
                + element('Size', found.size) + self._owner(found.owner_id)
                + element('StorageClass', obsmeta.class_name(
                    found.storage_class, request.dialect)))
        return xml_answer(request, 'ListBucketResult', text)

    def op_list_uploads(self, request):
        name = self._namer(request)
        limit = count_argument(request, 'max-uploads')
        prefix = request.arg('prefix', '')
        delimiter = request.arg('delimiter', '')
        key_marker = request.arg('key-marker', '')
        # The id marker counts only together with a key marker.
        id_marker = request.arg('upload-id-marker', '') if key_marker else ''
        with self.shelf.lock:
            bucket = self.obs.need_bucket(request)
            uploads = [upload for upload in self.shelf.uploads.values()
                       if upload.bucket == bucket.name]
        by_key = {}
        for upload in uploads:
            by_key.setdefault(upload.key, []).append(upload)
        rows = []           # (text, upload id or '', Upload or None)
        for text, key in fold(sorted(by_key), prefix, delimiter):
            if key is None:
                rows.append((text, '', None))
                continue
            for upload in sorted(by_key[key], key=lambda item: item.id):
                rows.append((key, upload.id, upload))
        rows = [row for row in rows
                if row[0] > key_marker
                or id_marker and row[0] == key_marker and row[1] > id_marker]
        page, truncated = rows[:limit], len(rows) > limit
        text = (element('Bucket', bucket.name)
                + element('KeyMarker', name(key_marker))
                + element('UploadIdMarker', id_marker)
                + element('Delimiter', name(delimiter))
                + element('Prefix', name(prefix))
                + element('MaxUploads', limit)
                + element('IsTruncated', 'true' if truncated else 'false'))
        if truncated and page:
            text += element('NextKeyMarker', name(page[-1][0]))
            text += element('NextUploadIdMarker', page[-1][1])
        for row, _, upload in page:
            if upload is None:
                text += ('<CommonPrefixes>%s</CommonPrefixes>'
                         % element('Prefix', name(row)))
                continue
            text += '<Upload>%s</Upload>' % (
                element('Key', name(upload.key))
                + element('UploadId', upload.id)
                + self._owner(upload.initiator_id, 'Initiator')
                + self._owner(upload.owner_id)
                + element('StorageClass', obsmeta.class_name(
                    upload.storage_class, request.dialect))
                + element('Initiated', iso_date(upload.initiated)))
        return xml_answer(request, 'ListMultipartUploadsResult', text)

    def op_list_parts(self, request):
        name = self._namer(request)
        limit = count_argument(request, 'max-parts')
        marker = count_argument(request, 'part-number-marker', MAX_PARTS) \
            if request.arg('part-number-marker') else 0
        with self.shelf.lock:
            upload = self.obs.multipart.find(request, initiator_only=False)
            parts = [upload.parts[number] for number in sorted(upload.parts)
                     if number > marker]
        page, truncated = parts[:limit], len(parts) > limit
        text = (element('Bucket', upload.bucket)
                + element('Key', name(upload.key))
                + element('UploadId', upload.id)
                + self._owner(upload.initiator_id, 'Initiator')
                + self._owner(upload.owner_id)
                + element('StorageClass', obsmeta.class_name(
                    upload.storage_class, request.dialect))
                + element('PartNumberMarker', marker))
        if truncated and page:
            text += element('NextPartNumberMarker', page[-1].number)
        text += (element('MaxParts', limit)
                 + element('IsTruncated', 'true' if truncated else 'false'))
        for part in page:
            text += '<Part>%s</Part>' % (
                element('PartNumber', part.number)
                + element('LastModified', iso_date(part.mtime))
                + etag_element(request, part.etag)
                + element('Size', part.content.size))
        return xml_answer(request, 'ListPartsResult', text)
