// SPDX-License-Identifier: GPL-2.0-or-later
// Drives the vendor's OBS SDK: one JSON object on standard input,
//   {server, ak, sk, signature, pathStyle, calls: [[method, parameters]…]},
// and a JSON array of the answers on standard output.
'use strict';
const http = require('http');
const ObsClient = require('esdk-obs-nodejs');

// *.localhost is not in everybody's resolver
function lookup(_host, options, done) {
    return options && options.all
        ? done(null, [{ address: '127.0.0.1', family: 4 }])
        : done(null, '127.0.0.1', 4);
}

async function main() {
    const job = JSON.parse(require('fs').readFileSync(0, 'utf8'));
    const client = new ObsClient({
        access_key_id: job.ak, secret_access_key: job.sk, server: job.server,
        signature: job.signature, path_style: job.pathStyle,
        is_signature_negotiation: false, max_retry_count: 0,
        region: 'region', http_agent: new http.Agent({ lookup }),
    });
    // the constructor ends its work later, and says so to nobody
    await new Promise(done => setTimeout(done, 300));
    const answers = [];
    for (const [method, parameters] of job.calls) {
        const { CommonMsg, InterfaceResult } =
            await client[method](parameters);
        answers.push({ status: CommonMsg.Status, code: CommonMsg.Code,
            message: CommonMsg.Message, result: InterfaceResult });
    }
    process.stdout.write(JSON.stringify(answers), () => process.exit(0));
}

main().catch(error => {
    console.error(error);
    process.exit(1);
});
