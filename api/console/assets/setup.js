// The setup: from nothing to a first fax. What is filled in is tried against
// the switch before it is stored; then come the very files that FreeSWITCH
// needs, and a call to a number of the user's choice.
import {listen, post} from './rest.js';
import {Bar, Button, Copy, Download, Field, Note, Page, Problem, State, html, useEffect, useLoad, useState} from './parts.js';
import {Results} from './checks.js';
import {useSettings} from './settings.js';

const steps = ['FreeSWITCH', 'The line', 'Try and store', 'Files for FreeSWITCH', 'A test fax'];

export function Setup() {
  const settings = useSettings();
  const [step, setStep] = useState(0);
  const [carrier, setCarrier] = useState({carrier: '', username: '', password: '', shell: false, switch: ''});
  const next = html`<p class="actions">${step > 0 && html`<button type="button" onClick=${() => setStep(step - 1)}>Back</button>`}
    ${step < steps.length - 1 && html`<button type="button" class="main" onClick=${() => setStep(step + 1)}>Next</button>`}</p>`;
  const at = [
    () => html`<p>Where the event socket of FreeSWITCH listens (mod_event_socket). The password is in <code>autoload_configs/event_socket.conf.xml</code>.</p>
      ${settings.control('FREESWITCH_ESL_HOST', {label: 'Host'})}${settings.control('FREESWITCH_ESL_PORT', {label: 'Port'})}${settings.control('FREESWITCH_ESL_PASSWORD', {label: 'Password'})}`,
    () => html`${settings.control('FREESWITCH_GATEWAY_NAME', {label: 'Gateway'})}${settings.control('FREESWITCH_CALLER_ID_NUMBER', {label: 'Caller id'})}
      ${settings.control('FAX_LOCAL_STATION_ID', {label: 'Station id'})}${settings.control('FAX_HEADER', {label: 'Header line'})}
      ${settings.control('FREESWITCH_T38_ENABLE', {label: 'Offer T.38'})}${settings.control('FREESWITCH_HOOK_SECRET', {label: 'Secret of the result hook'})}`,
    () => html`<${Try} settings=${settings} stored=${() => setStep(step + 1)}/>`,
    () => html`<${Files} asked=${carrier} ask=${setCarrier} gateway=${settings.all.FREESWITCH_GATEWAY_NAME.value} several=${settings.all.FAXBOT_SWITCHES.value === 'set'}/>`,
    () => html`<${TestFax}/>`,
  ];
  return html`<${Page} title="Setup">
    <ol class="steps">${steps.map((name, i) => html`<li key=${name}><button type="button" class="plain" aria-current=${i === step ? 'step' : undefined} onClick=${() => setStep(i)}>${i + 1}. ${name}</button></li>`)}</ol>
    <${Problem} error=${settings.error}/>
    ${settings.all && html`<section class=${step === 3 ? '' : 'sheet'}><h2>${steps[step]}</h2>${at[step]()}${next}</section>`}
  <//>`;
}

function Try({settings, stored}) {
  const [result, setResult] = useState(null);
  return html`<p>FreeSWITCH is asked with what you have filled in; nothing is stored by that. It places a call without a line, to show that it can connect back. No telephone rings.</p>
    <p class="actions"><${Button} run=${async () => setResult(await post('/admin/diagnostics/run', {settings: settings.texts}))}>Try<//>
      ${settings.changed ? html`<${Button} kind="main" run=${async () => { await settings.save(); stored(); }}>Store and apply<//>` : html`<span class="dim">Everything is stored.</span>`}</p>
    ${result && html`<p role="status">${result.summary.healthy ? 'Faxes can be sent with these settings.' : 'Faxes cannot be sent with these settings yet.'}</p><${Results} of=${result}/>`}`;
}

function Files({asked, ask, gateway, several}) {
  const files = useLoad(() => post('/admin/freeswitch-files', asked), [JSON.stringify(asked)]);
  const edit = (name) => (value) => ask((a) => ({...a, [name]: value}));
  return html`<p>These go into FreeSWITCH\u2019s configuration folder, usually <code>/etc/freeswitch</code>, with the addresses and secrets of this daemon in them.
      Those with a secret must be readable for FreeSWITCH and nobody else. Then <code>fs_cli -x reloadxml</code>; modules and the event socket need a restart.</p>
    <div class="sheet">${several && html`<${Field} name="switch" label="FreeSWITCH" value=${asked.switch} set=${edit('switch')} hint="Its name in FAXBOT_SWITCHES; empty for the first."/>`}
      <${Field} name="carrier" label="Carrier of the gateway ${gateway}" value=${asked.carrier} set=${edit('carrier')} placeholder="sip.example.net" hint="Its SIP address. Leave it empty when FreeSWITCH has the gateway already. Nothing of this is kept."/>
      ${asked.carrier && html`<${Field} name="username" label="User name there" value=${asked.username} set=${edit('username')} hint="Empty when the carrier knows this host by its address."/>
        <${Field} name="carrier-password" label="Password there" type="password" value=${asked.password} set=${edit('password')}/>`}
      <${Field} name="shell" label="FreeSWITCH has no mod_curl" type="checkbox" value=${asked.shell} set=${edit('shell')} hint="Then the result hook runs curl in a shell."/></div>
    <${Problem} error=${files.error}/>
    ${files.data?.left_out.map((why) => html`<${Note} key=${why}>${why}<//>`)}
    ${files.data?.files.map((f) => html`<div class="file" key=${f.path}><div class="head"><h3>${f.path} ${f.secret && html`<span class="badge warn">holds a secret</span>`}</h3>
      <div class="actions"><${Copy} key=${f.text} text=${f.text}/><${Download} text=${f.text} name=${f.path.split('/').pop()}/></div></div><pre tabindex="0"><code>${f.text}</code></pre></div>`)}`;
}

function TestFax() {
  const [to, setTo] = useState('');
  const [fax, setFax] = useState(null);
  useEffect(() => (fax ? listen(`/fax/${fax.id}/events`, {fax: setFax}) : undefined), [fax?.id]);
  const send = async () => {
    const body = new FormData();
    body.set('to', to);
    body.append('file', new File([`Faxbot\n\nThis is a test page, sent ${new Date().toString()}.\n\nIf you can read this, faxes arrive.\n`], 'test.txt', {type: 'text/plain'}));
    setFax(await post('/fax', body));
  };
  return html`<p>One page is sent to a number that you can look at. This is a real call, and it costs what a call costs.</p>
    <${Field} name="to" label="Number" type="tel" value=${to} set=${setTo} placeholder="+15551230001"/>
    <p><${Button} kind="main" run=${send} disabled=${!to}>Send the test page<//></p>
    ${fax && html`<p class="status" aria-live="polite"><${State} of=${fax.state}/> <${Bar} done=${fax.progress?.page ?? 0} of=${fax.pages}/> ${fax.error} <a href=${'#/fax/' + fax.id}>All about it</a></p>`}`;
}
