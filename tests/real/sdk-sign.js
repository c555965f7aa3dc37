// SPDX-License-Identifier: GPL-2.0-or-later
// Signs the same lines as sign-lines.c with the vendor's own SDKs: the OBS
// SDK's signer for obs and v2, the SDK core's for sdk.
'use strict';
const Utils = require('esdk-obs-nodejs/lib/utils.js');
const { AKSKSigner } =
    require('@huaweicloud/huaweicloud-sdk-core/auth/AKSKSigner.js');

const CONTEXTS = {
    obs: ['x-obs-', 'OBS'],
    v2: ['x-amz-', 'AWS'],
};

function objectStorage(r) {
    const [prefix, name] = CONTEXTS[r.sign];
    const signer = Object.create(Utils.prototype);
    Object.assign(signer, {
        ak: r.ak, sk: r.sk, isCname: false,
        log: { isLevelEnabled: () => false },
    });
    const headers = { Date: new Date(r.time * 1000).toUTCString() };
    for (const [k, v] of r.headers) {
        headers[k.replace(/^x-obs-/, prefix)] = v;
    }
    if (r.token) {
        headers[prefix + 'security-token'] = r.token;
    }
    const encode = encodeURIComponent;
    const options = {
        method: r.method, headers,
        uri: '/' + r.bucket + '/' + (r.key === null ? ''
            : signer.encodeURIWithSafe(r.key, '/')),
        urlPath: r.query.length ? '?' + r.query.map(([k, v]) =>
            encode(k) + (v === null ? '' : '=' + encode(v))).join('&') : '',
    };
    signer.doAuth(options, 'test', {
        headerPrefix: prefix, headerMetaPrefix: prefix + 'meta-',
        authPrefix: name, stsToken: prefix + 'security-token',
    });
    return options.headers.Authorization;
}

function service(r) {
    const date = new Date(r.time * 1000).toISOString()
        .replace(/[-:]|\.\d+/g, '');
    const headers = { 'X-Sdk-Date': date };
    for (const [k, v] of r.headers) {
        headers[k] = v;
    }
    if (r.token) {
        headers['X-Security-Token'] = r.token;
    }
    const signed = AKSKSigner.sign({
        endpoint: 'https://' + r.host + r.path, method: r.method, headers,
        queryParams: Object.fromEntries(r.query),
        data: r.body === null ? undefined : JSON.parse(r.body),
    }, { getAk: () => r.ak, getSk: () => r.sk });
    return signed.Authorization;
}

require('readline').createInterface({ input: process.stdin })
    .on('line', line => {
        const r = JSON.parse(line);
        console.log(r.sign === 'sdk' ? service(r) : objectStorage(r));
    });
