# SPDX-License-Identifier: GPL-2.0-or-later
"""The /_control/ endpoint: what tests tell the cloud and ask it.

    GET  /_control/log[?since=SEQ]     finished requests (waits until idle)
    GET  /_control/settings            POST: change some (settings.py)
    GET  /_control/faults              POST: one rule or a list; DELETE: none
    POST /_control/expire              {"what": "tokens" | "keys"}
    POST /_control/bucket              {"name", "region", "storage_class", ...}
    GET  /_control/state               buckets, objects, uploads, jobs
    GET  /_control/object?bucket=&key= the bytes (Range as usual)
    POST /_control/image               {"name"}: an image that is there already

It needs no signature, is never hit by a fault rule and is not recorded.
"""

import json

from . import obsmeta
from .errors import ApiError, json_error
from .uploads import Bucket
from .wire import Response, Stream


def json_answer(value, status=200):
    return Response(status, (), json.dumps(value), 'application/json')


class ControlService:
    def __init__(self, cloud):
        self.cloud = cloud

    error = staticmethod(json_error)

    def classify(self, request):
        request.op = request.raw_path.partition('/_control/')[2]

    def handle(self, request):
        handler = getattr(self, '%s_%s' % (request.method.lower(),
                                           request.op), None)
        if handler is None:
            raise ApiError('NoSuchControl', status=404)
        fields = None
        if request.method == 'POST':
            try:
                fields = json.loads(request.body.read_all())
            except ValueError as error:
                raise ApiError('BadControl', str(error))
        try:
            return handler(request, fields)
        except (ValueError, KeyError, TypeError) as error:
            raise ApiError('BadControl', repr(error))

    def get_log(self, request, _):
        self.cloud.recorder.wait_idle(5)
        return json_answer(self.cloud.recorder.since(
            int(request.arg('since', '0'))))

    def get_settings(self, _request, _):
        return json_answer(self.cloud.settings.all())

    def post_settings(self, _request, fields):
        self.cloud.settings.update(fields)
        return json_answer(self.cloud.settings.all())

    def get_faults(self, _request, _):
        return json_answer(self.cloud.faults.report())

    def post_faults(self, _request, fields):
        rules = fields if isinstance(fields, list) else [fields]
        return json_answer([self.cloud.faults.add(rule) for rule in rules])

    def delete_faults(self, _request, _):
        self.cloud.faults.clear()
        return json_answer([])

    def post_expire(self, _request, fields):
        self.cloud.accounts.expire(fields['what'])
        return json_answer({})

    def post_bucket(self, _request, fields):
        shelf = self.cloud.shelf
        owner = self.cloud.accounts.find_user(
            name=fields.pop('owner', 'demo'),
            domain=fields.pop('domain', 'demo-account'))
        fields.setdefault('region', self.cloud.regions[0])
        with shelf.lock:
            if fields['name'] not in shelf.buckets:
                shelf.add_bucket(Bucket(owner_id=owner.domain_id,
                                        created=self.cloud.clock(), **fields))
        return json_answer({})

    def post_image(self, _request, fields):
        return json_answer(self.cloud.services['ims'].add_image(**fields))

    def get_state(self, _request, _):
        shelf = self.cloud.shelf
        with shelf.lock:
            buckets = {bucket.name: {
                'region': bucket.region,
                'objects': {found.key: self._object(found)
                            for found in bucket.objects.values()}}
                for bucket in shelf.buckets.values()}
            uploads = [{'id': upload.id, 'bucket': upload.bucket,
                        'key': upload.key, 'parts': {
                            part.number: part.content.size
                            for part in upload.parts.values()}}
                       for upload in shelf.uploads.values()]
        return json_answer({'buckets': buckets, 'uploads': uploads,
                            **self.cloud.services['ims'].state()})

    @staticmethod
    def _object(found):
        return {'size': found.size, 'etag': found.etag, 'acl': found.acl,
                'storage_class': found.storage_class, 'parts': found.parts,
                'headers': found.headers, 'upload_id': found.upload_id,
                'extents': len(found.content.extents),
                'stored_bytes': sum(length for blob, _, length
                                    in found.content.extents if blob)}

    def get_object(self, request, _):
        with self.cloud.shelf.lock:
            content = self.cloud.shelf.object(
                request.arg('bucket'), request.arg('key')).content
            window = obsmeta.parse_range(request.header('range'),
                                         content.size)
            if window:
                content = content.slice(*window)
            self.cloud.shelf.store.hold(content)
        store = self.cloud.shelf.store
        return Response(206 if window else 200, (), Stream(
            content.size, store.pieces(content),
            lambda: store.release(content)))
