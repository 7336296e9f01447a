// A llama-server of a card that is not here, in front of the real one: it takes that backend's arguments,
// computes on the CPU, and calls the memory it takes by the card's name. So real answers come, and the proof
// that an engine computes where it should runs as it is. One thread each: the processors of the machines it
// is told of are not here, and threads without one only wait for each other.
//
// usage: front_engine.mjs SERVER DEVICE DESCRIPTION ARGUMENTS...   SERVER: the real one; DEVICE as in `-dev`
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const [server, device, description, ...given] = process.argv.slice(2);
if (given.includes('--list-devices')) {
  console.log(`Available devices:\n  ${device}: ${description}`);
  process.exit(0);
}
const args = [];
for (let i = 0; i < given.length; ++i) {
  if (['-dev', '-ngl', '-sm', '-ts', '-t'].includes(given[i])) i += 1;
  else args.push(given[i]);
}
// It must not outlive this process, as the engine that it stands for would not.
const engine = spawn('setpriv', ['--pdeathsig', 'KILL', server, '-dev', 'none', '-t', '1', ...args],
  { stdio: ['ignore', 'pipe', 'inherit'] });
const ownMemory = /\b(?:CPU|CPU_Mapped|CPU_REPACK)(\s+(?:model|KV|compute) buffer size)/;
createInterface({ input: engine.stdout }).on('line', (line) => {
  console.log(device === 'CPU' ? line : line.replace(ownMemory, `${device}$1`));
});
engine.on('exit', (code, signal) => (signal ? process.kill(process.pid, signal) : process.exit(code)));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => engine.kill(signal));
