// Webhooks: who is told of every fax, what was given up, and how to send it
// again.
import {ask, get, post} from './rest.js';
import {Button, Copy, Field, Page, Problem, Table, Time, html, useLoad, useState} from './parts.js';

const path = (id) => '/admin/webhook-endpoints/' + id;

export function Webhooks() {
  const endpoints = useLoad(() => get('/admin/webhook-endpoints'), []);
  const [fresh, setFresh] = useState(null);
  const change = (work) => async () => { await work(); endpoints.again(); };
  return html`<${Page} title="Webhooks">
    ${fresh && html`<div class="note" role="status"><p>The secret of ${fresh.target}. It is shown this once:</p><p><code id="secret">${fresh.secret}</code> <${Copy} text=${fresh.secret}/></p></div>`}
    <section><h2>Told of every fax</h2>
      <${Problem} error=${endpoints.error}/>
      ${endpoints.data?.length === 0 && html`<p class="empty">Nobody.</p>`}
      ${endpoints.data?.length > 0 && html`<${Table} caption="Endpoints" head=${['Host', 'Events', 'State', 'Note', '.Actions']}>${endpoints.data.map((e) => html`<tr key=${e.id ?? e.target}>
        <th scope="row">${e.target}</th><td>${e.events?.join(', ') ?? 'all'}</td><td>${e.enabled ? 'enabled' : 'disabled'}${e.old_secret_until && html`; two secrets sign until <${Time} at=${e.old_secret_until}/>`}</td><td class="text">${e.note}</td>
        <td class="actions">${e.id ? html`<${Test} id=${e.id}/>
          <${Button} run=${change(() => ask('PATCH', path(e.id), {enabled: !e.enabled}))}>${e.enabled ? 'Disable' : 'Enable'}<//>
          <${Button} run=${change(async () => setFresh(await post(path(e.id) + '/rotate')))} confirm="Give it another secret? For a day, both sign.">Rotate<//>
          <${Button} kind="danger" run=${change(() => ask('DELETE', path(e.id)))} confirm=${`Tell ${e.target} nothing more? What waits for it is forgotten.`}>Remove<//>` : html`<span class="dim">in FAXBOT_WEBHOOK_URLS</span>`}</td></tr>`)}<//>`}
    </section>
    <${Add} added=${(e) => { setFresh(e); endpoints.again(); }}/>
    <${Dead}/><//>`;
}

function Test({id}) {
  const [result, setResult] = useState(null);
  return html`<${Button} run=${async () => setResult(await post(path(id) + '/test'))}>Test<//>${result && html`<span role="status">${result.delivered ? `arrived after ${result.seconds.toFixed(1)} s` : result.detail}</span>`}`;
}

function Add({added}) {
  const [form, setForm] = useState({url: '', note: ''});
  const [error, setError] = useState(null);
  const edit = (name) => (value) => setForm((f) => ({...f, [name]: value}));
  const add = async (e) => {
    e.preventDefault();
    try {
      added(await post('/admin/webhook-endpoints', form));
      setForm({url: '', note: ''});
      setError(null);
    } catch (problem) {
      setError(problem);
    }
  };
  return html`<section><h2>Tell somebody else</h2><form class="sheet" onSubmit=${add}>
    <${Field} name="url" label="Address" type="url" value=${form.url} set=${edit('url')} required placeholder="https://example.net/faxes" hint="It gets messages as Standard Webhooks has them."/>
    <${Field} name="note" label="Note" value=${form.note} set=${edit('note')}/>
    <${Problem} error=${error}/><p><button type="submit" class="main">Add</button></p></form></section>`;
}

function Dead() {
  const dead = useLoad(() => get('/admin/webhooks/dead'), []);
  return html`<section><h2>Given up</h2><${Problem} error=${dead.error}/>
    ${dead.data?.length === 0 && html`<p class="empty">Every message has been delivered or is still being tried.</p>`}
    ${dead.data?.length > 0 && html`<${Table} caption="Messages that were given up" head=${['Event', 'Fax', 'To', 'What happened', 'Given up', '.Actions']}>
      ${dead.data.map((m) => html`<tr key=${m.id}><th scope="row">${m.event}</th><td><a href=${'#/fax/' + m.fax_id}>${m.fax_id.slice(-6)}</a></td><td>${m.target}</td><td class="text">${m.error}, after ${m.tries} tries</td>
        <td><${Time} at=${m.dead_at}/></td><td><${Button} run=${async () => { await post(`/admin/webhooks/${m.id}/replay`); dead.again(); }}>Send again<//></td></tr>`)}<//>`}</section>`;
}
