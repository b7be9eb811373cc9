// Webhooks: messages that were given up, and how to send them again.
import {get, post} from './rest.js';
import {Button, Page, Problem, Table, Time, html, useLoad} from './parts.js';

export function Webhooks() {
  const dead = useLoad(() => get('/admin/webhooks/dead'), []);
  return html`<${Page} title="Webhooks">
    <section><h2>Given up</h2>
    <${Problem} error=${dead.error}/>
    ${dead.data?.length === 0 && html`<p class="empty">Every message has been delivered or is still being tried.</p>`}
    ${dead.data?.length > 0 && html`<${Table} caption="Messages that were given up" head=${['Event', 'Fax', 'To', 'What happened', 'Given up', '.Actions']}>
      ${dead.data.map((m) => html`<tr key=${m.id}><th scope="row">${m.event}</th><td><a href=${'#/fax/' + m.fax_id}>${m.fax_id.slice(-6)}</a></td><td>${m.target}</td><td class="text">${m.error}, after ${m.tries} tries</td>
        <td><${Time} at=${m.dead_at}/></td><td><${Button} run=${async () => { await post(`/admin/webhooks/${m.id}/replay`); dead.again(); }}>Send again<//></td></tr>`)}<//>`}
    </section><//>`;
}
