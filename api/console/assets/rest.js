// REST, as this page uses it. The session's cookie goes along by itself.

// Refusal is an answer that is no success: what happened, for a person.
export class Refusal extends Error {
  constructor(status, detail, code) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

// ask returns what the daemon answers, or throws a Refusal. A body is JSON or a
// form.
export async function ask(method, path, body) {
  const form = body instanceof FormData;
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: body && !form ? {'Content-Type': 'application/json'} : {},
      body: form ? body : body && JSON.stringify(body),
    });
  } catch {
    throw new Refusal(0, 'The daemon does not answer. Is it running, and is the network up?', 'unreachable');
  }
  const text = await response.text();
  let answer = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    answer = text;
  }
  if (response.ok) return answer;
  if (response.status === 401) dispatchEvent(new Event('signed-out'));
  throw new Refusal(response.status, answer?.detail ?? `The daemon answered ${response.status}.`, answer?.code);
}

export const get = (path) => ask('GET', path);
export const post = (path, body) => ask('POST', path, body);

// query makes the part of an address behind "?", without what is empty.
export function query(fields) {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value !== '' && value != null) q.set(name, value);
  }
  const text = q.toString();
  return text && '?' + text;
}

// listen hears the events of a stream until what it returns is called. lost is
// told whether the line to the daemon is down; browsers mend it by themselves.
export function listen(path, handlers, lost = () => {}) {
  const source = new EventSource(path);
  for (const [name, handle] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => handle(event.data ? JSON.parse(event.data) : null));
  }
  source.onopen = () => lost(false);
  source.onerror = () => {
    lost(true);
    if (source.readyState === EventSource.CLOSED) source.close();
  };
  return () => source.close();
}
