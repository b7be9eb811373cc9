// What Faxbot's Node SDK asks of a daemon, asked with the same libraries.
// usage: node sdk.mjs URL KEY FILE.pdf
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import axios from 'axios';
import FormData from 'form-data';

const [url, key, pdf] = process.argv.slice(2);
const http = axios.create({ baseURL: url, timeout: 30000 });
const headers = { 'X-API-Key': key };
const refused = (status) => (error) => {
  assert.ok(error.response, `no reply: ${error.message}`);
  assert.equal(error.response.status, status);
  assert.equal(typeof error.response.data.detail, 'string');
  return true;
};

async function send(to, stream, file, more = {}) {
  const form = new FormData();
  form.append('to', to);
  form.append('file', stream, file);
  return http.post('/fax', form, { headers: { ...form.getHeaders(), ...headers, ...more } });
}
const document = () => fs.createReadStream(pdf);
const asPDF = { filename: 'letter.pdf', contentType: 'application/pdf' };

// The SDK asks for plugins whenever a client is made.
const began = Date.now();
await assert.rejects(http.get('/plugins', { headers }), refused(404));
assert.ok(Date.now() - began < 5000, 'GET /plugins took long');

const health = await http.get('/health');
assert.equal(health.status, 200);
assert.equal(health.data.status, 'ok');

// A file whose length is known, and a stream whose length is not: chunked.
const once = { 'Idempotency-Key': 'node-sdk-1' };
const first = await send('+15551230201', document(), asPDF, once);
const chunked = await send('+15551230202', document().pipe(new PassThrough()), asPDF);
for (const [answer, to] of [[first, '+15551230201'], [chunked, '+15551230202']]) {
  assert.equal(answer.status, 202);
  assert.match(answer.data.id, /^[0-9a-f]{32}$/);
  assert.equal(answer.data.to, to);
  assert.equal(answer.data.status, 'queued');
  assert.equal(answer.data.backend, 'freeswitch');
  for (const field of ['error', 'pages', 'provider_sid', 'created_at', 'updated_at']) assert.ok(field in answer.data, field);
}
const again = await send('+15551230201', document(), asPDF, once);
assert.equal(again.status, 202);
assert.equal(again.data.id, first.data.id);
await assert.rejects(send('+15551230209', document(), asPDF, once), refused(409));

for (const { data: { id } } of [first, chunked]) {
  const late = Date.now() + 60000;
  for (let status = ''; status !== 'SUCCESS';) {
    const answer = await http.get(`/fax/${id}`, { headers });
    assert.equal(answer.status, 200);
    status = answer.data.status;
    assert.ok(['queued', 'in_progress', 'SUCCESS'].includes(status), status);
    assert.ok(Date.now() < late, `still ${status}`);
    if (status === 'SUCCESS') assert.equal(answer.data.pages, 3);
    else await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// A refusal is a reply, also while the document is still being sent.
await assert.rejects(send('12', document(), asPDF), refused(400));
await assert.rejects(send('+15551230203', document(), asPDF, { 'X-API-Key': 'wrong' }), refused(401));
await assert.rejects(http.get(`/fax/${'0'.repeat(32)}`, { headers }), refused(404));
const program = Buffer.from('\x7fELF\x02\x01\x01\x00', 'latin1');
await assert.rejects(send('+15551230203', program, asPDF), refused(415));
const endless = Readable.from((function* () { for (let i = 0; i < 400; i++) yield Buffer.alloc(65536, 'a\n'); })());
await assert.rejects(send('+15551230203', endless, { filename: 'long.txt', contentType: 'text/plain' }), refused(413));
console.log('ok', axios.VERSION);
