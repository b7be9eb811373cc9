// All faxes: search, live.
import {listen, get, query} from './rest.js';
import {Bar, Field, Page, Problem, State, Table, Time, html, useEffect, useRef, useState} from './parts.js';
import {causes, states} from './words.js';

const none = {q: '', state: '', cause: '', since: '', until: ''};

// day makes the instant at which a day begins here, or the one after it.
function day(text, after) {
  if (!text) return '';
  const at = new Date(text + 'T00:00:00');
  if (after) at.setDate(at.getDate() + 1);
  return at.toISOString().replace(/\.\d+Z$/, 'Z');
}

export function Faxes({may}) {
  const [filter, setFilter] = useState(none);
  const [list, setList] = useState({faxes: null, next: null});
  const [error, setError] = useState(null);
  const [lost, setLost] = useState(false);
  const asked = useRef(0), shown = useRef(0);

  const address = (after) => '/fax' + query({...filter, since: day(filter.since), until: day(filter.until, true), limit: 50, after});
  const load = async () => {
    const mine = ++asked.current;
    try {
      const page = await get(address());
      if (mine < shown.current) return; // a later answer came first
      shown.current = mine;
      setList(page);
      setError(null);
    } catch (e) {
      if (mine === asked.current) setError(e);
    }
  };
  const more = async () => {
    try {
      const page = await get(address(list.next));
      setList((l) => ({faxes: [...l.faxes, ...page.faxes], next: page.next}));
    } catch (e) {
      setError(e);
    }
  };
  // What is typed is searched for once the fingers rest.
  useEffect(() => {
    const timer = setTimeout(load, list.faxes ? 250 : 0);
    return () => clearTimeout(timer);
  }, [JSON.stringify(filter)]);
  // A fax that is listed changes in its place; one that is new comes first
  // when all are listed. With a filter the daemon says whether it belongs here.
  const filtered = JSON.stringify(filter) !== JSON.stringify(none);
  useEffect(() => listen('/events', {
    fax: (fax) => setList((l) => {
      if (!l.faxes) return l;
      const at = l.faxes.findIndex((f) => f.id === fax.id);
      if (at >= 0) return {...l, faxes: l.faxes.with(at, fax)};
      if (filtered || (l.faxes.length > 0 && fax.id < l.faxes[0].id)) return l;
      return {...l, faxes: [fax, ...l.faxes]};
    }),
    reload: load,
  }, setLost), [filtered]);

  const edit = (name) => (value) => setFilter((f) => ({...f, [name]: value}));
  return html`<${Page} title="Faxes" actions=${may('fax:send') && html`<a class="button main" href="#/send">Send a fax</a>`}>
    <form class="filter" role="search" onSubmit=${(e) => { e.preventDefault(); load(); }}>
      <${Field} name="q" label="Search" type="search" value=${filter.q} set=${edit('q')} placeholder="Number, id or tag"/>
      <${Field} name="state" label="State" value=${filter.state} set=${edit('state')} options=${[['', 'All'], ...Object.entries(states).map(([v, [word]]) => [v, word])]}/>
      <${Field} name="cause" label="Cause" value=${filter.cause} set=${edit('cause')} options=${[['', 'All'], ...Object.entries(causes)]}/>
      <${Field} name="since" label="From" type="date" value=${filter.since} set=${edit('since')}/>
      <${Field} name="until" label="To" type="date" value=${filter.until} set=${edit('until')}/>
    </form>
    <${Problem} error=${error}/>
    ${lost && html`<p class="note" role="status">The live line to the daemon is down; trying again.</p>`}
    ${list.faxes && html`<${Table} caption="Faxes, the latest first" head=${['To', 'State', 'Pages', 'What happened', 'Submitted']} cards>
      ${list.faxes.map((f) => html`<tr key=${f.id} id=${'fax-' + f.id}>
        <th scope="row"><a href=${'#/fax/' + f.id}>${f.to}</a></th>
        <td><${State} of=${f.state} cancelling=${f.cancel_requested}/></td>
        <td><${Bar} done=${f.progress?.page ?? f.confirmed_pages} of=${f.pages}/></td>
        <td class="text">${f.error ?? ''}</td>
        <td><${Time} at=${f.created_at}/></td></tr>`)}<//>
      ${list.faxes.length === 0 && html`<p class="empty">${filtered ? 'Nothing was found.' : 'No fax has been submitted yet.'}</p>`}
      ${list.next && html`<p><button type="button" onClick=${more}>Older ones</button></p>`}`}
  <//>`;
}
