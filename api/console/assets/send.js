// Send a fax: files, number, and what else may be wished for. "Look first" has
// the pages made and nobody called: the fax waits on its own page for a word.
import {post} from './rest.js';
import {Field, Page, Problem, html, useState} from './parts.js';

const blank = {
  to: '', from: '', header: '', station_id: '', gateway: '', window: '', send_at: '', deadline: '', priority: '', max_attempts: '', tags: '',
  resolution: '', pages: '', darkness: '', cover: '', cover_to: '', cover_from: '', cover_subject: '', cover_message: '', purge_on_success: false,
};

const resolutions = [['', 'Fine (204 × 196)'], ['standard', 'Standard (204 × 98): half the time'], ['superfine', 'Superfine (204 × 391): twice the time']];
const darknesses = [['-3', 'Lightest'], ['-2', 'Much lighter'], ['-1', 'Lighter'], ['', 'As it is'], ['1', 'Darker'], ['2', 'Much darker'], ['3', 'Darkest']];

// country says what a number looks like, before it is sent anywhere.
function country(to) {
  const digits = to.replace(/[\s.()\/-]/g, '');
  if (!digits) return 'With + and the country\u2019s code, like +1 555 123 0001. Spaces, dots and dashes may stand between the digits.';
  if (!/^\+?\d*$/.test(digits)) return 'A number has digits only, and a + in front.';
  if (digits.startsWith('00')) return `Write +${digits.slice(2)}: the + stands for the 00 of your country.`;
  if (!digits.startsWith('+')) return 'Without + it is dialled as it is; with + and the country\u2019s code its hours and its routes are known.';
  const name = zones.find(([prefix]) => digits.startsWith(prefix));
  return name ? name[1] : digits.length < 7 ? 'The number goes on.' : '';
}

// zones are the first digits of calling codes (ITU-T E.164), enough to notice a
// slip of the finger.
const zones = [
  ['+1', 'North America or the Caribbean'], ['+20', 'Egypt'], ['+27', 'South Africa'], ['+30', 'Greece'], ['+31', 'Netherlands'], ['+32', 'Belgium'], ['+33', 'France'],
  ['+34', 'Spain'], ['+351', 'Portugal'], ['+352', 'Luxembourg'], ['+353', 'Ireland'], ['+354', 'Iceland'], ['+358', 'Finland'], ['+36', 'Hungary'], ['+39', 'Italy'],
  ['+40', 'Romania'], ['+41', 'Switzerland'], ['+420', 'Czechia'], ['+421', 'Slovakia'], ['+423', 'Liechtenstein'], ['+43', 'Austria'], ['+44', 'United Kingdom'],
  ['+45', 'Denmark'], ['+46', 'Sweden'], ['+47', 'Norway'], ['+48', 'Poland'], ['+49', 'Germany'], ['+52', 'Mexico'], ['+54', 'Argentina'], ['+55', 'Brazil'],
  ['+61', 'Australia'], ['+64', 'New Zealand'], ['+65', 'Singapore'], ['+7', 'Russia or Kazakhstan'], ['+81', 'Japan'], ['+82', 'Korea'], ['+86', 'China'],
  ['+90', 'T\u00fcrkiye'], ['+91', 'India'], ['+972', 'Israel'],
];

export function Send() {
  const [form, setForm] = useState(blank);
  const [files, setFiles] = useState([]);
  const [over, setOver] = useState(false);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const edit = (name) => (value) => setForm((f) => ({...f, [name]: value}));
  const field = (name, label, more) => html`<${Field} name=${name} label=${label} value=${form[name]} set=${edit(name)} ...${more}/>`;
  const add = (list) => setFiles((f) => [...f, ...list]);

  const submit = async (hold) => {
    if (files.length === 0) { setError(new Error('Choose a document first.')); return; }
    if (!form.to.trim()) { setError(new Error('Whom is it for? Fill in the number.')); return; }
    const body = new FormData();
    for (const [name, value] of Object.entries(form)) {
      if (value === '' || value === false) continue;
      body.set(name, name === 'send_at' || name === 'deadline' ? new Date(value).toISOString() : value);
    }
    if (hold) body.set('hold', 'true');
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
  return html`<${Page} title="Send a fax"><form onSubmit=${(e) => { e.preventDefault(); submit(false); }} class="sheet">
    <div class=${'drop' + (over ? ' over' : '')} onDragOver=${(e) => { e.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)}
      onDrop=${(e) => { e.preventDefault(); setOver(false); add(e.dataTransfer.files); }}>
      <p><label for="files">Documents</label> <input id="files" type="file" multiple onChange=${(e) => { add(e.target.files); e.target.value = ''; }}/></p>
      <p class="hint">Or drop them here. PDF, text, TIFF, PNG, JPEG, GIF, WebP, and office documents where LibreOffice is installed; several become one fax, in this order.</p>
      <ol>${files.map((f, i) => html`<li key=${i}>${f.name} <button type="button" class="plain" aria-label=${'Leave out ' + f.name} onClick=${() => setFiles(files.toSpliced(i, 1))}>leave out</button></li>`)}</ol>
    </div>
    ${field('to', 'To', {type: 'tel', placeholder: '+15551230001', hint: country(form.to)})}
    <details><summary>Cover page</summary>
      ${field('cover', 'Cover', {hint: '“plain”, or the name of a template that an administrator has put there. Empty: none.', placeholder: 'plain'})}
      ${field('cover_to', 'For', {maxlength: 100})}${field('cover_from', 'From', {maxlength: 100})}
      ${field('cover_subject', 'Subject', {maxlength: 100})}${field('cover_message', 'Message', {type: 'area', rows: 4, maxlength: 2000})}
    </details>
    <details><summary>When</summary>
      ${field('send_at', 'Not before', {type: 'datetime-local'})}${field('deadline', 'Not after', {type: 'datetime-local'})}
      ${field('window', 'Hours', {placeholder: '08:00-18:00', hint: 'By the clock at the number.'})}
      ${field('priority', 'Priority', {type: 'number', min: 0, max: 255, hint: '0 comes last, 255 first; 127 is usual.'})}
      ${field('max_attempts', 'Calls at the most', {type: 'number', min: 1, max: 100})}
    </details>
    <details><summary>How it looks, and how it goes</summary>
      ${field('resolution', 'Resolution', {options: resolutions})}${field('darkness', 'Darkness', {options: darknesses})}
      ${field('pages', 'Pages', {placeholder: '1-3,5', hint: 'Empty: all of them.'})}
      ${field('header', 'Header line', {maxlength: 50})}${field('station_id', 'Station id', {maxlength: 20})}
      ${field('from', 'Calling number')}${field('gateway', 'Gateway', {hint: 'Or several with commas between them, the preferred first.'})}
      ${field('tags', 'Tags', {hint: 'Words to find it by, with commas between them.'})}
      ${field('purge_on_success', 'Delete the documents as soon as the fax is delivered', {type: 'checkbox'})}
    </details>
    <${Problem} error=${error}/>
    <p class="actions"><button type="submit" class="main" disabled=${busy}>${busy ? 'Sending…' : 'Send'}</button>
      <button type="button" disabled=${busy} onClick=${() => submit(true)}>Look at the pages first</button></p>
  </form><//>`;
}
