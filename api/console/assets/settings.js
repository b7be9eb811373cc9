// All settings: what is in force, where it comes from, and what may be stored.
import {ask, get} from './rest.js';
import {Field, Page, Problem, html, useLoad, useState} from './parts.js';

const sources = {default: 'the default', stored: 'stored here', environment: 'set in the environment of the daemon', flag: 'set by a flag of the daemon'};

// locked says why a setting cannot be changed here; "" when it can.
export function locked(setting, all) {
  if (setting.source === 'environment' || setting.source === 'flag') return `It is ${sources[setting.source]}; change it there.`;
  if (setting.applies === 'never') return 'It must be known before the daemon starts; set it in its environment.';
  const password = all['FREESWITCH_ESL_PASSWORD'];
  if (/^FREESWITCH_ESL_(HOST|PORT)$/.test(setting.name) && ['environment', 'flag'].includes(password.source)) {
    return `FreeSWITCH\u2019s password is ${sources[password.source]}; set the address there, too.`;
  }
  return '';
}

const shown = (v) => (Array.isArray(v) ? v.join(', ') : String(v ?? ''));

// Setting is the control for one. A text of undefined is what is in force.
export function Setting({of, all, text, set, label, hint}) {
  const why = locked(of, all);
  const common = {name: of.name, label: label ?? of.name, disabled: Boolean(why), hint: html`${hint ?? of.help} ${why || (of.source === 'stored' ? 'Stored here.' : '')}
    ${of.pending != null && html`<strong>After the next start: ${shown(of.pending)}.</strong>`} ${!why && of.applies === 'restart' && 'Takes effect at the next start.'}`};
  if (typeof of.value === 'boolean') return html`<${Field} ...${common} type="checkbox" value=${text === undefined ? of.value : text === 'true'} set=${(on) => set(String(on))}/>`;
  if (of.secret) return html`<${Field} ...${common} type="password" value=${text ?? ''} set=${set} placeholder=${of.value === 'set' ? 'set; stays as it is' : 'not set'}/>`;
  return html`<${Field} ...${common} value=${text ?? shown(of.pending ?? of.value)} set=${set}/>`;
}

// useSettings is what the daemon has, by name, and the changes made on a page.
export function useSettings() {
  const loaded = useLoad(() => get('/admin/settings'), []);
  const [texts, setTexts] = useState({});
  const all = loaded.data && Object.fromEntries(loaded.data.settings.map((s) => [s.name, s]));
  return {
    all, error: loaded.error, texts,
    control: (name, more) => html`<${Setting} key=${name} of=${all[name]} all=${all} text=${texts[name]} set=${(t) => setTexts((old) => ({...old, [name]: t}))} ...${more}/>`,
    changed: Object.keys(texts).length > 0,
    save: async () => {
      loaded.set(await ask('PUT', '/admin/settings', texts));
      setTexts({});
    },
  };
}

export function Settings() {
  const settings = useSettings();
  const [error, setError] = useState(null);
  const [done, setDone] = useState(false);
  const save = async (e) => {
    e.preventDefault();
    setDone(false);
    try {
      await settings.save();
      setError(null);
      setDone(true);
    } catch (problem) {
      setError(problem);
    }
  };
  const groups = settings.all ? [...new Set(Object.values(settings.all).map((s) => s.group))] : [];
  return html`<${Page} title="Settings" actions=${html`<a class="button" href="/admin/settings/export" download>Export</a>`}>
    <p>What is stored here lies above the defaults and below the environment and the flags of the daemon. An empty field takes back what is stored. <a href="#/setup">The setup</a> goes through what matters for FreeSWITCH.</p>
    <${Problem} error=${settings.error}/>
    ${settings.all && html`<form class="sheet" onSubmit=${save}>
      ${groups.map((g) => html`<details key=${g}><summary>${g}</summary>${Object.values(settings.all).filter((s) => s.group === g).map((s) => settings.control(s.name))}</details>`)}
      <${Problem} error=${error}/>${done && html`<p class="note calm" role="status">Stored. What takes effect at once has done so.</p>`}
      <p><button type="submit" class="main" disabled=${!settings.changed}>Store</button></p></form>`}
  <//>`;
}
