// Stands in for llama-server where a test must see what reaches an engine, or needs one that misbehaves.
// What it does is asked for in the prompt; what it saw it writes, one JSON object per line, to
// $RBEE_HOME/seen.jsonl.
import { appendFileSync, mkdirSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';

const option = (name) => process.argv[process.argv.indexOf(name) + 1];
const file = path.join(process.env.RBEE_HOME, 'seen.jsonl');
const saw = (what) => appendFileSync(file, `${JSON.stringify(what)}\n`);

const event = (content) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`;

const answers = {
  // A text in events that are cut in the middle of themselves, and of a character.
  pieces(answer) {
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    const bytes = Buffer.from(`${event('grün')}${event(' ist')}${event(' es')}data: [DONE]\n\n`);
    const send = (at) => {
      if (at >= bytes.length) return answer.end();
      answer.write(bytes.subarray(at, at + 7));
      return setImmediate(send, at + 7);
    };
    send(0);
  },
  // As fast as it is read, without end.
  flood(answer) {
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    let sent = 0;
    const piece = event('x'.repeat(64_000));
    const pour = () => {
      while (!answer.destroyed && answer.write(piece)) sent += piece.length;
      if (!answer.destroyed) answer.once('drain', pour);
    };
    answer.on('close', () => saw({ flood_ended: sent }));
    pour();
  },
  // One event, then silence until the other end closes.
  pause(answer) {
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    answer.write(event('one'));
    answer.on('close', () => saw({ pause_ended: true }));
  },
  // Takes the work, says so in its log as llama-server does, and makes nothing of it. /health goes on.
  hang() {
    const msg = 'slot launch_slot_: id  0 | task 1 | processing task, is_child = 0\n';
    console.log(JSON.stringify({ type: 'log', time: 1, level: 'info', msg }));
  },
  // Says that it cannot.
  fail(answer) {
    answer.writeHead(500, { 'content-type': 'application/json' });
    const error = { code: 500, message: 'Nothing works today.', type: 'server_error' };
    answer.end(JSON.stringify({ error }));
  },
  // No HTTP at all.
  garbage(answer) {
    answer.socket.end('\0\x01\x02 this is no HTTP\r\n\r\n');
  },
  // A head beyond every limit.
  bighead(answer) {
    answer.socket.end(`HTTP/1.1 200 OK\r\nx-big: ${'x'.repeat(100_000)}\r\n\r\n`);
  },
  // Two lengths, by which the next answer could be smuggled in.
  smuggle(answer) {
    answer.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}');
  },
  // Words that come when nobody would expect them any more.
  late(answer) {
    setTimeout(() => answers.whole(answer), 1500);
  },
  // One event, and half of the next.
  midevent(answer) {
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    answer.write(event('one'));
    answer.write(event('two').slice(0, 20), () => setImmediate(() => answer.socket.destroy()));
  },
  // Chunks that are none behind an event.
  badchunk(answer) {
    answer.socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n'
      + 'Transfer-Encoding: chunked\r\n\r\n');
    answer.socket.write(`${event('one').length.toString(16)}\r\n${event('one')}\r\n`);
    setTimeout(() => answer.socket.end('fffffffffffffffff\r\n'), 50);
  },
  // An error of its own in the middle, as it writes it for Anthropic's clients, and for all others.
  breaks(answer) {
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    answer.write(event('one'));
    const error = { code: 500, message: 'Context size has been exceeded.', type: 'server_error' };
    const anthropic = answer.req.url.startsWith('/v1/messages');
    setImmediate(() => answer.end(anthropic ? `event: error\ndata: ${JSON.stringify(error)}\n\n`
      : `data: ${JSON.stringify({ error })}\n\n`));
  },
  // A call of a tool in three pieces.
  call(answer) {
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    const choices = (call) => [{ index: 0, delta: { tool_calls: [call] } }];
    const piece = (call) => `data: ${JSON.stringify({ choices: choices(call) })}\n\n`;
    answer.write(piece({ index: 0, id: 'c', type: 'function', function: { name: 'count', arguments: '' } }));
    answer.write(piece({ index: 0, function: { arguments: '{"of":' } }));
    answer.write(piece({ index: 0, function: { arguments: '"bees"}' } }));
    answer.end('data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\ndata: [DONE]\n\n');
  },
  // Closes without a word.
  drop(answer) {
    answer.socket.destroy();
  },
  // An answer whose end never comes.
  half(answer) {
    answer.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
    answer.write('{"choices": [');
    setImmediate(() => answer.socket.destroy());
  },
  whole(answer) {
    answer.writeHead(200, { 'content-type': 'application/json', 'x-engine': 'yes' });
    answer.end(JSON.stringify({ choices: [{ message: { content: 'whole' } }] }));
  },
};

// The first of all engines that is asked with that path.
function isFirst(folder) {
  try {
    mkdirSync(folder);
    return true;
  } catch {
    return false;
  }
}
// As a template that goes on where a text ends.
function applyTemplate(answer, messages) {
  const prompt = messages.map(({ role, content }) => (role === 'user' ? `<${content}>` : content)).join('');
  answer.end(JSON.stringify({ prompt }));
}
// "fail-once FOLDER": the first engine that is asked says that it cannot. "go-on FOLDER": each breaks off
// after a token, and of those that are to go on with it the first refuses.
function once(answer, [wish, folder], messages) {
  const goesOn = messages.at(-1).role === 'assistant';
  if (wish === 'fail-once') return isFirst(folder) ? answers.fail(answer) : answers.whole(answer);
  if (!goesOn) return answers.midevent(answer);
  if (isFirst(folder)) return answers.fail(answer);
  answer.writeHead(200, { 'content-type': 'text/event-stream' });
  return answer.end(`${event(`${messages.at(-1).content} two`)}data: [DONE]\n\n`);
}

// What never moves on.
const slots = [
  { id: 0, n_ctx: 512, is_processing: true, n_prompt_tokens_processed: 1, next_token: [{ n_decoded: 1 }] },
];

const server = http.createServer((request, answer) => {
  if (request.method === 'GET') {
    answer.writeHead(200, { 'content-type': 'application/json' });
    return answer.end(request.url.startsWith('/slots') ? JSON.stringify(slots) : '{"status":"ok"}');
  }
  let body = '';
  request.on('data', (bytes) => (body += bytes));
  request.on('end', () => {
    saw({ path: request.url, headers: request.headers, body });
    const { messages, input, content } = JSON.parse(body);
    if (request.url === '/apply-template') return applyTemplate(answer, messages);
    const said = messages?.find(({ role }) => role === 'user')?.content;
    if (/^(fail-once|go-on) /.test(said)) return once(answer, said.split(' '), messages);
    const wish = messages?.at(-1).content ?? input ?? content;
    return (answers[wish] ?? answers.whole)(answer);
  });
  return undefined;
});
if (process.argv.includes('--host')) server.listen(option('--host'));
process.on('SIGTERM', () => process.exit(0));
