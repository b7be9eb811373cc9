// Parts that several pages are made of.
import {html, useEffect, useRef, useState} from './vendor/preact.js';
import {states, when} from './words.js';

export {html, useEffect, useRef, useState};

// Page has a heading that gets the focus, so that screen readers and keyboards
// begin there when the page changes.
export function Page({title, actions, children}) {
  const heading = useRef();
  useEffect(() => {
    document.title = `${title} · Faxbot`;
    heading.current.focus({preventScroll: true});
  }, [title]);
  return html`<div class="head"><h1 ref=${heading} tabindex="-1">${title}</h1><div class="actions">${actions}</div></div>${children}`;
}

// State is a badge.
export function State({of, cancelling}) {
  const [word, tone] = states[of] ?? [of, 'dim'];
  return html`<span class="badge ${tone}">${cancelling && tone !== 'dim' && tone !== 'good' && tone !== 'bad' ? 'Being cancelled' : word}</span>`;
}

export const Time = ({at}) => (at ? html`<time datetime=${at} title=${new Date(at).toString()}>${when(at)}</time>` : '–');

// Bar shows how many pages have arrived.
export function Bar({done, of}) {
  if (!of) return '';
  return html`<span class="bar"><progress max=${of} value=${done} aria-label="Pages that have arrived"></progress> ${done} of ${of}</span>`;
}

// Problem says what went wrong, also to those who cannot see it.
export const Problem = ({error}) => (error ? html`<p class="problem" role="alert">${error.message ?? String(error)}</p>` : '');

export const Note = ({children}) => html`<p class="note" role="status">${children}</p>`;

// Field is a labelled control with a hint. It hands on what is typed.
export function Field({label, hint, name, value, set, type = 'text', options, ...rest}) {
  const id = 'f-' + name;
  const change = (e) => set(type === 'checkbox' ? e.target.checked : e.target.value);
  const hinted = hint ? id + '-hint' : undefined;
  let control;
  if (options) {
    control = html`<select id=${id} name=${name} value=${value} onChange=${change} aria-describedby=${hinted} ...${rest}>
      ${options.map(([v, text]) => html`<option key=${v} value=${v} selected=${v === value}>${text}</option>`)}</select>`;
  } else if (type === 'area') {
    control = html`<textarea id=${id} name=${name} value=${value} onInput=${change} aria-describedby=${hinted} ...${rest}></textarea>`;
  } else if (type === 'checkbox') {
    return html`<p class="field check"><input id=${id} name=${name} type="checkbox" checked=${value} onChange=${change} aria-describedby=${hinted} ...${rest}/>
      <label for=${id}>${label}</label>${hint && html`<span class="hint" id=${hinted}>${hint}</span>`}</p>`;
  } else {
    control = html`<input id=${id} name=${name} type=${type} value=${value} onInput=${change} aria-describedby=${hinted} autocomplete="off" ...${rest}/>`;
  }
  return html`<p class="field"><label for=${id}>${label}</label>${control}${hint && html`<span class="hint" id=${hinted}>${hint}</span>`}</p>`;
}

// Button runs something that takes time, once, and shows why it failed.
export function Button({run, children, kind = '', confirm: question, ...rest}) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const press = async () => {
    if (question && !window.confirm(question)) return;
    setBusy(true);
    setError(null);
    try {
      await run();
    } catch (e) {
      setError(e);
    }
    setBusy(false);
  };
  return html`<button type="button" class=${kind} disabled=${busy} onClick=${press} ...${rest}>${children}</button><${Problem} error=${error}/>`;
}

// useLoad fetches when what it depends on changes; again() fetches anew.
export function useLoad(load, depends) {
  const [state, set] = useState({data: null, error: null});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let current = true;
    load().then(
      (data) => current && set({data, error: null}),
      (error) => current && set((s) => ({data: s.data, error})),
    );
    return () => { current = false; };
  }, [...depends, turn]);
  return {...state, again: () => setTurn((n) => n + 1), set: (data) => set({data, error: null})};
}

// useEvery runs something now and then while the page is looked at.
export function useEvery(seconds, run) {
  const latest = useRef();
  latest.current = run;
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === 'visible' && latest.current(), seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds]);
}

// Copy puts a text on the clipboard and says so.
export function Copy({text, label = 'Copy'}) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(text);
    } else { // browsers have no clipboard for pages without TLS
      const area = document.createElement('textarea');
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand('copy');
      area.remove();
    }
    setDone(true);
  };
  return html`<button type="button" onClick=${copy}>${done ? 'Copied' : label}</button><span class="unseen" role="status">${done ? 'Copied' : ''}</span>`;
}

// Download makes a file of a text that is shown.
export function Download({text, name}) {
  const save = () => {
    const address = URL.createObjectURL(new Blob([text], {type: 'application/octet-stream'}));
    const link = document.createElement('a');
    link.href = address;
    link.download = name;
    link.click();
    URL.revokeObjectURL(address);
  };
  return html`<button type="button" onClick=${save}>Download</button>`;
}

// Table can be scrolled sideways, by keyboard too, where it is wider than the
// window. Head is a list of titles; one that begins with "#" is of
// figures, with "." for screen readers only.
export function Table({caption, head, cards, children}) {
  return html`<div class="wide" role="region" aria-label=${caption} tabindex="0"><table class=${cards ? 'cards' : ''}>
    <thead><tr>${head.map((title) => html`<th key=${title} scope="col" class=${title.startsWith('#') ? 'number' : ''}>${title.startsWith('.') ? html`<span class="unseen">${title.slice(1)}</span>` : title.replace(/^#/, '')}</th>`)}</tr></thead>
    <tbody>${children}</tbody></table></div>`;
}
