// A wire between two machines that does what wires do: passes on, is slow, stalls, breaks, or swallows what
// it is given without a word. Runs on a machine of its own (house.mjs) and is told over its parent's channel.
//
// usage: wire.mjs ADDRESS:PORT     of the machine behind it; it listens on the same port
//   {mode: 'pass' | 'stall' | 'swallow', delay_ms}   stall: nothing is read; swallow: read and lost
//   {cut: true}      every connection is reset
//   {record: true}   answers with {bytes}: base64 of what each connection that begins from now on sends
//   {replay: bytes}  sends that to the machine behind, answers with {said}: base64 of what came back
import net from 'node:net';

const [host, port] = process.argv[2].split(':');
let mode = 'pass', delay = 0, recording = null;
const pairs = new Set();

// Bytes keep their order: each waits for its own time, and times do not go back.
function carry(from, to, keep) {
  from.on('data', (bytes) => {
    keep?.(bytes);
    if (mode === 'swallow') return;
    if (delay) setTimeout(() => to.writable && to.write(bytes), delay);
    else if (!to.write(bytes)) {
      from.pause();
      to.once('drain', () => mode !== 'stall' && from.resume());
    }
  });
  from.on('end', () => mode === 'pass' && setTimeout(() => to.end(), delay));
  from.on('error', () => {});
  from.on('close', () => mode === 'pass' && setTimeout(() => to.destroy(), delay));
}

const server = net.createServer({ allowHalfOpen: true }, (near) => {
  if (mode !== 'pass') {
    near.pause();
    near.on('error', () => {});
    pairs.add([near]);
    return;
  }
  const far = net.connect({ host, port: Number(port), allowHalfOpen: true });
  const pair = [near, far];
  pairs.add(pair);
  near.on('close', () => pairs.delete(pair));
  const bytes = [];
  recording?.push(bytes);
  carry(near, far, recording ? (more) => bytes.push(more) : null);
  carry(far, near);
});
server.listen(Number(port), () => process.send({ ready: true }));

function replay(base64) {
  const socket = net.connect(Number(port), host);
  const said = [];
  socket.on('data', (bytes) => said.push(bytes));
  socket.on('error', () => {});
  socket.on('close', () => process.send({ said: Buffer.concat(said).toString('base64') }));
  socket.write(Buffer.from(base64, 'base64'));
  setTimeout(() => socket.destroy(), 3000);
}

process.on('message', (wanted) => {
  if (wanted.replay) return replay(wanted.replay);
  if (wanted.record) {
    const before = recording ?? [];
    recording = wanted.record === 'stop' ? null : [];
    return process.send({ bytes: before.map((one) => Buffer.concat(one).toString('base64')) });
  }
  if (wanted.cut) for (const pair of pairs) for (const end of pair) end.resetAndDestroy();
  if (wanted.mode && wanted.mode !== mode) {
    mode = wanted.mode;
    for (const pair of [...pairs]) {
      // What came while nothing was carried has no other end.
      if (pair.length === 1 && mode === 'pass') pair[0].destroy() && pairs.delete(pair);
      for (const end of pair) mode === 'stall' ? end.pause() : end.resume();
    }
  }
  delay = wanted.delay_ms ?? 0;
  return process.send({ done: true });
});
process.on('disconnect', () => process.exit(0));
