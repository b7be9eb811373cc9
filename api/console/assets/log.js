// The audit log: who did what.
import {get, query} from './rest.js';
import {Field, Page, Problem, Table, Time, html, useEffect, useState} from './parts.js';

const events = ['fax.submitted', 'fax.cancelled', 'fax.held', 'fax.released', 'fax.resent', 'number.forgotten', 'key.made', 'key.rotated', 'key.revoked', 'key.weighed',
  'settings.changed', 'webhook.added', 'webhook.changed', 'webhook.rotated', 'webhook.removed', 'webhook.replayed', 'sign_in.failed', 'daemon.started', 'daemon.ended'];

export function Log() {
  const [filter, setFilter] = useState({q: '', event: ''});
  const [list, setList] = useState({items: null, next: null});
  const [error, setError] = useState(null);
  const load = (after) => get('/admin/logs' + query({...filter, after})).then((page) => {
    setList((l) => ({items: after ? [...l.items, ...page.items] : page.items, next: page.next}));
    setError(null);
  }, setError);
  useEffect(() => {
    const timer = setTimeout(load, list.items ? 250 : 0);
    return () => clearTimeout(timer);
  }, [filter.q, filter.event]);
  const edit = (name) => (value) => setFilter((f) => ({...f, [name]: value}));
  return html`<${Page} title="Log">
    <form class="filter" role="search" onSubmit=${(e) => e.preventDefault()}><${Field} name="q" label="Search" type="search" value=${filter.q} set=${edit('q')}/>
      <${Field} name="event" label="What" value=${filter.event} set=${edit('event')} options=${[['', 'All'], ...events.map((e) => [e, e])]}/></form>
    <${Problem} error=${error}/>
    ${list.items && html`<${Table} caption="Who did what, the latest first" head=${['When', 'What', 'Key', 'From', 'Fax', 'Detail']} cards>
      ${list.items.map((r) => html`<tr key=${r.id}><td><${Time} at=${r.at}/></td><th scope="row">${r.event}</th><td>${r.key_id ?? ''}</td><td>${r.address ?? ''}</td>
        <td>${r.fax_id && html`<a href=${'#/fax/' + r.fax_id}>${r.fax_id.slice(-6)}</a>`}</td><td class="text">${r.detail ?? ''}</td></tr>`)}<//>
      ${list.items.length === 0 && html`<p class="empty">Nothing was found.</p>`}
      ${list.next && html`<p><button type="button" onClick=${() => load(list.next)}>Older ones</button></p>`}`}
  <//>`;
}
