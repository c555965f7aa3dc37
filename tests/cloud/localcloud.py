#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run the local cloud: IAM, OBS, IMS and metadata service on loopback.

    localcloud.py --dir DIR [--port 0] [--tls CERT KEY] [--region eu-de]...

Prints one line of JSON when it is ready: addresses, keys, the request log.
Ends on SIGTERM or SIGINT.  See localcloud/__init__.py.
"""

import argparse
import json
import os
import signal
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'lib')]

from localcloud.server import Cloud, Listener   # noqa: E402

AK = 'AKLOCALCLOUDDEMO0001'
SK = 'sk/Local+Cloud/Demo=Secret000000000001'


def ready_line(cloud, port, scheme, log_path):
    """What a client needs to know."""
    here = '%s://127.0.0.1:%d' % (scheme, port)
    user = cloud.accounts.users[0]
    regions = {}
    for region in cloud.regions:
        project = cloud.accounts.find_project(user, name=region)
        regions[region] = {
            'obs': '%s://obs.%s.localhost:%d' % (scheme, region, port),
            'ims': '%s://ims.%s.localhost:%d' % (scheme, region, port),
            'iam': '%s://iam.%s.localhost:%d' % (scheme, region, port),
            'project_id': project['id']}
    users = [{'name': item.name, 'password': item.password,
              'domain': item.domain, 'domain_id': item.domain_id,
              'id': item.id, 'ak': item.ak, 'sk': item.sk}
             for item in cloud.accounts.users]
    return {'pid': os.getpid(), 'port': port, 'url': here,
            'obs': here, 'ims': here, 'iam': here, 'metadata': here,
            'suffix': 'localhost:%d' % port, 'region': cloud.regions[0],
            'regions': regions, 'users': users, 'ak': user.ak, 'sk': user.sk,
            'project_id': regions[cloud.regions[0]]['project_id'],
            'domain_id': user.domain_id, 'log': log_path}


def watch_parent(parent):
    """Tests may be killed: do not stay behind."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--dir', required=True,
                        help='folder for data; kept from run to run')
    parser.add_argument('--port', type=int, default=0)
    parser.add_argument('--tls', nargs=2, metavar=('CERT', 'KEY'))
    parser.add_argument('--region', action='append',
                        help='may be repeated; the first is the default')
    parser.add_argument('--ak', default=AK)
    parser.add_argument('--sk', default=SK)
    parser.add_argument('--log', help='request log (DIR/requests.jsonl)')
    parser.add_argument('--bucket', action='append', default=[],
                        help='make this bucket in the first region')
    parser.add_argument('--custom-domain', action='append', default=[],
                        metavar='HOST=BUCKET')
    parser.add_argument('--with-parent', action='store_true',
                        help='end when the process that started it ends')
    parser.add_argument('--settings', default='{}', metavar='JSON')
    args = parser.parse_args()

    os.makedirs(args.dir, exist_ok=True)
    log_path = os.path.abspath(args.log or os.path.join(args.dir,
                                                        'requests.jsonl'))
    cloud = Cloud(args.dir, args.region or ['eu-de'], args.ak, args.sk,
                  log_path, [item.split('=', 1)
                             for item in args.custom_domain])
    cloud.settings.update(json.loads(args.settings))
    for name in args.bucket:
        cloud.services['control'].post_bucket(None, {'name': name})
    cert, key = args.tls or (None, None)
    listener = Listener(('127.0.0.1', args.port), cloud, cert, key)

    def stop(_number, _frame):
        cloud.stopping.set()
        threading.Thread(target=listener.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(json.dumps(ready_line(cloud, listener.server_address[1],
                                'https' if cert else 'http', log_path)),
          flush=True)
    if args.with_parent:
        threading.Thread(target=watch_parent, args=(os.getppid(),),
                         daemon=True).start()
    listener.serve_forever(poll_interval=0.05)
    # Connections may still be stalled on purpose: do not wait for them.
    os._exit(0)


if __name__ == '__main__':
    main()
