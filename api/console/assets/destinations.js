// What is remembered of a number.
import {ask, get} from './rest.js';
import {Button, Field, Page, Problem, Time, html, useLoad, useState} from './parts.js';
import {causes} from './words.js';

const limits = {t38: 'no T.38', v17: 'no V.17 (14,400 bit/s)', ecm: 'no error correction', standard: 'standard resolution only'};

export function Destinations({args: [named], may}) {
  const [number, setNumber] = useState(named ?? '');
  const known = useLoad(() => (named ? get('/destinations/' + encodeURIComponent(named)) : Promise.resolve(null)), [named]);
  const look = (e) => { e.preventDefault(); location.hash = '#/destinations/' + encodeURIComponent(number); };
  const d = known.data;
  return html`<${Page} title="Numbers">
    <p>What calls have taught about a number, and what its next call does differently for it.</p>
    <form class="filter" onSubmit=${look}><${Field} name="number" label="Number" type="tel" value=${number} set=${setNumber} required/><p class="field"><button type="submit" class="main">Look up</button></p></form>
    ${named && html`<${Problem} error=${known.error}/>`}
    ${d && html`<section><h2>${d.number}</h2>
      <dl class="facts">
        <div><dt>Delivered</dt><dd>${d.delivered}${d.delivered_at && html`, last <${Time} at=${d.delivered_at}/>`}</dd></div>
        <div><dt>Remote station</dt><dd>${d.remote_station ?? '–'}</dd></div>
        <div><dt>Seconds per page</dt><dd>${d.seconds_per_page?.toFixed(1) ?? '–'}</dd></div>
        <div><dt>Answered, but not by a fax</dt><dd>${d.not_a_fax} in a row</dd></div>
        <div><dt>Failing calls</dt><dd>${d.failing} in a row</dd></div>
        ${d.rest_until && html`<div><dt>Rests until</dt><dd><${Time} at=${d.rest_until}/></dd></div>`}
        <div><dt>Forgotten</dt><dd><${Time} at=${d.forgotten_at}/></dd></div>
      </dl>
      ${d.limits.length > 0 && html`<h3>Done differently</h3><ul>${d.limits.map((l) => html`<li key=${l.name}>${limits[l.name] ?? l.name}: ${causes[l.cause] ?? l.cause}, ${l.calls} calls since <${Time} at=${l.since}/>, until <${Time} at=${l.until}/></li>`)}</ul>`}
      ${may('keys:manage') && html`<p><${Button} kind="danger" confirm=${`Forget what was learned about ${d.number}?`} run=${async () => { await ask('DELETE', '/destinations/' + encodeURIComponent(named)); known.again(); }}>Forget<//></p>`}
    </section>`}
  <//>`;
}
