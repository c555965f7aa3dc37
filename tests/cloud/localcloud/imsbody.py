# SPDX-License-Identifier: GPL-2.0-or-later
"""The body of a quick import: each field by its rule, each with its code."""

import re

from .errors import ApiError

SYSTEM = {'name', 'description', 'os_version', 'image_url', 'min_disk',
          'type', 'architecture', 'hw_firmware_type', 'tags', 'image_tags',
          'enterprise_project_id', 'license_type'}
DATA = {'name', 'description', 'image_url', 'min_disk', 'type', 'os_type',
        'tags', 'image_tags', 'enterprise_project_id'}

TAG = re.compile(r'[A-Za-z0-9_\-\u4e00-\u9fff]*')

# (platform, bits, type, tags, versions): a small part of the real list.
SYSTEMS = (
    ('CentOS', 64, 'Linux', ('x86', 'kvm', 'uefi', 'bms'),
     ('CentOS 7.6 64bit', 'CentOS 7.9 64bit', 'CentOS 8.2 64bit')),
    ('Debian', 64, 'Linux', ('x86', 'kvm', 'uefi'),
     ('Debian GNU/Linux 11.1.0 64bit', 'Debian GNU/Linux 12.0.0 64bit')),
    ('EulerOS', 64, 'Linux', ('x86', 'kvm', 'uefi', 'bms'),
     ('EulerOS 2.5 64bit', 'EulerOS 2.9 64bit')),
    ('EulerOS', 64, 'Linux', ('arm', 'kvm', 'uefi', 'bms'),
     ('EulerOS 2.8 64bit with ARM',)),
    ('OpenSUSE', 64, 'Linux', ('x86', 'kvm'), ('OpenSUSE 15.1 64bit',)),
    ('Redhat', 64, 'Linux', ('x86', 'kvm', 'bms'),
     ('Redhat Linux Enterprise 8.4 64bit',)),
    ('SUSE', 64, 'Linux', ('x86', 'kvm', 'bms'),
     ('SUSE Enterprise 15 SP1 64bit',)),
    ('Ubuntu', 64, 'Linux', ('x86', 'kvm', 'uefi', 'bms'),
     ('Ubuntu 18.04 server 64bit', 'Ubuntu 20.04 server 64bit',
      'Ubuntu 22.04 server 64bit', 'Ubuntu 24.04 server 64bit')),
    ('Ubuntu', 64, 'Linux', ('arm', 'kvm', 'uefi'),
     ('Ubuntu 22.04 server 64bit with ARM',)),
    ('Windows', 64, 'Windows', ('x86', 'kvm', 'uefi', 'bms'),
     ('Windows Server 2019 Standard 64bit',
      'Windows Server 2022 Standard 64bit')),
    ('Other', 64, 'Linux', ('x86', 'kvm', 'uefi'),
     ('Other Linux(64 bit)', 'Other(64 bit)')),
    ('Other', 32, 'Linux', ('x86', 'kvm'), ('Other Linux(32 bit)',)),
)


def os_list(tags):
    """Answer of GET /v1/cloudimages/os_version: a bare array."""
    result = []
    for platform, bits, kind, has, versions in SYSTEMS:
        if not set(tags) <= set(has):
            continue
        group = next((item for item in result
                      if item['platform'] == platform), None)
        if group is None:
            group = {'platform': platform, 'version_list': []}
            result.append(group)
        group['version_list'] += [
            {'platform': platform, 'os_version_key': version,
             'os_version': version, 'os_bit': bits, 'os_type': kind}
            for version in versions]
    return result


def find_os(version):
    """(platform, bits, type, tags) of an os_version, or None."""
    for platform, bits, kind, tags, versions in SYSTEMS:
        if version in versions:
            return platform, bits, kind, tags
    return None


def text(fields, name, code, default=None):
    value = fields.get(name, default)
    if value is not None and not isinstance(value, str):
        raise ApiError(code, '%s must be a string.' % name)
    return value


def check_name(name):
    if not isinstance(name, str) or not name:
        raise ApiError('IMG.0003', 'name is missing.')
    if len(name) > 128:
        raise ApiError('IMG.0002', 'name is longer than 128 characters.')
    if name != name.strip(' ') or not re.fullmatch(
            r'[A-Za-z0-9\u4e00-\u9fff\-._ ]+', name):
        raise ApiError('IMG.0003', 'name has characters that are not '
                       'allowed.')


def check_tags(fields):
    """tags ("key.value") or image_tags ({key, value}) -> {key: value}."""
    if 'tags' in fields and 'image_tags' in fields:
        raise ApiError('IMG.0116', 'tags and image_tags exclude each other.')
    pairs = []
    for item in fields.get('tags', ()):
        if not isinstance(item, str) or '.' not in item:
            raise ApiError('IMG.0115', 'a tag must be "key.value".')
        pairs.append(tuple(item.split('.', 1)))
    for item in fields.get('image_tags', ()):
        if (not isinstance(item, dict) or set(item) != {'key', 'value'}
                or not all(isinstance(part, str) for part in item.values())):
            raise ApiError('IMG.0115', 'a tag must be {"key", "value"}.')
        pairs.append((item['key'], item['value']))
    if len(pairs) > 10 or len(dict(pairs)) != len(pairs):
        raise ApiError('IMG.0116', 'more than 10 tags, or a key twice.')
    for key, value in pairs:
        if not 1 <= len(key) <= 36 or len(value) > 43 or not (
                TAG.fullmatch(key) and TAG.fullmatch(value)):
            raise ApiError('IMG.0115', 'the tag %s=%s is not valid.'
                           % (key, value))
    return dict(pairs)


def split_url(url):
    """'bucket:key' -> (bucket, key)."""
    if not isinstance(url, str):
        raise ApiError('IMG.0017', 'image_url is missing.')
    if ' ' in url:
        raise ApiError('IMG.0175', 'image_url has a space.')
    bucket, colon, key = url.partition(':')
    if not colon or not key or key.startswith('/'):
        raise ApiError('IMG.0017', 'image_url must be <bucket>:<key>.')
    if not bucket:
        raise ApiError('IMG.0068', 'the bucket name is empty.')
    if not re.fullmatch('[a-z0-9.-]{3,63}', bucket):
        raise ApiError('IMG.0109', 'the bucket name is not valid.')
    return bucket, key


def choice(fields, name, code, allowed, default):
    value = fields.get(name, default)
    if value not in allowed:
        raise ApiError(code, '%s must be one of %s.'
                       % (name, ', '.join(map(str, allowed))))
    return value


def check_body(fields):
    """Fields of a quick import -> the same, defaults filled in."""
    kind = choice(fields, 'type', 'IMG.0024', ('ECS', 'BMS', 'DataImage'),
                  'ECS')
    known = DATA if kind == 'DataImage' else SYSTEM
    unknown = set(fields) - known
    if unknown:
        raise ApiError('IMG.0001', 'unknown fields: '
                       + ', '.join(sorted(unknown)))
    check_name(fields.get('name'))
    description = text(fields, 'description', 'IMG.0054', '')
    if len(description) > 1024:
        raise ApiError('IMG.0004', 'description is longer than 1024.')
    if re.search('[\r<>]', description):
        raise ApiError('IMG.0054', 'description has a carriage return, '
                       '< or >.')
    disk = fields.get('min_disk')
    if type(disk) is not int or not 1 <= disk <= 1024:
        raise ApiError('IMG.0055', 'min_disk must be a number from 1 to '
                       '1024.')
    bucket, key = split_url(fields.get('image_url'))
    result = {'name': fields['name'], 'description': description,
              'min_disk': disk, 'bucket': bucket, 'key': key, 'type': kind,
              'tags': check_tags(fields), 'os_version': '',
              'architecture': 'x86', 'hw_firmware_type': None}
    project = text(fields, 'enterprise_project_id', 'IMG.0155', '0')
    if not re.fullmatch('0|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}',
                        project):
        raise ApiError('IMG.0155', 'no such enterprise project.')
    result['enterprise_project_id'] = project
    if kind == 'DataImage':
        result['os_type'] = choice(fields, 'os_type', 'IMG.0122',
                                   ('Linux', 'Windows'), 'Linux')
        return result
    version = text(fields, 'os_version', 'IMG.0056', '')
    system = find_os(version)
    if system is None:
        raise ApiError('IMG.0056', 'os_version %r is not supported.'
                       % version)
    result['os_version'] = version
    result['os_type'] = system[2]
    result['architecture'] = choice(fields, 'architecture', 'IMG.0212',
                                    ('x86', 'arm'), 'x86')
    if result['architecture'] not in system[3] and system[0] != 'Other':
        raise ApiError('IMG.0212', 'os_version %r is not for %s.'
                       % (version, result['architecture']))
    firmware = choice(fields, 'hw_firmware_type', 'IMG.0141',
                      ('bios', 'uefi', None), None)
    if result['architecture'] == 'arm':
        if firmware == 'bios':
            raise ApiError('IMG.0141', 'arm boots by uefi only.')
        firmware = 'uefi'
    result['hw_firmware_type'] = firmware or 'bios'
    if 'license_type' in fields and result['os_type'] != 'Windows':
        raise ApiError('IMG.0001', 'license_type is for Windows only.')
    return result
