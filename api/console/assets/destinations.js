// What is remembered of a number.
import {ask, get} from './rest.js';
import {Button, Field, Page, Problem, Table, Time, html, useLoad, useState} from './parts.js';
import {causes} from './words.js';

const limits = {t38: 'no T.38', v17: 'no V.17 (14,400 bit/s)', ecm: 'no error correction', fine: 'standard resolution only'};

const differently = (list) => list.map((l) => html`<li key=${l.name}>${limits[l.name] ?? l.name}: ${causes[l.cause] ?? l.cause}, ${l.calls} calls since <${Time} at=${l.since}/>, until <${Time} at=${l.until}/></li>`);

// What calls through each gateway have shown; the others begin with what is known of all.
const Ways = ({list}) => html`<${Table} caption="By gateway" head=${['Gateway', 'Seconds per page', 'Last delivery', 'Done differently']}>
  ${list.map((w) => html`<tr key=${w.gateway}><th scope="row">${w.gateway}</th>
    <td>${w.seconds_per_page?.toFixed(1) ?? '–'}</td>
    <td>${w.last_good ? (['t38', 'v17', 'ecm'].filter((f) => !w.last_good[f]).map((f) => limits[f]).join(', ') || 'with everything') : '–'}</td>
    <td>${w.limits.length > 0 ? html`<ul>${differently(w.limits)}</ul>` : '–'}</td></tr>`)}
<//>`;

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
      ${d.limits.length > 0 && html`<h3>Done differently</h3><ul>${differently(d.limits)}</ul>`}
      ${d.gateways.length > 0 && html`<${Ways} list=${d.gateways}/>`}
      ${may('keys:manage') && html`<p><${Button} kind="danger" confirm=${`Forget what was learned about ${d.number}?`} run=${async () => { await ask('DELETE', '/destinations/' + encodeURIComponent(named)); known.again(); }}>Forget<//></p>`}
    </section>`}
  <//>`;
}
