// An engine that is killed with a request of its own, at each phase of that request: who waited for it, whom
// it was to take, whom it was to serve when it had loaded, whose prompt it read. The request goes to the next
// best worker and its client sees nothing but an answer. Real engines, real kills.
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { after, before, beforeEach, describe, test } from 'node:test';
import { chatBody, post } from '../support/openai.mjs';
import { answers, isAlive, processesOf, Rbee, until } from '../support/rbee.mjs';

const [{ question, answer }] = answers;

describe('an engine killed', () => {
  let system, model;
  const workers = {};  // by backend

  before(async () => {
    system = await Rbee.start();
    model = await system.model();
    workers.CPU = (await system.workerOf('CPU')).name;
    workers.Vulkan = await system.deployVulkan();
  });
  after(() => system?.stop());
  beforeEach(() => until('both engines answer and nothing runs', async () => {
    const said = await Promise.all(Object.values(workers).map((worker) => text(ask(worker))));
    const { requests } = await system.admin('status');
    return said.every((one) => one === answer) && requests.running === 0 && requests.waiting === 0;
  }));

  const ask = (worker, more = {}) => post(system, '/v1/chat/completions', chatBody(model, question, more),
    worker ? { 'x-rbee-worker': worker } : {});
  // The text of an answer, or what stands in its place.
  const text = async (asked) => {
    const got = await asked;
    const body = await got.json();
    return got.status === 200 ? body.choices[0].message.content : `${got.status} ${JSON.stringify(body)}`;
  };
  const engineOf = (backend) => {
    const device = backend === 'CPU' ? '-dev none' : '-dev Vulkan0';
    const found = processesOf(system.home).filter(({ command }) => command.includes(device));
    return found.length === 1 ? found[0].pid : 0;
  };
  const socketOf = (pid) => {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
    return words[words.indexOf('--host') + 1];
  };
  // One that its hive has ended meanwhile is as dead.
  const end = (pid) => {
    if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  };
  const busyOf = async (worker) => (await system.worker(worker)).busy;
  const counted = async (name) => {
    const lines = (await (await fetch(`${system.address}/metrics`)).text()).split('\n');
    return Number(lines.find((line) => line.startsWith(`${name} `)).split(' ')[1]);
  };

  test('while a request waits for it: both it and who was with it are served by its next start', async () => {
    const pid = engineOf('CPU');
    process.kill(pid, 'SIGSTOP');
    const asked = Array.from({ length: 5 }, () => text(ask(workers.CPU)));
    await until('one waits', async () => (await system.admin('status')).requests.waiting > 0);
    end(pid);
    assert.deepEqual(await Promise.all(asked), Array(asked.length).fill(answer));
  });

  test('before it takes the connection: the other one answers', async () => {
    const pid = engineOf('CPU');
    // Its socket is gone, and nobody but who asks can know.
    rmSync(socketOf(pid));
    const again = await counted('rbee_retries_total');
    // Some of them are meant for it: all come back with the answer.
    const got = await Promise.all(Array.from({ length: 4 }, () => text(ask())));
    assert.deepEqual(got, Array(4).fill(answer));
    assert.ok(await counted('rbee_retries_total') > again, 'one was placed again');
    end(pid);
  });

  test('while it loads: who asked for this very worker waits for its next start', async () => {
    const first = engineOf('CPU');
    end(first);
    const second = await until('it starts again', () => {
      const pid = engineOf('CPU');
      return pid !== first && isAlive(pid) ? pid : 0;
    });
    const asked = text(ask(workers.CPU));
    end(second);
    assert.equal(await asked, answer);
    assert.notEqual(engineOf('CPU'), second);
  });

  test('while it has the prompt: the other one answers', async () => {
    const pid = engineOf('CPU');
    process.kill(pid, 'SIGSTOP');
    const asked = Array.from({ length: 6 }, () => ask());
    await until('it has one', async () => await busyOf(workers.CPU) > 0);
    end(pid);
    const got = await Promise.all(asked);
    assert.deepEqual(await Promise.all(got.map(text)), Array(asked.length).fill(answer));
    const by = got.map((one) => one.headers.get('x-rbee-worker'));
    assert.ok(by.includes(workers.Vulkan), by.join());
  });

  test('again and again under load loses no request', async () => {
    const asked = [];
    const kills = (async () => {
      for (let i = 0; i < 3; ++i) {
        await until('an engine works', async () => await busyOf(workers.CPU) > 0);
        const pid = engineOf('CPU');
        if (pid) end(pid);
        await until('it is back', async () => await text(ask(workers.CPU)) === answer);
      }
    })();
    let done = false;
    kills.finally(() => (done = true));
    const client = async () => {
      while (!done) asked.push(await text(ask()));
    };
    await Promise.all([kills, client(), client(), client(), client(), client(), client()]);
    // Of six at once none is unlucky three times: each is answered.
    assert.deepEqual(asked.filter((one) => one !== answer), []);
    assert.ok(asked.length > 6, `${asked.length} asked`);
  });
});
