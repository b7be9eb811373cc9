// The frame around the pages: who has signed in, where to go, what is shown.
import {render} from './vendor/preact.js';
import {ask, get, post} from './rest.js';
import {Field, Problem, html, useEffect, useState} from './parts.js';
import {Faxes} from './faxes.js';
import {Fax} from './fax.js';
import {Send} from './send.js';
import {Overview} from './overview.js';
import {Destinations} from './destinations.js';
import {Keys} from './keys.js';
import {Webhooks} from './webhooks.js';
import {Checks} from './checks.js';
import {Log} from './log.js';
import {Settings} from './settings.js';
import {Setup} from './setup.js';

const icon = new URL('icon.svg', import.meta.url).href;

// pages: name in the address, title in the navigation, the scope it takes.
const pages = [
  {name: 'overview', title: 'Overview', scope: 'keys:manage', show: Overview},
  {name: 'faxes', title: 'Faxes', scope: 'fax:read', show: Faxes},
  {name: 'fax', scope: 'fax:read', show: Fax},
  {name: 'send', title: 'Send', scope: 'fax:send', show: Send},
  {name: 'destinations', title: 'Numbers', scope: 'fax:read', show: Destinations},
  {name: 'webhooks', title: 'Webhooks', scope: 'keys:manage', show: Webhooks},
  {name: 'keys', title: 'Keys', scope: 'keys:manage', show: Keys},
  {name: 'setup', title: 'Setup', scope: 'keys:manage', show: Setup},
  {name: 'settings', title: 'Settings', scope: 'keys:manage', show: Settings},
  {name: 'log', title: 'Log', scope: 'keys:manage', show: Log},
  {name: 'checks', title: 'Diagnostics', scope: 'keys:manage', show: Checks},
];

const may = (session, scope) => session.scopes.includes('*') || session.scopes.includes(scope);

// where reads the address: #/fax/0123…
function where() {
  const [name, ...rest] = location.hash.replace(/^#\/?/, '').split('/');
  return {name, rest: rest.map(decodeURIComponent)};
}

function App() {
  const [session, setSession] = useState(null);
  const [error, setError] = useState(null);
  const [place, setPlace] = useState(where());
  const load = () => get('/session').then((s) => { setSession(s); setError(null); }, setError);
  useEffect(() => {
    load();
    const moved = () => { setPlace(where()); scrollTo(0, 0); };
    addEventListener('hashchange', moved);
    addEventListener('signed-out', load);
    return () => {
      removeEventListener('hashchange', moved);
      removeEventListener('signed-out', load);
    };
  }, []);
  if (error) return html`<main class="door"><h1>Faxbot</h1><${Problem} error=${error}/><p><button type="button" onClick=${load}>Try again</button></p></main>`;
  if (!session) return html`<p class="first">Faxbot…</p>`;
  if (session.scopes.length === 0) return html`<${SignIn} entered=${setSession}/>`;

  const allowed = pages.filter((p) => may(session, p.scope));
  const page = allowed.find((p) => p.name === place.name) ?? allowed.find((p) => p.title);
  if (!page) return html`<main class="door"><h1>Faxbot</h1><p>This key may do nothing that the console shows.</p><p><button onClick=${signOut}>Sign out</button></p></main>`;
  return html`
    <a class="skip" href="#main" onClick=${(e) => { e.preventDefault(); document.querySelector('h1')?.focus(); }}>To the content</a>
    <header>
      <a class="brand" href="#/"><img src=${icon} alt="" width="28" height="28"/> Faxbot</a>
      <nav aria-label="Pages"><ul>${allowed.filter((p) => p.title).map((p) => html`
        <li key=${p.name}><a href=${'#/' + p.name} aria-current=${p === page || (p.name === 'faxes' && page.name === 'fax') ? 'page' : undefined}>${p.title}</a></li>`)}</ul></nav>
      <p class="who">${session.open ? 'No key is asked for' : html`${session.key_id ? 'Key ' + session.key_id : 'Bootstrap key'} <button type="button" class="plain" onClick=${signOut}>Sign out</button>`}</p>
    </header>
    <main id="main"><${page.show} key=${page.name + place.rest.join('/')} session=${session} may=${(scope) => may(session, scope)} args=${place.rest}/></main>
    <footer>Faxbot ${session.version} · <a href="/docs">REST</a></footer>`;
}

async function signOut() {
  await ask('DELETE', '/session');
  location.hash = '';
  location.reload();
}

function SignIn({entered}) {
  const [key, setKey] = useState('');
  const [error, setError] = useState(null);
  useEffect(() => document.getElementById('f-key').focus(), []);
  const enter = async (e) => {
    e.preventDefault();
    try {
      entered(await post('/session', {key}));
    } catch (problem) {
      setError(problem);
    }
  };
  return html`<main class="door"><form onSubmit=${enter}>
    <h1><img src=${icon} alt="" width="40" height="40"/> Faxbot</h1>
    <${Field} name="key" label="API key" type="password" value=${key} set=${setKey} required
      hint="One that an administrator gave you, or API_KEY of the daemon. It is kept in the daemon's memory, not in this browser."/>
    <${Problem} error=${error}/>
    <p><button type="submit" class="main">Sign in</button></p>
  </form></main>`;
}

const root = document.getElementById('app');
root.replaceChildren();
render(html`<${App}/>`, root);
