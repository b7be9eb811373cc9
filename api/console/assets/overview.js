// The state of things: alarms, queue, gateways, and what the last hours were
// like.
import {get} from './rest.js';
import {Field, Page, Problem, Table, Time, html, useEvery, useLoad, useState} from './parts.js';
import {Bars} from './chart.js';
import {causes, percent, span, states} from './words.js';

const tones = {working: 'good', misconfigured: 'bad', resting: 'bad', probing: 'warn'};

export function Overview() {
  const [hours, setHours] = useState('24');
  const [gateway, setGateway] = useState('');
  const [cause, setCause] = useState('');
  const state = useLoad(() => get('/admin/overview'), []);
  const past = useLoad(() => get('/admin/statistics?hours=' + hours), [hours]);
  useEvery(5, state.again);
  useEvery(60, past.again);
  return html`<${Page} title="Overview">
    <${Problem} error=${state.error}/>
    ${state.data && html`<${Now} of=${state.data}/>`}
    <section><h2>Calls that ended</h2>
      <form class="filter"><${Field} name="hours" label="In the last" value=${hours} set=${setHours} options=${[['24', 'day'], ['168', 'week'], ['720', '30 days']]}/>
        <${Field} name="gateway" label="Gateway" value=${gateway} set=${setGateway} options=${[['', 'All'], ...names(past.data, 'gateway').map((g) => [g, g])]}/>
        <${Field} name="cause" label="Not delivered for" value=${cause} set=${setCause} options=${[['', 'Any cause'], ...names(past.data, 'cause').filter((c) => c !== 'ok').map((c) => [c, causes[c] ?? c])]}/></form>
      <${Problem} error=${past.error}/>
      ${past.data && html`<${Past} hours=${Number(hours)} of=${{...past.data, periods: past.data.periods.filter((p) =>
        (!gateway || p.gateway === gateway) && (!cause || p.cause === cause || p.cause === 'ok'))}}/>`}
    </section>
  <//>`;
}

// names are the different words of a field.
const names = (data, field) => [...new Set((data?.periods ?? []).map((p) => p[field]))].sort();

function Now({of: {open, alarms, gateways, switches, queue_age_seconds: age}}) {
  const live = open.dialing + open.sending;
  return html`
    <section aria-live="polite"><h2>Alarms</h2>
      ${alarms.length === 0 ? html`<p class="note calm">Nothing needs you.</p>` : html`<ul class="checks">${alarms.map((a) => html`<li key=${a.what} class="bad"><strong>${a.what}</strong> ${a.do}</li>`)}</ul>`}</section>
    <section><h2>Now</h2><div class="tiles">
      <p class="tile"><b>${live}</b> on the line</p>
      <p class="tile"><b>${open.received + open.queued + open.retry}</b> waiting</p>
      <p class="tile"><b>${open.held}</b> held</p>
      <p class="tile"><b>${age >= 1 ? span(age) : '–'}</b> longest wait of a due fax</p></div></section>
    <section><h2>Gateways</h2><${Table} caption="Gateways, the preferred first" head=${['Gateway', 'State', '#Live calls', '#Channels', '#Calls per second']}>
      ${gateways.map((g) => html`<tr key=${g.name}><th scope="row">${g.name}</th><td><span class=${'badge ' + tones[g.state]}>${g.state}</span> ${g.rest_until && html`until <${Time} at=${g.rest_until}/>`}</td>
        <td class="number">${g.live_calls}</td><td class="number">${g.channels}</td><td class="number">${g.calls_per_second}</td></tr>`)}<//></section>
    <section><h2>FreeSWITCH</h2><${Table} caption="Switches, the preferred first" head=${['Switch', 'State', '#Live calls', '#Channels']}>
      ${switches.map((s) => html`<tr key=${s.name}><th scope="row">${s.name} <span class="dim">${s.address}</span></th><td><span class=${'badge ' + (s.up ? 'good' : 'bad')}>${s.up ? 'up' : 'down'}</span> ${s.detail}</td>
        <td class="number">${s.live_calls}</td><td class="number">${s.channels ?? 'no limit'}</td></tr>`)}<//></section>`;
}

// sum adds up what several periods have in common.
function sum(periods, by) {
  const groups = new Map();
  for (const p of periods) {
    const key = by(p), g = groups.get(key) ?? {key, calls: 0, good: 0, pages: 0};
    g.calls += p.calls;
    g.pages += p.pages;
    if (p.cause === 'ok') g.good += p.calls;
    groups.set(key, g);
  }
  return [...groups.values()].sort((a, b) => b.calls - a.calls);
}

function Past({of: {since, periods}, hours}) {
  if (periods.length === 0) return html`<p class="empty">No call has ended.</p>`;
  // A month is counted by days, a week and a day by hours.
  const step = hours > 200 ? 24 : 1, first = new Date(since).getTime();
  const slots = Array.from({length: Math.ceil(hours / step)}, (_, i) => ({at: new Date(first + i * step * 3600e3), good: 0, bad: 0, pages: 0}));
  for (const p of periods) {
    const slot = slots[Math.floor((new Date(p.hour) - first) / 3600e3 / step)];
    if (!slot) continue;
    slot[p.cause === 'ok' ? 'good' : 'bad'] += p.calls;
    slot.pages += p.pages;
  }
  const unit = step === 1 ? 'hour' : 'day';
  const row = (g, name) => html`<tr key=${g.key}><th scope="row">${name}</th><td class="number">${g.calls}</td><td class="number">${percent(g.good, g.calls)}</td><td class="number">${g.pages}</td></tr>`;
  const reasons = sum(periods.filter((p) => p.cause !== 'ok'), (p) => p.cause);
  return html`
    <h3>Calls per ${unit}: delivered and not</h3>
    <${Bars} slots=${slots.map((s) => ({at: s.at, parts: [['good', s.good], ['bad', s.bad]], title: `${s.good} delivered, ${s.bad} not: ${percent(s.good, s.good + s.bad)}`}))} label=${`Calls per ${unit}`}/>
    <h3>Pages per ${unit}</h3>
    <${Bars} slots=${slots.map((s) => ({at: s.at, parts: [['good', s.pages]], title: `${s.pages} pages`}))} label=${`Pages per ${unit}`}/>
    <h3>By gateway</h3><${Table} caption="By gateway" head=${['Gateway', '#Calls', '#Delivered', '#Pages']}>${sum(periods, (p) => p.gateway).map((g) => row(g, g.key))}<//>
    ${reasons.length > 0 && html`<h3>Why calls did not deliver</h3><${Table} caption="By cause" head=${['Cause', '#Calls']}>${reasons.map((g) => html`<tr key=${g.key}><th scope="row">${causes[g.key] ?? g.key}</th><td class="number">${g.calls}</td></tr>`)}<//>`}`;
}
