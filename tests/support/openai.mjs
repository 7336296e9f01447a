// What a client of the OpenAI API does, with nothing but fetch and sockets, so that a test sees each byte.
import net from 'node:net';

// A picture of one pixel, in base64.
export const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA'
  + 'AABJRU5ErkJggg==';

const json = (body, headers) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

export const post = (system, path, body, headers = {}) =>
  fetch(`${system.address}${path}`, json(body, headers));

export const chatBody = (model, question, more = {}) => ({
  model, temperature: 0, messages: [{ role: 'user', content: question }], ...more,
});

const withWorker = (worker) => (worker ? { 'x-rbee-worker': worker } : {});

// The whole text of one answer.
export async function chat(system, model, question, { worker } = {}) {
  const answer = await post(system, '/v1/chat/completions', chatBody(model, question), withWorker(worker));
  const body = await answer.json();
  if (answer.status !== 200) throw new Error(`${answer.status} ${JSON.stringify(body)}`);
  return body.choices[0].message.content;
}

// Server-sent events of an answer, each parsed; '[DONE]' as it is.
export async function* events(answer) {
  let buffer = '';
  const decoder = new TextDecoder();
  for await (const bytes of answer.body) {
    buffer += decoder.decode(bytes, { stream: true });
    for (let end = buffer.indexOf('\n\n'); end >= 0; end = buffer.indexOf('\n\n')) {
      const event = buffer.slice(0, end);
      buffer = buffer.slice(end + 2);
      const lines = event.split('\n').filter((line) => line.startsWith('data:'));
      const data = lines.map((line) => line.slice(5).trim()).join('\n');
      if (data) yield data === '[DONE]' ? data : JSON.parse(data);
    }
  }
}

// The lines of an answer in JSON lines, each parsed.
export async function* linesOf(answer) {
  let buffer = '';
  const decoder = new TextDecoder();
  for await (const bytes of answer.body) {
    buffer += decoder.decode(bytes, { stream: true });
    const whole = buffer.split('\n');
    buffer = whole.pop();
    for (const line of whole) yield JSON.parse(line);
  }
}

// Reads a streamed answer to its end: {text, done, error, ttft_ms, chunks}.
export async function readStream(answer, onEvent = async () => {}) {
  const result = { text: '', done: false, error: null, chunks: 0, cut: false };
  try {
    for await (const event of events(answer)) {
      result.chunks += 1;
      if (event === '[DONE]') result.done = true;
      else if (event.error) result.error = event.error;
      else result.text += event.choices?.[0]?.delta?.content ?? '';
      await onEvent(event, result);
    }
  } catch (failure) {
    result.cut = true;
  }
  return result;
}

// A streamed answer of which `pieces` events have come; `ended` is what readStream() gives, and
// `longest_gap_ms` the longest time between two of the events that came since.
export async function begunStream(system, body, { headers = {}, pieces = 4 } = {}) {
  const answer = await post(system, '/v1/chat/completions', { ...body, stream: true }, headers);
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
  const stream = { worker: answer.headers.get('x-rbee-worker'), longest_gap_ms: 0 };
  let last;
  await new Promise((begun) => {
    stream.ended = readStream(answer, async (event, { chunks }) => {
      const now = performance.now();
      if (chunks > pieces) stream.longest_gap_ms = Math.max(stream.longest_gap_ms, now - last);
      last = now;
      if (chunks === pieces) begun();
    }).finally(begun);
  });
  return stream;
}

export async function chatStream(system, model, question, { worker, signal, onEvent } = {}) {
  const answer = await fetch(`${system.address}/v1/chat/completions`, {
    ...json(chatBody(model, question, { stream: true }), withWorker(worker)),
    signal,
  });
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
  return readStream(answer, onEvent);
}

// Asks each of `questions`, `atOnce` of them together. Gives those not answered with the very text.
export async function wrongAnswers(questions, atOnce, ask) {
  const waiting = [...questions];
  const wrong = [];
  const one = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const got = await ask(next.question).catch((failure) => `failed: ${failure.message}`);
      if (got !== next.answer) wrong.push({ question: next.question, want: next.answer, got });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  return wrong;
}

// Sends bytes as they are on a connection of its own. Gives all that comes back until the other end closes.
export function raw(system, bytes, { finish = false } = {}) {
  return new Promise((resolve) => {
    const socket = net.connect(system.port, '127.0.0.1');
    let text = '';
    socket.on('data', (data) => (text += data));
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
    socket.write(bytes);
    if (finish) socket.end();
  });
}

export const statusOf = (text) => Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0);
