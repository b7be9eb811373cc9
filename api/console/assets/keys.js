// API keys: who may do what.
import {ask, get, post} from './rest.js';
import {Button, Copy, Field, Page, Problem, Table, Time, html, useLoad, useState} from './parts.js';

const all = [
  ['fax:send', 'Send faxes'], ['fax:read', 'See its own faxes'], ['keys:manage', 'Administrate: all faxes, keys, settings'],
  ['inbound:list', 'List received faxes'], ['inbound:read', 'Read received faxes'],
];

export function Keys() {
  const keys = useLoad(() => get('/admin/api-keys'), []);
  const [fresh, setFresh] = useState(null);
  const [name, setName] = useState('');
  const [scopes, setScopes] = useState(['fax:send', 'fax:read']);
  const [error, setError] = useState(null);
  const make = async (e) => {
    e.preventDefault();
    try {
      setFresh(await post('/admin/api-keys', {name, scopes}));
      setName('');
      setError(null);
      keys.again();
    } catch (problem) {
      setError(problem);
    }
  };
  const rotate = async (id) => { setFresh(await post(`/admin/api-keys/${id}/rotate`)); keys.again(); };
  const revoke = async (id) => { await ask('DELETE', '/admin/api-keys/' + id); keys.again(); };
  return html`<${Page} title="Keys">
    ${fresh && html`<div class="note" role="status"><p>The token of key ${fresh.key_id}. It is shown this once:</p><p><code id="token">${fresh.token}</code> <${Copy} text=${fresh.token}/></p></div>`}
    <${Problem} error=${keys.error}/>
    ${keys.data && html`<${Table} caption="API keys" head=${['Key', 'Name', 'May', 'Made', 'Last used', 'Ends', '.Actions']}>
      ${keys.data.map((k) => html`<tr key=${k.key_id} class=${k.revoked_at ? 'dim' : ''}><th scope="row"><code>${k.key_id}</code></th><td>${k.name}</td><td>${k.scopes.join(', ')}</td>
        <td><${Time} at=${k.created_at}/></td><td><${Time} at=${k.last_used_at}/></td><td>${k.revoked_at ? html`revoked <${Time} at=${k.revoked_at}/>` : html`<${Time} at=${k.expires_at}/>`}</td>
        <td class="actions">${!k.revoked_at && html`<${Button} confirm=${`Make a new token for ${k.key_id}? The old one is worth nothing at once.`} run=${() => rotate(k.key_id)} aria-label=${'Rotate ' + k.key_id}>Rotate<//>
          <${Button} kind="danger" confirm=${`Revoke ${k.key_id}? Whoever uses it is refused at once.`} run=${() => revoke(k.key_id)} aria-label=${'Revoke ' + k.key_id}>Revoke<//>`}</td></tr>`)}<//>
      ${keys.data.length === 0 && html`<p class="empty">There is no key but the one in API_KEY.</p>`}`}
    <section><h2>Make a key</h2><form class="sheet" onSubmit=${make}>
      <${Field} name="name" label="Name" value=${name} set=${setName} required maxlength="100" hint="Who or what will use it."/>
      <fieldset><legend>It may</legend>${all.map(([scope, text]) => html`<${Field} key=${scope} name=${scope} type="checkbox" label=${text} value=${scopes.includes(scope)}
        set=${(on) => setScopes(on ? [...scopes, scope] : scopes.filter((s) => s !== scope))}/>`)}</fieldset>
      <${Problem} error=${error}/><p><button type="submit" class="main">Make the key</button></p></form></section>
  <//>`;
}
