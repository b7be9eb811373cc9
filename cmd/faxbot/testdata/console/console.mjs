// The console in a real browser, against a daemon and a simulated switch.
// node console.mjs URL KEY DOCUMENT SCREENSHOTS BARE PORT PASSWORD
// BARE is the URL of a daemon that knows no switch yet; the one at PORT is for it.
import assert from 'node:assert/strict';
import {after, before, beforeEach, afterEach, test} from 'node:test';
import {mkdirSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import axe from 'axe-core';
import {chromium} from 'playwright-core';

const [base, key, letter, shots, bare, switchPort, switchPassword] = process.argv.slice(2);
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
  p.on('request', (r) => ![base, bare].includes(new URL(r.url()).origin) && !r.url().startsWith('blob:') && complaints.push(`request to ${r.url()}`));
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

// trial is a test that says what the page showed when it failed.
const trial = (name, run) => test(name, async () => {
  try {
    await run();
  } catch (e) {
    e.message += `\n--- ${page.url()} shows:\n${await page.locator('body').innerText().catch(String)}`;
    throw e;
  }
});

async function signIn(as = key, where = '', at = base) {
  await page.goto(at + '/');
  await page.getByLabel('API key').fill(as);
  await page.keyboard.press('Enter');
  await page.locator('header').waitFor();
  if (where) await go(where);
}

async function signOut() {
  await page.getByRole('button', {name: 'Sign out'}).click();
  await page.getByLabel('API key').waitFor();
  refused(401); // what was under way
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

trial('signing in and out', async () => {
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
  await signOut();
  await page.reload();
  await page.getByLabel('API key').waitFor();
});

trial('a fax is followed page by page, in the list and on its own page', async () => {
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

trial('a file is sent after its pages were looked at', async () => {
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

trial('a dropped file, a cover and a wrong number', async () => {
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

trial('a fax is cancelled in mid-page', async () => {
  await signIn();
  const {id} = await rest('POST', '/fax', {to: '+1555994004', file: pages(2)}); // stalls in the first page
  await go('fax/' + id);
  await page.locator('.status').getByText('Sending').waitFor();
  await page.getByRole('button', {name: 'Cancel'}).click();
  await page.locator('.status').getByText('Cancelled', {exact: true}).waitFor();
  assert.match(dialogs[0], /hung up/);
  assert.equal((await rest('GET', '/fax/' + id)).cause, 'cancelled');
});

trial('a failed call says why, what follows, and is called again on request', async () => {
  await signIn();
  const {id} = await rest('POST', '/fax', {to: '+1555995002', file: pages(1)}); // busy once
  await go('fax/' + id);
  await page.locator('.calls').getByText('The line was busy.').waitFor();
  await page.getByRole('heading', {name: 'What will happen'}).waitFor();
  await page.locator('.plan').getByText(/busy/).waitFor();
  await page.getByRole('button', {name: 'Hold'}).click();
  await page.locator('.status').getByText('Held').waitFor();
  await page.getByRole('button', {name: 'Send it'}).click();
  await page.locator('.status').getByText('Delivered').waitFor();
  assert.equal(await page.locator('.calls > li').count(), 2);
});

trial('what was said in a call is shown to experts, and downloaded', async () => {
  const {id} = await rest('POST', '/fax', {to: '+15551230105', file: pages(1)});
  await signIn();
  await go('fax/' + id);
  await page.locator('.status').getByText('Delivered').waitFor();
  await page.getByText('Known by').waitFor();
  await page.waitForFunction(async (at) => (await fetch(at)).ok, `/admin/fax-jobs/${id}/attempts/1/recording`); // it is kept when the call is over
  refused(404);
  await page.getByText('Raw events').click();
  await page.locator('.messages summary', {hasText: '← CHANNEL_HANGUP_COMPLETE'}).click();
  await page.locator('.messages details[open] pre').getByText('Hangup-Cause: NORMAL_CLEARING').waitFor();
  await judge('recording');
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', {name: 'Recording'}).click()]);
  assert.match(await readFile(await download.path(), 'utf8'), /^>> 0\.\d{3} 9\nconnect\n/);
});

trial('search by number, id, tag, cause, state and date', async () => {
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

trial('keys: what a key may not do is not shown', async () => {
  await signIn(key, 'keys');
  await page.getByLabel('Name').fill('Front desk');
  await page.getByLabel('Send faxes').uncheck();
  await page.getByRole('button', {name: 'Make the key'}).click();
  const token = await page.locator('#token').textContent();
  assert.match(token, /^fbk_live_/);
  assert.equal((await rest('GET', '/fax', null, {'X-API-Key': token})).status, 200);
  await signOut();
  await page.getByLabel('API key').fill(token);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', {name: 'Faxes', level: 1}).waitFor();
  assert.deepEqual(await page.locator('nav a').allTextContents(), ['Faxes', 'Numbers']);
  await go('keys'); // typed by hand, it leads nowhere
  await page.getByRole('heading', {name: 'Faxes', level: 1}).waitFor();
  await signOut();
  await signIn(key, 'keys');
  const id = token.split('_')[2];
  await page.getByRole('button', {name: 'Revoke ' + id}).click();
  await page.getByText('revoked').waitFor();
  assert.equal((await rest('GET', '/fax', null, {'X-API-Key': token})).status, 401);
});

trial('what was learned of a number is shown and erased', async () => {
  const {id} = await rest('POST', '/fax', {to: '+4930888001', file: pages(1)});
  await signIn();
  await go('fax/' + id);
  await page.locator('.status').getByText('Delivered').waitFor();
  await go('destinations');
  await page.getByLabel('Number', {exact: true}).fill('+49 30 888001');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', {name: '+4930888001'}).waitFor();
  await page.getByText('SpanDSP Fax Ident').waitFor();
  await page.getByRole('region', {name: 'By gateway'}).getByText('with everything').waitFor();
  await page.getByRole('button', {name: 'Forget'}).click();
  await page.getByText('Nothing is remembered of this number').waitFor();
  refused(404);
});

trial('webhooks: somebody is told, and tried', async () => {
  await signIn(key, 'webhooks');
  await page.getByLabel('Address').fill('https://192.168.1.1/hook');
  await page.getByRole('button', {name: 'Add'}).click();
  await page.getByRole('alert').waitFor(); // a private address
  refused(400);
  await page.getByLabel('Address').fill('https://webhook.invalid/hook');
  await page.getByLabel('Note').fill('<b>ours</b>');
  await page.getByRole('button', {name: 'Add'}).click();
  assert.match(await page.locator('#secret').textContent(), /^whsec_/);
  await page.getByText('<b>ours</b>').waitFor();
  await page.getByRole('button', {name: 'Test'}).click();
  await page.locator('td.actions [role=status]').getByText(/webhook.invalid|lookup|no such host/i).waitFor();
  await page.getByRole('button', {name: 'Disable'}).click();
  await page.getByRole('button', {name: 'Enable'}).waitFor();
  await page.getByRole('button', {name: 'Remove'}).click();
  await page.getByText('Nobody.').waitFor();
});

trial('the setup leads from nothing to a first fax', async () => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await signIn(key, 'setup', bare);
  await page.getByLabel('Host', {exact: true}).fill('127.0.0.1');
  await page.getByLabel('Port', {exact: true}).fill(switchPort);
  await page.getByLabel('Password', {exact: true}).fill('wrong');
  const next = page.getByRole('button', {name: 'Next'});
  await next.click();
  await page.getByLabel('Gateway', {exact: true}).fill('carrier');
  await page.getByLabel('Caller id').fill('+15551230000');
  await page.getByLabel('Station id').fill('+1 555 123 0000');
  await page.getByLabel('Secret of the result hook').fill('hook-of-the-setup-that-nobody-prints');
  await next.click();
  await page.getByRole('button', {name: 'Try', exact: true}).click();
  await page.getByText('Faxes cannot be sent with these settings yet.').waitFor();
  await page.locator('.checks .bad').getByText('password', {exact: true}).waitFor();
  await page.getByText('To mend it:').first().waitFor();
  await judge('setup-tried');
  await page.getByRole('button', {name: '1. FreeSWITCH'}).click();
  await page.getByLabel('Password', {exact: true}).fill(switchPassword);
  await page.getByRole('button', {name: '3. Try and store'}).click();
  await page.getByRole('button', {name: 'Try', exact: true}).click();
  await page.getByText('Faxes can be sent with these settings.').waitFor();
  await page.getByRole('button', {name: 'Store and apply'}).click();
  // The very files, with address and secret in them, to copy and to keep.
  const hook = page.locator('.file', {hasText: '10_faxbot_hook.xml'});
  const text = await hook.locator('pre').textContent();
  assert.match(text, /hook-of-the-setup-that-nobody-prints/);
  assert.match(text, /http:\/\/127\.0\.0\.1:\d+\/_internal\/freeswitch\/outbound_result/);
  await hook.getByRole('button', {name: 'Copy'}).click();
  await hook.getByRole('button', {name: 'Copied'}).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
  const [download] = await Promise.all([page.waitForEvent('download'), hook.getByRole('button', {name: 'Download'}).click()]);
  assert.equal(await readFile(await download.path(), 'utf8'), text);
  await page.getByLabel('Carrier of the gateway').fill('sip.example.net');
  await page.locator('.file', {hasText: 'sip_profiles/external/carrier.xml'}).locator('pre').getByText('sip.example.net').waitFor();
  await judge('setup-files');
  await next.click();
  await page.getByLabel('Number').fill('+15551230001');
  await page.getByRole('button', {name: 'Send the test page'}).click();
  await page.locator('.status').getByText('Delivered').waitFor();
});

trial('settings are stored and taken back; those of the environment are not touched', async () => {
  await signIn(key, 'settings');
  await page.locator('summary').first().waitFor();
  for (const s of await page.locator('summary').all()) await s.click();
  await page.getByLabel('FAX_HEADER', {exact: true}).fill('Doe & Söhne');
  assert.ok(await page.getByLabel('FREESWITCH_ESL_PORT', {exact: true}).isDisabled(), 'it is set in the environment');
  await page.getByRole('button', {name: 'Store'}).click();
  await page.getByText('What takes effect at once has done so.').waitFor();
  const setting = async (name) => (await rest('GET', '/admin/settings')).settings.find((s) => s.name === name);
  assert.equal((await setting('FAX_HEADER')).value, 'Doe & Söhne');
  await page.getByLabel('FAX_HEADER', {exact: true}).fill('');
  await page.getByRole('button', {name: 'Store'}).click();
  await page.waitForFunction(() => document.querySelector('[name=FAX_HEADER]').value === '');
  assert.equal((await setting('FAX_HEADER')).source, 'default');
  await page.getByLabel('FAXBOT_RING', {exact: true}).fill('soon');
  await page.getByRole('button', {name: 'Store'}).click();
  await page.getByRole('alert').getByText('use a value like').waitFor();
  refused(422);
  await go('log');
  await page.getByLabel('What', {exact: true}).selectOption('settings.changed');
  await page.getByText('FAX_HEADER').first().waitFor();
});

trial('charts of one gateway and one cause', async () => {
  const {id} = await rest('POST', '/fax', {to: '+1555991001', file: pages(1)}); // unallocated
  await signIn();
  await go('fax/' + id);
  await page.locator('.status').getByText('Failed').waitFor();
  await go('overview');
  const bars = page.getByRole('img', {name: 'Calls per hour'});
  await page.getByLabel('Not delivered for').selectOption('bad_number');
  await page.getByRole('region', {name: 'By cause'}).getByText('Wrong number').waitFor();
  assert.equal(await page.getByRole('region', {name: 'By cause'}).locator('tbody tr').count(), 1);
  assert.ok(await bars.locator('rect.bad').count() > 0);
  await page.getByLabel('Gateway', {exact: true}).selectOption('gw_signalwire');
  await page.getByRole('region', {name: 'By gateway'}).getByText('gw_signalwire').waitFor();
});

trial('by keyboard alone', async () => {
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

trial('nothing that an outsider wrote becomes markup', async () => {
  const evil = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>';
  const {id} = await rest('POST', '/fax', {
    to: '+1555990006', header: evil.slice(0, 50), station_id: '<b>"\'&lt;</b>', cover: 'plain', cover_subject: evil.slice(0, 90), cover_message: evil, tags: 'a/b:c', file: text(evil, `${evil}.txt`),
  });
  assert.ok(id);
  await signIn();
  await go('fax/' + id);
  await page.locator('.status').getByText('Delivered').waitFor();
  await page.locator('.facts').getByText('<b>"').waitFor();
  await page.locator('.calls').getByText('<svg/onload=pwned=1>').waitFor(); // what the far end calls itself
  await go('send');
  await page.getByLabel('Documents', {exact: true}).setInputFiles({name: evil.replaceAll('/', '') + '.txt', mimeType: 'text/plain', buffer: Buffer.from('x')});
  await page.getByText('<img src=x').waitFor();
  for (const where of everywhere(id)) await go(where);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
});

const everywhere = (id) => ['overview', 'faxes', 'fax/' + id, 'send', 'destinations/%2B1555990006', 'webhooks', 'keys', 'setup', 'settings', 'log', 'checks'];

trial('every page: accessible, and pictured in light, dark and on a phone', async () => {
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
