// Send a fax: file, number, and what else may be wished for.
import {get, post} from './rest.js';
import {Field, Page, Problem, html, useLoad, useRef, useState} from './parts.js';

const blank = {to: '', from: '', header: '', station_id: '', gateway: '', window: '', send_at: '', deadline: '', priority: '', max_attempts: '', tags: '', resolution: '', pages: '', cover: ''};

export function Send() {
  const [form, setForm] = useState(blank);
  const [files, setFiles] = useState([]);
  const [over, setOver] = useState(false);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const picker = useRef();
  // The same submission sent twice, by two clicks or a broken line, is one fax.
  const once = useRef(crypto.randomUUID?.() ?? String(Math.random()));
  const edit = (name) => (value) => setForm((f) => ({...f, [name]: value}));
  const add = (list) => setFiles((f) => [...f, ...list]);

  const submit = async (e) => {
    e.preventDefault();
    if (files.length === 0) { setError(new Error('Choose a file first.')); return; }
    const body = new FormData();
    for (const [name, value] of Object.entries(form)) {
      if (value !== '') body.set(name, name === 'send_at' || name === 'deadline' ? new Date(value).toISOString() : value);
    }
    for (const file of files) body.append('file', file);
    setBusy(true);
    setError(null);
    try {
      const made = await post('/fax', body);
      location.hash = '#/fax/' + made.id;
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return html`<${Page} title="Send a fax"><form onSubmit=${submit} class="sheet">
    <div class=${'drop' + (over ? ' over' : '')} onDragOver=${(e) => { e.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)}
      onDrop=${(e) => { e.preventDefault(); setOver(false); add(e.dataTransfer.files); }}>
      <p><label for="files">Documents</label> <input id="files" ref=${picker} type="file" multiple onChange=${(e) => { add(e.target.files); e.target.value = ''; }}/></p>
      <p class="hint">Or drop them here. PDF, text, TIFF, PNG, JPEG, GIF and WebP; several become one fax, in this order.</p>
      <ol>${files.map((f, i) => html`<li key=${i}>${f.name} <button type="button" class="plain" aria-label=${'Leave out ' + f.name} onClick=${() => setFiles(files.toSpliced(i, 1))}>leave out</button></li>`)}</ol>
    </div>
    <${Field} name="to" label="To" type="tel" value=${form.to} set=${edit('to')} required placeholder="+15551230001" hint="With + and the country's code. Spaces, dots and dashes may stand between the digits."/>
    <details><summary>When and how</summary>
      <${Field} name="send_at" label="Not before" type="datetime-local" value=${form.send_at} set=${edit('send_at')}/>
      <${Field} name="deadline" label="Not after" type="datetime-local" value=${form.deadline} set=${edit('deadline')}/>
      <${Field} name="window" label="Hours" value=${form.window} set=${edit('window')} placeholder="08:00-18:00" hint="By the clock at the number."/>
      <${Field} name="priority" label="Priority" type="number" min="0" max="255" value=${form.priority} set=${edit('priority')} hint="0 comes last, 255 first; 127 is usual."/>
      <${Field} name="max_attempts" label="Calls at the most" type="number" min="1" max="100" value=${form.max_attempts} set=${edit('max_attempts')}/>
      <${Field} name="gateway" label="Gateway" value=${form.gateway} set=${edit('gateway')}/>
    </details>
    <details><summary>How it looks</summary>
      <${Field} name="from" label="Calling number" value=${form.from} set=${edit('from')}/>
      <${Field} name="station_id" label="Station id" maxlength="20" value=${form.station_id} set=${edit('station_id')}/>
      <${Field} name="header" label="Header line" maxlength="100" value=${form.header} set=${edit('header')}/>
    </details>
    <${Problem} error=${error}/>
    <p><button type="submit" class="main" disabled=${busy}>${busy ? 'Sending…' : 'Send'}</button></p>
  </form><//>`;
}
