// Words and figures for people.

// states: what a fax's state is called, and its tone, a class of style.css.
export const states = {
  received: ['Being prepared', 'wait'],
  queued: ['Waiting', 'wait'],
  dialing: ['Dialling', 'live'],
  sending: ['Sending', 'live'],
  retry: ['Will call again', 'wait'],
  held: ['Held', 'warn'],
  done: ['Delivered', 'good'],
  failed: ['Failed', 'bad'],
  cancelled: ['Cancelled', 'dim'],
};

// causes: the classes of what can go wrong.
export const causes = {
  busy: 'Busy', no_answer: 'No answer', trunk: 'Carrier or gateway', misconfigured: 'Gateway misconfigured', media: 'No common media',
  bad_number: 'Wrong number', refused: 'Call refused', cancelled: 'Cancelled', ok: 'Delivered', not_a_fax: 'Not a fax machine',
  training: 'Modems did not agree', ecm: 'Error correction failed', t38: 'T.38 failed', incapable: 'Receiver cannot take it', image: 'Page format refused',
  page_lost: 'Page lost', dropped: 'Line dropped', document: 'Document', switch: 'FreeSWITCH', rejected: 'Fax refused', operator: 'Operator',
  inbound: 'Inbound', unknown: 'Nobody knows', expired: 'Deadline passed', on_hold: 'To be looked at', disabled: 'Faxing disabled',
};

// witnesses: who tells what a call came to.
export const witnesses = {
  call: 'the call itself', link: 'the command link', record: 'FreeSWITCH’s record', hook: 'the hook', inquiry: 'asking FreeSWITCH', daemon: 'Faxbot: nothing was sent',
};

// when is a time as people at this desk write it; today without the date.
export function when(text) {
  if (!text) return '';
  const at = new Date(text), now = new Date();
  const clock = at.toLocaleTimeString(undefined, {hour: '2-digit', minute: '2-digit', second: '2-digit'});
  if (at.toDateString() === now.toDateString()) return clock;
  return at.toLocaleDateString(undefined, {year: 'numeric', month: 'short', day: 'numeric'}) + ', ' + clock;
}

// span is a time that passes, in seconds.
export function span(seconds) {
  if (seconds == null || !isFinite(seconds)) return '';
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 48 * 3600) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} days`;
}

export const between = (from, to) => (from && to ? (new Date(to) - new Date(from)) / 1000 : null);

export const count = (n, one, many = one + 's') => `${n} ${n === 1 ? one : many}`;

export const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : '–');
