# SPDX-License-Identifier: GPL-2.0-or-later
"""Object contents on disk: blobs, and contents as lists of extents.

A blob is a file that is written once.  A content is a list of extents
(blob, offset, length); blob None is a run of zeros that takes no room.  So a
server-side copy or a completed upload moves no data, and a 1 TiB object of
zeros costs some bytes.
"""

import bisect
import hashlib
import json
import os
import secrets
import threading

from .wire import PIECE, ZEROS


def write_json(path, value):
    """Replace PATH in one step."""
    temporary = '%s.%s.tmp' % (path, secrets.token_hex(4))
    with open(temporary, 'w', encoding='utf-8') as file:
        json.dump(value, file)
    os.replace(temporary, path)


def read_json(path):
    with open(path, encoding='utf-8') as file:
        return json.load(file)


def join_extents(extents):
    """The same content with neighbours merged and empty extents gone."""
    result = []
    for blob, offset, length in extents:
        if not length:
            continue
        if result:
            last = result[-1]
            if last[0] == blob and (blob is None
                                    or last[1] + last[2] == offset):
                result[-1] = (blob, last[1], last[2] + length)
                continue
        result.append((blob, offset if blob else 0, length))
    return result


class Content:
    """Bytes of one object or part; never changes."""

    def __init__(self, extents=()):
        self.extents = join_extents(tuple(item) for item in extents)
        self._ends = []
        size = 0
        for _, _, length in self.extents:
            size += length
            self._ends.append(size)
        self.size = size

    def slice(self, start, length):
        """Content of LENGTH bytes from START; both have to be inside."""
        assert 0 <= start and start + length <= self.size
        result = []
        index = bisect.bisect_right(self._ends, start)
        while length:
            blob, offset, size = self.extents[index]
            skip = start - (self._ends[index] - size)
            count = min(size - skip, length)
            result.append((blob, offset + skip, count))
            start += count
            length -= count
            index += 1
        return Content(result)

    def blobs(self):
        return {blob for blob, _, _ in self.extents if blob}

    def fingerprint(self):
        """Equal for contents known to be equal without reading them."""
        return hashlib.sha1(repr(self.extents).encode()).digest()


def concatenate(contents):
    return Content(extent for content in contents
                   for extent in content.extents)


class BlobWriter:
    """Receives one body; zero pieces are noted, not written."""

    def __init__(self, store):
        self._store = store
        self._file = None
        self._blob = None
        self._offset = 0
        self._extents = []

    def write(self, piece):
        length = len(piece)
        if piece[0] == 0 and piece == ZEROS[:length]:
            self._extents.append((None, 0, length))
            return
        if self._file is None:
            self._blob = secrets.token_hex(12)
            self._file = open(self._store.blob_path(self._blob), 'wb',
                              buffering=0)
        view = memoryview(piece)
        while view:
            view = view[self._file.write(view):]
        self._extents.append((self._blob, self._offset, length))
        self._offset += length

    def finish(self):
        """Content of all that was written.  Caller holds it with hold()."""
        if self._file:
            self._file.close()
        return Content(self._extents)

    def discard(self):
        if self._file:
            self._file.close()
            os.unlink(self._store.blob_path(self._blob))
            self._file = None


class Store:
    """The folder of blobs, with a count of who uses each."""

    def __init__(self, folder):
        self._folder = os.path.join(folder, 'blobs')
        os.makedirs(self._folder, exist_ok=True)
        self._lock = threading.Lock()
        self._users = {}
        self._md5 = {}
        self._md5_locks = {}

    def blob_path(self, blob):
        return os.path.join(self._folder, blob)

    def writer(self):
        return BlobWriter(self)

    def hold(self, content):
        with self._lock:
            for blob in content.blobs():
                self._users[blob] = self._users.get(blob, 0) + 1

    def release(self, content):
        """Undo hold(); a blob that nobody uses is deleted."""
        with self._lock:
            for blob in content.blobs():
                self._users[blob] -= 1
                if not self._users[blob]:
                    del self._users[blob]
                    os.unlink(self.blob_path(blob))

    def remove_unused(self):
        """After loading: blobs that a killed server left behind."""
        for blob in os.listdir(self._folder):
            if blob not in self._users:
                os.unlink(self.blob_path(blob))

    def pieces(self, content):
        """Yield the bytes of CONTENT."""
        current, descriptor = None, None
        try:
            for blob, offset, length in content.extents:
                if blob is None:
                    while length:
                        count = min(length, PIECE)
                        yield memoryview(ZEROS)[:count]
                        length -= count
                    continue
                if blob != current:
                    if descriptor is not None:
                        os.close(descriptor)
                        descriptor = None
                    descriptor = os.open(self.blob_path(blob), os.O_RDONLY)
                    current = blob
                while length:
                    piece = os.pread(descriptor, min(length, PIECE), offset)
                    if not piece:
                        raise OSError('blob %s is too short' % blob)
                    yield piece
                    offset += len(piece)
                    length -= len(piece)
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def read(self, content, start, length):
        """LENGTH bytes from START, fewer at the end."""
        start = min(start, content.size)
        length = min(length, content.size - start)
        return b''.join(bytes(piece) for piece
                        in self.pieces(content.slice(start, length)))

    def note_md5(self, content, digest):
        """Remember the MD5 (16 bytes) of a content that was just received."""
        with self._lock:
            self._md5[content.fingerprint()] = digest

    def md5(self, content):
        """MD5 (16 bytes); reads the content unless it is known.

        Many copies of one range are made at once: one of them computes.
        """
        name = content.fingerprint()
        with self._lock:
            if name in self._md5:
                return self._md5[name]
            lock = self._md5_locks.setdefault(name, threading.Lock())
        with lock:
            with self._lock:
                if name in self._md5:
                    return self._md5[name]
            digest = hashlib.md5()
            for piece in self.pieces(content):
                digest.update(piece)
            self.note_md5(content, digest.digest())
            with self._lock:
                self._md5_locks.pop(name, None)
        return digest.digest()
