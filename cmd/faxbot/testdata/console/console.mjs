// The console in a real browser, against a daemon and a simulated switch.
// node console.mjs URL KEY DOCUMENT SCREENSHOTS
import assert from 'node:assert/strict';
import {after, before, beforeEach, afterEach, test} from 'node:test';
import {mkdirSync} from 'node:fs';
import axe from 'axe-core';
import {chromium} from 'playwright-core';

const [base, key, letter, shots] = process.argv.slice(2);
const limit = 60_000; // machines may be busy
mkdirSync(shots, {recursive: true});

let browser, context, page, complaints;

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM, timeout: limit,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
});
after(() => browser?.close());

beforeEach(async () => {
  context = await browser.newContext({viewport: {width: 1200, height: 850}, locale: 'en-GB'});
  context.setDefaultTimeout(limit);
  complaints = [];
  context.on('page', watch);
  page = await context.newPage();
});

// watch notes what no page may do: complain, fail, or ask another host.
function watch(p) {
  p.on('console', (m) => ['error', 'warning'].includes(m.type()) && complaints.push(`${m.type()}: ${m.text()} at ${m.location().url}`));
  p.on('pageerror', (e) => complaints.push(`uncaught: ${e.message}`));
  p.on('request', (r) => new URL(r.url()).origin !== new URL(base).origin && !r.url().startsWith('blob:') && complaints.push(`request to ${r.url()}`));
  p.on('dialog', (d) => { dialogs.push(d.message()); d.accept(); });
}
let dialogs = [];

// refused takes the browser's own word for a refusal that was meant to happen.
const refused = (status) => { complaints = complaints.filter((c) => !c.includes(`status of ${status}`)); };

afterEach(async () => {
  dialogs = [];
  await context.close();
  assert.deepEqual(complaints, []);
});

async function signIn(as = key, where = '') {
  await page.goto(base + '/');
  await page.getByLabel('API key').fill(as);
  await page.keyboard.press('Enter');
  await page.locator('header').waitFor();
  if (where) await go(where);
}

async function go(where) {
  await page.evaluate((hash) => { location.hash = hash; }, '#/' + where);
  await page.locator('main h1').waitFor();
}

// rest asks the daemon as any other client does.
async function rest(method, path, fields, headers = {}) {
  const body = fields && new FormData();
  for (const [name, value] of Object.entries(fields ?? {})) body.append(name, value);
  const answer = await fetch(base + path, {method, body, headers: {'X-API-Key': key, ...headers}});
  const text = await answer.text();
  return {status: answer.status, ...(text ? JSON.parse(text) : {})};
}

const text = (content, name = 'letter.txt') => new File([content], name, {type: 'text/plain'});
const pages = (n) => text(Array.from({length: n}, (_, i) => `Page ${i + 1}`).join('\f'));
const row = (id) => page.locator('#fax-' + id);

test('signing in and out', async () => {
  await page.goto(base + '/');
  await page.getByLabel('API key').fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('Invalid or missing API key').waitFor();
  refused(401);
  await page.getByLabel('API key').fill(key);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', {name: 'Overview', level: 1}).waitFor();
  assert.equal(await page.evaluate(() => document.cookie), '', 'scripts can read the session');
  assert.equal(await page.evaluate(() => JSON.stringify([{...localStorage}, {...sessionStorage}])), '[{},{}]');
  await page.reload();
  await page.locator('header').waitFor();
  await page.getByRole('button', {name: 'Sign out'}).click();
  await page.getByLabel('API key').waitFor();
  await page.reload();
  await page.getByLabel('API key').waitFor();
});

test('a fax is followed page by page, in the list and on its own page', async () => {
  await signIn(key, 'faxes');
  const seen = new Set();
  await page.exposeFunction('heard', (s) => seen.add(s));
  const {id} = await rest('POST', '/fax', {to: '+15551230101', file: pages(5)});
  await row(id).waitFor();
  await page.evaluate((id) => {
    const look = () => heard(document.querySelector('#fax-' + id)?.innerText.match(/(\d) of 5/)?.[1]);
    new MutationObserver(look).observe(document.querySelector('tbody'), {subtree: true, childList: true, characterData: true, attributes: true});
    look();
  }, id);
  await row(id).getByText('Delivered').waitFor();
  const counted = [...seen].filter((n) => n > 0 && n < 5);
  assert.ok(counted.length >= 2, `between the first and the last page only ${[...seen]} was shown`);
  await row(id).getByRole('link').click();
  await page.getByText('Every page was confirmed by the receiving machine.').waitFor();
  await page.getByText('SpanDSP Fax Ident').waitFor();
  assert.equal(await page.locator('.sheets .sent').count(), 5);
  const picture = page.getByAltText('Page 1 of 5');
  await picture.waitFor();
  await page.waitForFunction(() => document.querySelector('.pages img').naturalWidth > 1000);
});

test('a file is sent after its pages were looked at', async () => {
  await signIn(key, 'send');
  await page.getByLabel('Documents', {exact: true}).setInputFiles(letter);
  await page.getByLabel('To', {exact: true}).fill('+49 30 123456');
  await page.getByText('Germany').waitFor();
  await page.getByRole('button', {name: 'Look at the pages first'}).click();
  await page.getByRole('button', {name: 'Send it'}).waitFor();
  await page.waitForFunction(() => document.querySelector('.pages img')?.naturalWidth > 1000);
  const before = await rest('GET', '/fax/' + page.url().split('/').pop());
  assert.equal(before.dials, 0);
  await page.getByRole('button', {name: 'Send it'}).click();
  await page.locator('.status').getByText('Delivered').waitFor();
});

test('a dropped file, a cover and a wrong number', async () => {
  await signIn(key, 'send');
  await page.getByRole('button', {name: 'Send', exact: true}).click();
  await page.getByRole('alert').getByText('Choose a document first').waitFor();
  const dropped = await page.evaluateHandle(() => {
    const d = new DataTransfer();
    d.items.add(new File(['Hello'], 'hello.txt', {type: 'text/plain'}));
    return d;
  });
  await page.dispatchEvent('.drop', 'drop', {dataTransfer: dropped});
  await page.getByText('hello.txt').waitFor();
  await page.getByLabel('To', {exact: true}).fill('12x');
  await page.getByText('A number has digits only').waitFor();
  await page.getByRole('button', {name: 'Send', exact: true}).click();
  await page.getByRole('alert').waitFor();
  refused(400);
  await page.getByLabel('To', {exact: true}).fill('+15551230102');
  await page.getByText('Cover page').click();
  await page.getByLabel('Cover', {exact: true}).fill('plain');
  await page.getByLabel('Subject').fill('Results');
  await page.getByRole('button', {name: 'Send', exact: true}).click();
  await page.locator('.status').getByText('2 of 2').waitFor();
});

test('a fax is cancelled in mid-page', async () => {
  await signIn();
  const {id} = await rest('POST', '/fax', {to: '+1555994004', file: pages(2)}); // stalls in the first page
  await go('fax/' + id);
  await page.locator('.status').getByText('Sending').waitFor();
  await page.getByRole('button', {name: 'Cancel'}).click();
  await page.locator('.status').getByText('Cancelled', {exact: true}).waitFor();
  assert.match(dialogs[0], /hung up/);
  assert.equal((await rest('GET', '/fax/' + id)).cause, 'cancelled');
});

test('a failed call says why, what follows, and is called again on request', async () => {
  await signIn();
  const {id} = await rest('POST', '/fax', {to: '+1555995002', file: pages(1)}); // busy once
  await go('fax/' + id);
  await page.locator('.calls').getByText('The line was busy.').waitFor();
  await page.getByRole('heading', {name: 'What will happen'}).waitFor();
  await page.locator('.plan').getByText(/busy/).waitFor();
  await page.getByRole('button', {name: 'Call now'}).click();
  await page.locator('.status').getByText('Delivered').waitFor();
  assert.equal(await page.locator('.calls > li').count(), 2);
});

test('search by number, id, tag, cause, state and date', async () => {
  const good = (await rest('POST', '/fax', {to: '+4930777001', tags: 'ward-7', file: pages(1)})).id;
  const bad = (await rest('POST', '/fax', {to: '+1555991001', file: pages(1)})).id; // unallocated
  await signIn(key, 'faxes');
  await row(bad).getByText('Failed').waitFor();
  await row(good).getByText('Delivered').waitFor();
  const search = page.getByLabel('Search');
  const only = async (id, other) => {
    await row(other).waitFor({state: 'detached'});
    await row(id).waitFor();
  };
  for (const words of ['+49 30 777', good, 'ward-7']) {
    await search.fill(words);
    await only(good, bad);
  }
  await search.fill('no-such-tag');
  await page.getByText('Nothing was found.').waitFor();
  await search.fill('');
  await page.getByLabel('Cause').selectOption('bad_number');
  await only(bad, good);
  await page.getByLabel('Cause').selectOption('');
  await page.getByLabel('State').selectOption('done');
  await only(good, bad);
  await page.getByLabel('State').selectOption('');
  await page.getByLabel('From').fill('2030-01-01');
  await page.getByText('Nothing was found.').waitFor();
});

test('keys: what a key may not do is not shown', async () => {
  await signIn(key, 'keys');
  await page.getByLabel('Name').fill('Front desk');
  await page.getByLabel('Send faxes').uncheck();
  await page.getByRole('button', {name: 'Make the key'}).click();
  const token = await page.locator('#token').textContent();
  assert.match(token, /^fbk_live_/);
  assert.equal((await rest('GET', '/fax', null, {'X-API-Key': token})).status, 200);
  await page.getByRole('button', {name: 'Sign out'}).click();
  await page.getByLabel('API key').fill(token);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', {name: 'Faxes', level: 1}).waitFor();
  assert.deepEqual(await page.locator('nav a').allTextContents(), ['Faxes', 'Numbers']);
  await go('keys'); // typed by hand, it leads nowhere
  await page.getByRole('heading', {name: 'Faxes', level: 1}).waitFor();
  await page.getByRole('button', {name: 'Sign out'}).click();
  await signIn(key, 'keys');
  const id = token.split('_')[2];
  await page.getByRole('button', {name: 'Revoke ' + id}).click();
  await page.getByText('revoked').waitFor();
  assert.equal((await rest('GET', '/fax', null, {'X-API-Key': token})).status, 401);
});

test('what was learned of a number is shown and erased', async () => {
  const {id} = await rest('POST', '/fax', {to: '+4930888001', file: pages(1)});
  await signIn();
  await go('fax/' + id);
  await page.locator('.status').getByText('Delivered').waitFor();
  await go('destinations');
  await page.getByLabel('Number', {exact: true}).fill('+49 30 888001');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', {name: '+4930888001'}).waitFor();
  await page.getByText('SpanDSP Fax Ident').waitFor();
  await page.getByRole('button', {name: 'Forget'}).click();
  await page.getByText('Nothing is remembered of this number').waitFor();
  refused(404);
});

test('by keyboard alone', async () => {
  await page.goto(base + '/');
  await page.locator('input:focus').waitFor(); // without a click
  await page.keyboard.type(key);
  await page.keyboard.press('Enter');
  await page.locator('header').waitFor();
  const reach = async (name) => {
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press('Tab');
      if ((await page.evaluate(() => document.activeElement.innerText)).trim() === name) return;
    }
    assert.fail(`${name} cannot be reached by Tab`);
  };
  await page.reload();
  await page.locator('header').waitFor();
  await reach('Send');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', {name: 'Send a fax', level: 1}).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1', 'the focus does not follow');
});

test('nothing that an outsider wrote becomes markup', async () => {
  const evil = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>';
  const {id} = await rest('POST', '/fax', {
    to: '+15551230103', header: evil.slice(0, 50), station_id: '<b>"\'&lt;</b>', cover: 'plain', cover_subject: evil.slice(0, 90), cover_message: evil, tags: 'a/b:c', file: text(evil, `${evil}.txt`),
  });
  assert.ok(id);
  await signIn();
  await go('fax/' + id);
  await page.locator('.status').getByText('Delivered').waitFor();
  await page.locator('.facts').getByText('<b>"').waitFor();
  await go('send');
  await page.getByLabel('Documents', {exact: true}).setInputFiles({name: evil.replaceAll('/', '') + '.txt', mimeType: 'text/plain', buffer: Buffer.from('x')});
  await page.getByText('<img src=x').waitFor();
  for (const where of everywhere(id)) await go(where);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
});

const everywhere = (id) => ['overview', 'faxes', 'fax/' + id, 'send', 'destinations/%2B15551230103', 'webhooks', 'keys', 'checks'];

test('every page: accessible, and pictured in light, dark and on a phone', async () => {
  const {faxes: [{id}]} = await rest('GET', '/fax?state=done');
  await page.goto(base + '/');
  await page.getByLabel('API key').waitFor();
  await judge('sign-in');
  await signIn();
  for (const where of everywhere(id)) {
    await go(where);
    await page.waitForLoadState('networkidle').catch(() => {}); // a page that listens is never idle
    await judge(where.split('/')[0]);
    refused(404);
  }
});

// judge has axe look at what is shown, and takes its pictures.
async function judge(name) {
  for (const [look, scheme, width] of [['light', 'light', 1200], ['dark', 'dark', 1200], ['phone', 'light', 390]]) {
    await page.setViewportSize({width, height: 850});
    await page.emulateMedia({colorScheme: scheme});
    const found = await page.evaluate(`(() => { ${axe.source}; return axe.run(document, {resultTypes: ['violations']}); })()`);
    const serious = found.violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' ').slice(0, 300)}`);
    assert.deepEqual(serious, [], `${name}, ${look}`);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name}, ${look}: wider than the window`);
    await page.screenshot({path: `${shots}/${name}-${look}.png`, fullPage: true});
  }
  await page.setViewportSize({width: 1200, height: 850});
}
