# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests may change while the cloud runs (POST /_control/settings)."""

import threading

DEFAULTS = {
    # Clock of all services: seconds added to the real time.
    'clock_offset': 0,
    # Bytes a second for all request and answer bodies together; 0 = no limit.
    'bandwidth': 0,

    # OBS ---------------------------------------------------------------
    # Signatures taken: obs, v2, v4.  Another kind is AccessDenied.
    'signatures': ['obs', 'v2', 'v4'],
    # What HEAD /?apiversion says: '3.0', or '' for a plain S3 service.
    'obs_api': '3.0',
    # Refuse path style on obs.* hosts (VirtualHostDomainRequired).
    'virtual_host_only': False,
    # Smallest part but the last, checked when the upload is completed.
    'min_part': 100 << 10,
    # Answer If-None-Match: * on PUT and Complete as Amazon does.  The OBS
    # documents list conditions for GET, HEAD and copies only.
    'conditional_put': False,
    # Take x-obs-forbid-overwrite (seen in SDK users, not in the documents).
    'forbid_overwrite': True,
    # 403 AccessDenied for each copy part and copy object.
    'refuse_copies': False,
    # True: new temporary keys of the same user are a different initiator.
    'initiator_per_key': False,
    # Leave the ETag out of the Complete answer (older Ceph does).
    'complete_without_etag': False,
    # Send and check x-obs-checksum-crc64ecma.
    'crc64': False,

    # IAM ---------------------------------------------------------------
    'token_life': 86400,
    'token_length': 4000,

    # IMS ---------------------------------------------------------------
    # Ways to authenticate: sdk, sdk-legacy, token.
    'ims_auth': ['sdk', 'sdk-legacy', 'token'],
    # Which job addresses exist: project (/v1/{project}/jobs/ID) and
    # cloudimages (/v1/cloudimages/job/ID); another one gets this status.
    'job_paths': ['project', 'cloudimages'],
    'job_path_status': 404,
    # How long a job takes, and a code that makes all jobs fail at the end.
    'job_seconds': 0.2,
    'job_fail_code': '',
    'job_fail_reason': '',
    # Status names that a job reports besides the documented ones.
    'job_odd_status': '',
    # Fail a RAW without its .mf (IMG.0158).
    'raw_needs_bitmap': True,
    # Refuse a name that exists (IMG.0009).
    'unique_names': False,
    'image_quota': 50,
    'max_running_jobs': 40,
    # nested, flat or code: see errors.json_error.
    'ims_error_style': 'nested',
    # iso 2024-11-06T06:21:08.769Z or old 04-Jun-2015 18:11:06:586.
    'job_time_style': 'iso',
    # Permissions that are missing, such as ims:serverImages:create.
    'denied': [],

    # Metadata service ----------------------------------------------------
    # v2 (a token is needed), both, v1 (no token service).
    'metadata': 'both',
    # Status of the token request when there is no token service.
    'metadata_no_v2_status': 404,
    # False: no agency is bound to the machine.
    'metadata_agency': True,
    'metadata_key_life': 3600,
}


class Settings:
    def __init__(self):
        self._values = dict(DEFAULTS)
        self._lock = threading.Lock()

    def __getitem__(self, name):
        with self._lock:
            return self._values[name]

    def all(self):
        with self._lock:
            return dict(self._values)

    def update(self, changes):
        """Set some values; an unknown name or another type is an error."""
        for name, value in changes.items():
            if name not in DEFAULTS:
                raise ValueError('no setting %r' % name)
            default = DEFAULTS[name]
            number = (int, float)
            good = (isinstance(value, number) and not isinstance(value, bool)
                    if isinstance(default, number)
                    and not isinstance(default, bool)
                    else isinstance(value, type(default)))
            if not good:
                raise ValueError('setting %s: wrong type' % name)
        with self._lock:
            self._values.update(changes)
