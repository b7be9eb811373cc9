// One fax: its time-line, its pages, what will happen next.
import {ask, get, listen, post} from './rest.js';
import {Bar, Button, Field, Page, Problem, State, Time, html, useEffect, useLoad, useState} from './parts.js';
import {between, causes, count, span, witnesses} from './words.js';

const over = (fax) => ['done', 'failed', 'cancelled'].includes(fax.state);

export function Fax({args: [id], may}) {
  const loaded = useLoad(() => get('/fax/' + id), [id]);
  const plan = useLoad(() => get(`/fax/${id}/plan`), [id, loaded.data?.state, loaded.data?.dials]);
  useEffect(() => listen(`/fax/${id}/events`, {fax: loaded.set}), [id]);
  const fax = loaded.data;
  if (!fax) return html`<${Page} title="Fax"><${Problem} error=${loaded.error}/><//>`;
  const submit = may('fax:send');
  return html`<${Page} title=${'Fax to ' + fax.to} actions=${submit && html`<${Actions} fax=${fax}/>`}>
    <p class="status" aria-live="polite"><${State} of=${fax.state} cancelling=${fax.cancel_requested}/> <${Bar} done=${fax.progress.page} of=${fax.pages}/> ${fax.error}</p>
    ${fax.warnings.map((w) => html`<p class="note">${w}</p>`)}
    ${fax.seconds > 0 && html`<p class="dim">${count(fax.pages, 'page')}, about ${span(fax.seconds)} on the line.</p>`}
    ${!over(fax) && plan.data && html`<section><h2>What will happen</h2><p class="plan">${plan.data.text}</p></section>`}
    <section><h2>Calls</h2>
      ${fax.attempts.length === 0 && html`<p class="empty">None yet.</p>`}
      <ol class="calls">${[...fax.attempts].reverse().map((a) => html`<${Call} key=${a.id} call=${a} fax=${fax} expert=${may('keys:manage')}/>`)}</ol></section>
    <${Pages} fax=${fax}/>
    <section><h2>As submitted</h2><${Facts} of=${[
      ['Id', fax.id], ['Submitted', html`<${Time} at=${fax.created_at}/>`], ['Due', html`<${Time} at=${fax.due_at}/>`],
      ['Deadline', html`<${Time} at=${fax.deadline}/>`], ['Priority', fax.priority], ['Gateway', fax.gateway], ['Hours', fax.window],
      ['From', fax.from], ['Station id', fax.station_id], ['Header', fax.header], ['Files', fax.documents],
      ['Resolution', fax.resolution], ['Cover', fax.cover], ['Chosen pages', fax.page_range], ['Tags', fax.tags.join(', ')], ['Calls placed', fax.dials], ['Calls answered', fax.tries],
    ]}/></section>
  <//>`;
}

const Facts = ({of}) => html`<dl class="facts">${of.filter(([, v]) => v != null && v !== '').map(([name, v]) => html`<div key=${name}><dt>${name}</dt><dd>${v}</dd></div>`)}</dl>`;

const who = (list) => list?.map((w) => witnesses[w] ?? '').join(', ');

// Call is one entry of the time-line.
function Call({call, fax, expert}) {
  const live = call.state !== 'ended';
  const first = call.parameters.start_page;
  const pages = Array.from({length: Math.max(0, (fax.pages ?? 0) - first)}, (_, i) => i);
  const line = [call.t38 == null ? null : call.t38 ? 'T.38' : 'G.711', call.rate && `${call.rate} bit/s`, call.ecm == null ? null : call.ecm ? 'error correction' : 'no error correction'];
  return html`<li class=${live ? 'live' : call.cause === 'ok' ? 'good' : 'bad'}>
    <h3>Call ${call.attempt} <${Time} at=${call.created_at}/></h3>
    <p>${live ? (call.answered_at ? 'Answered, sending.' : 'Dialling.') : call.message ?? ''} <span class="dim">through ${call.gateway}</span></p>
    ${pages.length > 0 && call.answered_at && html`<p class="sheets" role="img" aria-label=${`${count(call.pages, 'page')} confirmed in this call, beginning with page ${first + 1}`}>
      ${pages.map((i) => html`<span class=${i < call.pages ? 'sent' : ''} title=${'Page ' + (first + i + 1)}></span>`)}</p>`}
    ${call.reasons.length > 0 && html`<p>Done differently:</p><ul>${call.reasons.map((r) => html`<li>${r.text}</li>`)}</ul>`}
    <${Facts} of=${[
      ['Negotiated', line.filter(Boolean).join(', ')], ['Remote station', call.remote_station],
      ['Answered after', span(between(call.created_at, call.answered_at))], ['On the line', span(between(call.answered_at, call.ended_at))],
      ['Cause', call.cause && causes[call.cause]], ['Code (T.30)', call.code],
      ['Known by', who([call.witnesses?.decided])], ['Agreed', who(call.witnesses?.agreed)], ['Contradicted by', who(call.witnesses?.contradicted)],
      ['Allowed', [call.parameters.t38 && 'T.38', call.parameters.v17 && 'V.17', call.parameters.ecm && 'ECM', call.parameters.standard && 'standard resolution'].filter(Boolean).join(', ')],
    ]}/>
    ${expert && !live && call.answered_at && html`<${Recording} of=${`/admin/fax-jobs/${fax.id}/attempts/${call.attempt}/recording`}/>`}</li>`;
}

// Recording is what FreeSWITCH and the daemon said in a call, as they said it.
function Recording({of}) {
  const [text, setText] = useState(null);
  const [error, setError] = useState(null);
  const open = (e) => {
    if (e.currentTarget.open && text == null) get(of).then((t) => { setText(t); setError(null); }, setError);
  };
  return html`<details onToggle=${open}><summary>Raw events</summary><${Problem} error=${error}/>
    ${text && html`<p><a href=${of} download>Recording</a>, for <code>faxbot replay</code></p><div class="messages">
      ${messages(text).map((m, i) => html`<details key=${i}><summary>${m.title}</summary><pre tabindex="0">${m.body}</pre></details>`)}</div>`}</details>`;
}

// messages takes a recording apart. A message is known by its event, or else by
// the words that it begins with.
function messages(text) {
  const parts = text.split(/^(<<|>>|--) (\d+\.\d{3}) \d+\n/m).slice(1);
  const found = (body, name) => body.match(new RegExp(`^${name}: (.*)`, 'm'))?.[1].replaceAll('%3A', ':');
  return Array.from({length: parts.length / 3}, (_, i) => {
    const [arrow, at, body] = parts.slice(3 * i, 3 * i + 3);
    const name = ['Event-Subclass', 'Event-Name', 'Reply-Text', 'execute-app-name'].map((n) => found(body, n)).find(Boolean) ?? body.split('\n')[0];
    return {title: `${at} s ${{'<<': '←', '>>': '→', '--': '…'}[arrow]} ${name}`, body};
  });
}

// Pages are the pictures of what is transmitted, a few at a time.
function Pages({fax}) {
  const [shown, setShown] = useState(4);
  if (!fax.pages) return '';
  const numbers = Array.from({length: Math.min(shown, fax.pages)}, (_, i) => i + 1);
  return html`<section><h2>Pages, exactly as transmitted</h2><div class="pages">
    ${numbers.map((n) => html`<a key=${n} href=${`/fax/${fax.id}/pages/${n}.png`} target="_blank" rel="noopener"><img loading="lazy" src=${`/fax/${fax.id}/pages/${n}.png`} alt=${`Page ${n} of ${fax.pages}`}/></a>`)}</div>
    ${shown < fax.pages && html`<p><button type="button" onClick=${() => setShown(shown + 12)}>More pages</button></p>`}</section>`;
}

function Actions({fax}) {
  const [other, setOther] = useState(false);
  const [to, setTo] = useState(fax.to);
  const again = async () => {
    const made = await post(`/fax/${fax.id}/resend`, to === fax.to ? {} : {to});
    location.hash = '#/fax/' + made.id;
  };
  if (other) return html`<${Field} name="to" label="Send it again to" value=${to} set=${setTo} type="tel"/><${Button} kind="main" run=${again}>Send<//><button type="button" onClick=${() => setOther(false)}>Not now</button>`;
  return html`
    ${!over(fax) && !fax.cancel_requested && html`<${Button} kind="danger" confirm="Cancel this fax? A call under way is hung up." run=${() => ask('DELETE', '/fax/' + fax.id)}>Cancel<//>`}
    ${['queued', 'retry'].includes(fax.state) && html`<${Button} run=${() => post(`/fax/${fax.id}/hold`)}>Hold<//>`}
    ${fax.state === 'held' && html`<${Button} kind="main" run=${() => post(`/fax/${fax.id}/release`)}>${fax.cause === 'on_hold' ? 'Send it' : 'Release'}<//>`}
    ${fax.state === 'retry' && html`<${Button} run=${() => post(`/fax/${fax.id}/release`)}>Call now<//>`}
    ${over(fax) && html`<button type="button" onClick=${() => setOther(true)}>Send again…</button>`}`;
}
