// Diagnostics: what was tried, how it was found out, how to mend it.
import {post} from './rest.js';
import {Button, Page, Problem, Time, html, useLoad} from './parts.js';

export function Checks() {
  const run = useLoad(() => post('/admin/diagnostics/run'), []);
  return html`<${Page} title="Diagnostics" actions=${html`<${Button} run=${async () => run.again()}>Run again<//>`}>
    <${Problem} error=${run.error}/>
    ${run.data ? html`<p>Tried <${Time} at=${run.data.timestamp}/>.</p><${Results} of=${run.data}/>` : html`<p role="status">Trying everything…</p>`}
  <//>`;
}

export const Results = ({of}) => html`<ul class="checks">${Object.entries(of.checks).map(([name, c]) => html`
  <li key=${name} class=${c.ok ? 'good' : 'bad'}><strong>${name}</strong> <span class="badge ${c.ok ? 'good' : 'bad'}">${c.ok ? 'in order' : 'fails'}</span> ${c.detail}</li>`)}</ul>`;
