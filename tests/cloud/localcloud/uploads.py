# SPDX-License-Identifier: GPL-2.0-or-later
"""Buckets, objects and multipart uploads: what the object store remembers.

Everything is in memory and, as one JSON file each, on disk: a server that is
stopped and started in the same folder goes on where it was.

    DIR/blobs/*                         data (store.py)
    DIR/buckets/NAME/bucket.json
    DIR/buckets/NAME/objects/HASH.json
    DIR/uploads/ID/upload.json  part-00001.json
"""

import hashlib
import os
import secrets
import shutil
import threading

from .errors import ApiError
from .store import Content, Store, concatenate, read_json, write_json

MAX_PART = 5 << 30
MAX_PARTS = 10000
MAX_OBJECT = MAX_PART * MAX_PARTS       # 48.8 TB


class Bucket:
    def __init__(self, name, owner_id, region, storage_class='STANDARD',
                 acl='private', created=0, fs_interface=False):
        self.name = name
        self.owner_id = owner_id            # account (domain) id
        self.region = region
        self.storage_class = storage_class
        self.acl = acl
        self.created = created
        self.fs_interface = fs_interface    # parallel file system
        self.objects = {}


class Object:
    """A finished object; content and headers never change.

    headers holds what the client stored with it, by neutral name:
    content-type, meta-..., server-side-encryption..., see obsmeta.py.
    """

    def __init__(self, key, content, etag, headers, storage_class, acl,
                 mtime, owner_id, upload_id=None, parts=0):
        self.key = key
        self.content = content
        self.etag = etag
        self.headers = headers
        self.storage_class = storage_class
        self.acl = acl
        self.mtime = mtime
        self.owner_id = owner_id
        self.upload_id = upload_id
        self.parts = parts

    @property
    def size(self):
        return self.content.size


class Part:
    def __init__(self, number, content, md5, etag, mtime):
        self.number = number
        self.content = content
        self.md5 = md5                  # 16 bytes
        self.etag = etag                # hex; not the MD5 with some SSE
        self.mtime = mtime


class Upload:
    def __init__(self, ident, bucket, key, initiator_id, owner_id, headers,
                 storage_class, acl, initiated):
        self.id = ident
        self.bucket = bucket
        self.key = key
        self.initiator_id = initiator_id
        self.owner_id = owner_id
        self.headers = headers
        self.storage_class = storage_class
        self.acl = acl
        self.initiated = initiated
        self.parts = {}


def to_json(thing, without=()):
    """Plain attributes of one of the classes above."""
    result = {}
    for name, value in vars(thing).items():
        if name in without:
            continue
        if isinstance(value, Content):
            value = value.extents
        elif isinstance(value, bytes):
            value = value.hex()
        result[name] = value
    return result


class Shelf:
    """All buckets and uploads.  Callers hold lock while they look or change;
    bodies are received and read outside of it."""

    def __init__(self, folder):
        self.store = Store(folder)
        self.lock = threading.RLock()
        self.buckets = {}
        self.uploads = {}
        self._buckets_folder = os.path.join(folder, 'buckets')
        self._uploads_folder = os.path.join(folder, 'uploads')
        os.makedirs(self._buckets_folder, exist_ok=True)
        os.makedirs(self._uploads_folder, exist_ok=True)
        self._load()

    def _load(self):
        for name in os.listdir(self._buckets_folder):
            folder = os.path.join(self._buckets_folder, name)
            if not self._is_whole(folder, 'bucket.json'):
                continue
            bucket = Bucket(**read_json(os.path.join(folder, 'bucket.json')))
            self.buckets[name] = bucket
            objects = os.path.join(folder, 'objects')
            for file in os.listdir(objects):
                if not file.endswith('.json'):
                    continue
                fields = read_json(os.path.join(objects, file))
                fields['content'] = Content(fields['content'])
                found = Object(**fields)
                self.store.hold(found.content)
                bucket.objects[found.key] = found
        for ident in os.listdir(self._uploads_folder):
            folder = os.path.join(self._uploads_folder, ident)
            if not self._is_whole(folder, 'upload.json'):
                continue
            fields = read_json(os.path.join(folder, 'upload.json'))
            fields['ident'] = fields.pop('id')
            upload = Upload(**fields)
            self.uploads[ident] = upload
            for file in os.listdir(folder):
                if file.startswith('part-') and file.endswith('.json'):
                    fields = read_json(os.path.join(folder, file))
                    fields['content'] = Content(fields['content'])
                    fields['md5'] = bytes.fromhex(fields['md5'])
                    part = Part(**fields)
                    self.store.hold(part.content)
                    upload.parts[part.number] = part
        self.store.remove_unused()

    @staticmethod
    def _is_whole(folder, name):
        """False, and gone, if a killed server was making or deleting it."""
        if os.path.exists(os.path.join(folder, name)):
            return True
        shutil.rmtree(folder)
        return False

    # Buckets

    def bucket(self, name):
        found = self.buckets.get(name)
        if found is None:
            raise ApiError('NoSuchBucket', extra={'BucketName': name})
        return found

    def add_bucket(self, bucket):
        folder = os.path.join(self._buckets_folder, bucket.name)
        os.makedirs(os.path.join(folder, 'objects'))
        write_json(os.path.join(folder, 'bucket.json'),
                   to_json(bucket, ('objects',)))
        self.buckets[bucket.name] = bucket

    def save_bucket(self, bucket):
        write_json(os.path.join(self._buckets_folder, bucket.name,
                                'bucket.json'), to_json(bucket, ('objects',)))

    def remove_bucket(self, bucket):
        del self.buckets[bucket.name]
        shutil.rmtree(os.path.join(self._buckets_folder, bucket.name))

    # Objects

    def _object_path(self, bucket, key):
        name = hashlib.sha256(key.encode()).hexdigest() + '.json'
        return os.path.join(self._buckets_folder, bucket.name, 'objects',
                            name)

    def object(self, bucket, key):
        found = self.bucket(bucket).objects.get(key)
        if found is None:
            raise ApiError('NoSuchKey', extra={'Key': key})
        return found

    def put_object(self, bucket, found):
        """Store an object in place of one of the same key."""
        self.store.hold(found.content)
        write_json(self._object_path(bucket, found.key), to_json(found))
        old = bucket.objects.get(found.key)
        bucket.objects[found.key] = found
        if old:
            self.store.release(old.content)

    def save_object(self, bucket, found):
        write_json(self._object_path(bucket, found.key), to_json(found))

    def remove_object(self, bucket, key):
        found = bucket.objects.pop(key, None)
        if found:
            os.unlink(self._object_path(bucket, key))
            self.store.release(found.content)

    # Multipart uploads

    def begin(self, **fields):
        upload = Upload(secrets.token_hex(16).upper(), **fields)
        folder = os.path.join(self._uploads_folder, upload.id)
        os.makedirs(folder)
        write_json(os.path.join(folder, 'upload.json'),
                   to_json(upload, ('parts',)))
        self.uploads[upload.id] = upload
        return upload

    def upload(self, ident, bucket, key):
        found = self.uploads.get(ident)
        if found is None or (found.bucket, found.key) != (bucket, key):
            raise ApiError('NoSuchUpload', extra={'UploadId': ident})
        return found

    def put_part(self, upload, part):
        """Store a part in place of one of the same number."""
        self.store.hold(part.content)
        write_json(os.path.join(self._uploads_folder, upload.id,
                                'part-%05d.json' % part.number),
                   to_json(part))
        old = upload.parts.get(part.number)
        upload.parts[part.number] = part
        if old:
            self.store.release(old.content)

    def drop_upload(self, upload):
        del self.uploads[upload.id]
        shutil.rmtree(os.path.join(self._uploads_folder, upload.id))
        for part in upload.parts.values():
            self.store.release(part.content)

    def finish(self, upload, named, mtime, opaque_etag):
        """Make the object from NAMED, [(number, etag)] as the client sent it;
        the rules are checked by the caller, except those on the parts."""
        parts = [upload.parts[number] for number, _ in named]
        digest = hashlib.md5(b''.join(part.md5 for part in parts)).hexdigest()
        if opaque_etag:
            digest = hashlib.md5(b'opaque' + digest.encode()).hexdigest()
        found = Object(upload.key, concatenate(part.content
                                               for part in parts),
                       '%s-%d' % (digest, len(parts)), upload.headers,
                       upload.storage_class, upload.acl, mtime,
                       upload.owner_id, upload.id, len(parts))
        self.put_object(self.bucket(upload.bucket), found)
        self.drop_upload(upload)
        return found
