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

const words = {ok: ['good', 'in order'], warning: ['warn', 'warning'], fails: ['bad', 'fails'], skipped: ['', 'not tried']};

const worst = ['fails', 'warning', 'ok', 'skipped'];

// Results are the findings of a diagnosis, what needs mending first.
export const Results = ({of}) => html`<ul class="checks">${of.findings.toSorted((a, b) => worst.indexOf(a.outcome) - worst.indexOf(b.outcome)).map((f) => {
  const [kind, word] = words[f.outcome];
  return html`<li key=${f.check} class=${kind}><strong>${f.check}</strong> <span class="badge ${kind}">${word}</span> ${f.found}
    ${f.mend && html`<br/>To mend it: ${f.mend}`}<br/><small>How it was found out: ${f.how}</small></li>`;
})}</ul>`;
