// How soon the console shows something when there are very many faxes.
// node million.mjs URL KEY, prints PAGE MILLISECONDS lines.
import {chromium} from 'playwright-core';

const [base, key] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const page = await browser.newPage();
await page.goto(base + '/');
await page.getByLabel('API key').fill(key);
await page.keyboard.press('Enter');
await page.locator('header').waitFor();

// shown waits until the page's own data are there, and says when that was.
const shown = (selector) => page.evaluate((selector) => new Promise((done) => {
  const look = () => document.querySelector(selector) && done(performance.now());
  new MutationObserver(look).observe(document, {subtree: true, childList: true});
  look();
}), selector);
const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];

for (const [name, hash, selector] of [['faxes', '#/faxes', 'tbody tr'], ['overview', '#/overview', '.tile'], ['log', '#/log', 'table']]) {
  const data = [], first = [];
  for (let i = 0; i < 15; i++) {
    await page.goto('about:blank');
    await page.goto(`${base}/${hash}`, {waitUntil: 'commit'});
    data.push(await shown(selector));
    first.push(await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Infinity));
  }
  console.log(`${name} ${median(first).toFixed(0)} ${median(data).toFixed(0)}`);
}
// A search, from the last letter to the answer.
await page.goto(`${base}/#/faxes`);
await page.locator('tbody tr').first().waitFor();
for (const [name, words] of [['by_number', '+1555099999'], ['by_cause', '']]) {
  const took = [];
  for (let i = 0; i < 7; i++) {
    took.push(await page.evaluate(async ([words, i]) => {
      const began = performance.now();
      const answer = await fetch('/fax?limit=50&' + (words ? 'q=' + encodeURIComponent(words + i) : 'cause=bad_number'));
      await answer.json();
      return performance.now() - began;
    }, [words, i]));
  }
  console.log(`search_${name} - ${median(took).toFixed(0)}`);
}
await browser.close();
