# SPDX-License-Identifier: GPL-2.0-or-later
"""A strict cloud on loopback: IAM, OBS, IMS and the ECS metadata service.

Everything the project uploads or registers in its tests goes to this
package.  It is written from the public rules of the services, shares no code
with obs-push, and uses only the Python standard library.

    wire.py         requests, bodies, answers: bytes on the connection
    route.py        host and path -> service, region, bucket, key
    errors.py       error answers in each service's own shape
    sign.py         OBS, AWS V2, AWS V4 signatures, in header and URL
    sdkhmac.py      SDK-HMAC-SHA256, plain form and legacy scope form
    accounts.py     users, projects, tokens, access keys
    store.py        object contents on disk as lists of extents
    uploads.py      buckets, objects and multipart uploads over store.py
    obs.py          buckets and objects       obsmulti.py  multipart
    obslist.py      listings                  obsmeta.py   object headers
    iam.py  ims.py  imsjobs.py  imagecheck.py  metadata.py
    faults.py       rules that make a request go wrong
    record.py       the list of all requests
    settings.py     what tests may change while it runs
    control.py      the /_control/ endpoint behind the four above
    server.py       listener, connections, order of the steps
"""
