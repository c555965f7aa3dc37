# SPDX-License-Identifier: GPL-2.0-or-later
"""A strict cloud on loopback: IAM, OBS, IMS and the ECS metadata service.

Everything the project uploads or registers in its tests goes to this
package.  It is written from the public rules of the services, shares no code
with obs-push, and uses only the Python standard library.

    wire.py      requests, bodies, answers: bytes on the connection
    server.py    listener, connections, order of the steps
    route.py     host and path -> service, region, bucket, key
    errors.py    error answers in each service's own shape
    settings.py  what tests may change while it runs
    faults.py    rules that make a request go wrong
    record.py    the list of all requests
    control.py   the /_control/ endpoint behind the three above

    accounts.py  users, projects, tokens, access keys
    sign.py      OBS, AWS V2, AWS V4 signatures, in header and URL
    sdkhmac.py   SDK-HMAC-SHA256, plain form and legacy scope form
    gateway.py   authentication of IAM and IMS

    store.py     contents on disk as lists of extents
    uploads.py   buckets, objects and multipart uploads over store.py
    obs.py       buckets and objects       obsmulti.py  multipart uploads
    obslist.py   listings                  obsmeta.py   object headers
    obsxml.py    XML in and out            crc64.py     checksum

    iam.py       tokens, temporary keys    metadata.py  keys of a machine
    ims.py       the image service         imsbody.py   rules of a request
    imsjobs.py   jobs and images           imagecheck.py  reads the image
"""
