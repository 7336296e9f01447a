// What the commands print and end with is a contract (docs/cli.md): scripts stand on it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { answers, demoFile, isAlive, makeHome, Rbee, removeHome, run, until } from './support/rbee.mjs';

const [{ question, answer }] = answers;

// {name: 'string|null', ...}: the kinds of the fields that must be there; others may be.
function shaped(object, shape) {
  for (const [field, kind] of Object.entries(shape)) {
    assert.ok(field in object, `no '${field}' in ${JSON.stringify(object)}`);
    const value = object[field];
    const found = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;
    assert.ok(kind.split('|').includes(found), `'${field}' is ${JSON.stringify(value)}, not ${kind}`);
  }
  return object;
}

const shapes = {
  hive: {
    name: 'string', address: 'string', state: 'string', version: 'string', last_seen_ms: 'number',
    workers: 'number',
  },
  worker: {
    name: 'string', hive: 'string', backend: 'string', device: 'string', state: 'string', vram: 'number|null',
    free_vram: 'number|null', slots: 'number', busy: 'number', queue: 'number', models: 'array',
  },
  modelOfWorker: { name: 'string', quant: 'string', loaded: 'boolean', offload: 'number', context: 'number' },
  model: {
    name: 'string', quant: 'string', params: 'number', bytes: 'number', sha256: 'string', hives: 'array',
    loaded_on: 'array',
  },
  pack: {
    backend: 'string', version: 'string', source: 'string', folder: 'string', devices: 'array',
    state: 'string',
  },
};

describe('commands', () => {
  let system, model, cpu, hive;
  before(async () => {
    system = await Rbee.start();
    model = await system.model();
    cpu = (await system.workerOf('CPU')).name;
    [hive] = (await system.admin('hives')).hives;
  });
  after(() => system?.stop());

  async function fails(args, code, name) {
    const { error } = await (async () => {
      const result = await system.run([...args, '--json']);
      assert.equal(result.code, code, result.stdout + result.stderr);
      return result.json();
    })();
    shaped(error, { code: 'string', message: 'string', hint: 'string' });
    assert.equal(error.code, name);
    const plain = await system.run(args);
    assert.equal(plain.code, code);
    assert.equal(plain.stdout, '');
    assert.match(plain.stderr, /^hint: .+$/m);
    return error;
  }

  describe('lists as JSON', () => {
    test('status', async () => {
      const status = shaped(await system.json(['status']), {
        keeper: 'object', hives: 'array', workers: 'array', models: 'array', requests: 'object',
        warnings: 'array',
      });
      shaped(status.keeper, { address: 'string', version: 'string', uptime_s: 'number' });
      shaped(status.requests, { running: 'number', waiting: 'number' });
      shaped(status.hives[0], shapes.hive);
      shaped(status.workers[0], shapes.worker);
      shaped(status.models[0], shapes.model);
    });

    test('hive list', async () => {
      const { hives } = await system.json(['hive', 'list']);
      assert.equal(hives.length, 1);
      assert.equal(shaped(hives[0], shapes.hive).state, 'up');
    });

    test('worker list, and its filters', async () => {
      const { workers } = await system.json(['worker', 'list']);
      shaped(workers.find((one) => one.name === cpu), shapes.worker);
      assert.equal((await system.json(['worker', 'list', '--backend', 'CUDA'])).workers.length, 0);
      const one = await system.json(['worker', 'list', '--backend', 'cpu', '--limit', '1']);
      assert.equal(one.workers.length, 1);
    });

    test('worker info of a worker, and of the machine', async () => {
      const info = await system.json(['worker', 'info', cpu]);
      shaped(info.workers?.[0] ?? info, { name: 'string', backend: 'string', state: 'string' });
      const machine = await system.json(['worker', 'info', '--hive', hive.name]);
      shaped(machine, { devices: 'array', workers: 'array', cpu: 'object' });
    });

    test('model list', async () => {
      const { models } = await system.json(['model', 'list']);
      const demo = shaped(models[0], shapes.model);
      assert.ok(demo.params > 1_000_000 && demo.params < 1_100_000, `${demo.params} parameters`);
      assert.deepEqual(demo.hives, [hive.name]);
    });

    test('engine list, asking no keeper', async () => {
      const home = makeHome();
      try {
        const { packs } = (await run(home, ['engine', 'list', '--json'])).json();
        const pack = packs.find((one) => one.backend === 'CPU');
        assert.equal(shaped(pack, shapes.pack).state, 'ready');
      } finally {
        removeHome(home);
      }
    });

    test('engine verify reads every byte', async () => {
      const result = await system.run(['engine', 'verify', '--json'], { within: 120_000 });
      assert.equal(result.code, 0, result.stdout + result.stderr);
      result.json();
    });
  });

  describe('model fit and info', () => {
    const pool = {
      weights: 'number', cache: 'number', compute: 'number', output: 'number', projector: 'number',
      overhead: 'number', total: 'number',
    };

    test('on any machine: each part of device and host, asking no keeper', async () => {
      const home = makeHome();
      try {
        const on = async (...more) => {
          const result = await run(home, ['model', 'fit', demoFile, '--json', ...more]);
          assert.equal(result.code, 0, result.stderr);
          return shaped(result.json(), {
            model: 'string', quant: 'string', context: 'number', slots: 'number', layers: 'number',
            need: 'object',
          });
        };
        const cpu = await on('--on', 'cpu', '--slots', '2', '--context', '256');
        for (const name of ['device', 'host']) shaped(cpu.need[name], pool);
        assert.equal(cpu.need.device.total, 0);
        const gpu = await on('--on', 'gpu', '--slots', '2', '--context', '256');
        assert.equal(gpu.layers, 6);
        assert.equal(gpu.need.device.cache, cpu.need.host.cache);
        const part = await on('--on', 'gpu', '--layers', '3', '--slots', '2', '--context', '256');
        assert.equal(part.need.device.cache + part.need.host.cache, gpu.need.device.cache);
        assert.ok(part.need.device.weights < gpu.need.device.weights);
        const small = await on('--on', 'gpu', '--slots', '2', '--context', '256', '--cache-type', 'q8_0');
        assert.equal(small.need.device.cache, gpu.need.device.cache / 32 * 17);
        const split = await on('--on', 'cpu', '--slots', '2', '--context', '100', '--kv', 'split');
        assert.equal(split.need.host.cache, cpu.need.host.cache);
      } finally {
        removeHome(home);
      }
    });

    test('in the system: by name and by path, with the choice', async () => {
      for (const name of [model, demoFile]) {
        const fit = shaped(await system.json(['model', 'fit', name]), {
          model: 'string', table: 'array', choice: 'object',
        });
        const [row] = fit.table;
        assert.equal(row.quant, 'Q8_0');
        const place = shaped(row.hives.find((one) => one.worker === cpu), {
          hive: 'string', worker: 'string', fits: 'string', layers: 'number', of_layers: 'number',
          context: 'number', longest_context: 'number', need: 'object', have: 'number', short_by: 'number',
          speed: 'number|null',
        });
        assert.equal(place.fits, 'whole');
        assert.deepEqual(fit.choice, { hive: hive.name, quant: 'Q8_0' });
      }
    });

    test('of a model that nobody has, and of words that do not go together', async () => {
      await fails(['model', 'fit', 'rbee-dem'], 4, 'unknown_model');
      await fails(['model', 'fit', model, '--layers', '3'], 2, 'bad_usage');
      await fails(['model', 'fit', model, '--on', 'gpu', '--cache-type', 'q3'], 2, 'bad_usage');
    });

    test('info says what the file is', async () => {
      const { model: info } = await system.json(['model', 'info', model]);
      shaped(info, {
        name: 'string', architecture: 'string', quant: 'string', params: 'number', context_train: 'number',
        layers: 'number', vocabulary: 'number', metadata: 'object',
      });
      assert.equal(info.architecture, 'llama');
      await fails(['model', 'info', 'rbee-dem'], 4, 'unknown_model');
    });
  });

  describe('infer', () => {
    test('prints the answer and nothing else on stdout', async () => {
      const result = await system.run(['infer', '-m', model, '-p', question]);
      assert.equal(result.code, 0, result.stderr);
      assert.equal(result.stdout.trimEnd(), answer);
      assert.match(result.stderr, /tokens/);
    });

    test('as JSON has the text and the figures', async () => {
      const got = shaped(await system.json(['infer', '-m', model, '-p', question, '--worker', cpu]), {
        text: 'string', worker: 'string', model: 'string', prompt_tokens: 'number', tokens: 'number',
        ttft_ms: 'number', speed: 'number',
      });
      assert.equal(got.text, answer);
      assert.equal(got.worker, cpu);
    });

    test('stops at --max-tokens', async () => {
      const got = await system.json(['infer', '-m', model, '-p', question, '--max-tokens', '3']);
      assert.equal(got.tokens, 3);
    });

    test('with a model that is not there names the near one', async () => {
      const error = await fails(['infer', '-m', `${model}x`, '-p', 'hi'], 4, 'unknown_model');
      assert.match(error.message, new RegExp(model));
    });

    test('chat takes its lines from a pipe', async () => {
      const result = await system.run(['chat', model], { input: `${question}\n` });
      assert.equal(result.code, 0, result.stderr);
      assert.ok(result.stdout.includes(answer), result.stdout);
    });
  });

  describe('workers and models', () => {
    test('a worker stops, says so, and starts again', async () => {
      assert.equal((await system.run(['worker', 'stop', cpu])).code, 0);
      await until('it is stopped', async () => (await system.worker(cpu)).state === 'stopped');
      await until('its engine has ended', () => system.enginePids().length === 0);
      const refused = await system.run(['infer', '-m', model, '-p', question, '--json']);
      assert.equal(refused.code, 4, refused.stdout);
      assert.equal(refused.json().error.code, 'no_worker');
      assert.equal((await system.run(['worker', 'start', cpu])).code, 0);
      assert.equal((await system.worker(cpu)).state, 'ready');
      assert.equal((await system.json(['infer', '-m', model, '-p', question])).text, answer);
    });

    test('deploy leaves alone what is in service already', async () => {
      const { workers } = await system.json(['worker', 'deploy', '--hive', hive.name]);
      assert.ok(workers.some((one) => one.name === cpu));
      assert.equal((await system.json(['worker', 'list'])).workers.length, 1);
    });

    test('a worker that is removed is gone', async () => {
      const name = await system.deployVulkan();
      assert.equal((await system.run(['worker', 'remove', name])).code, 0);
      assert.equal((await system.admin('workers')).workers.length, 1);
    });

    test('a worker of no such name gets the near one', async () => {
      const error = await fails(['worker', 'info', `${cpu}x`], 4, 'unknown_name');
      assert.match(error.message, new RegExp(cpu));
    });

    test('CUDA on a machine without it is refused with the reason', async () => {
      const args = ['worker', 'start', '--hive', hive.name, '--backend', 'cuda'];
      const error = await fails(args, 4, 'backend_unusable');
      assert.match(error.message, /CUDA|NVIDIA/);
    });

    test('a model that is added answers by its name', async () => {
      assert.equal((await system.run(['model', 'add', 'second', demoFile])).code, 0);
      assert.equal((await system.json(['infer', '-m', 'second', '-p', question])).text, answer);
    });
  });

  describe('form', () => {
    test('a pipe gets plain lines: no colours, no frames', async () => {
      for (const command of ['status', 'worker list', 'hive list', 'model list', 'engine list']) {
        const { code, stdout } = await system.run(command.split(' '));
        assert.equal(code, 0);
        assert.ok(stdout.length > 0, command);
        assert.doesNotMatch(stdout, /[\x1b\r\u2500-\u257f]/, command);
      }
    });

    test('every command has --help with an example', async () => {
      const commands = [
        'up', 'down', 'keeper', 'hive', 'hive list', 'status', 'worker deploy', 'worker start', 'worker list',
        'worker info', 'worker stop', 'worker remove', 'model list', 'model add', 'infer', 'chat',
        'engine list', 'engine install', 'engine verify', 'engine remove', 'logs',
      ];
      for (const command of commands) {
        const { code, stdout } = await system.run([...command.split(' '), '--help']);
        assert.equal(code, 0, command);
        assert.match(stdout, new RegExp(`rbee ${command}`), command);
      }
    });

    test('wrong usage ends with 2', async () => {
      assert.equal((await system.run(['frobnicate'])).code, 2);
      assert.equal((await system.run(['infer', '--frobnicate'])).code, 2);
      assert.equal((await system.run(['worker', 'list', '--backend', 'cudaa'])).code, 2);
      const state = await system.run(['worker', 'list', '--state', 'sleepy']);
      assert.equal(state.code, 2);
      assert.match(state.stderr, /'sleepy'.*\n.*ready, starting, failed/);
      assert.equal((await system.run([])).code, 2);
      // What only the keeper or its hive can tell, too.
      for (const args of [['worker', 'deploy', '--name', 'a b'], ['model', 'add', 'bad name', demoFile],
        ['hive', 'add', 'x', '127.0.0.2', '--token', 'abc'], ['model', 'download', 'hf:foo'],
        ['model', 'copy', model, '--from', hive.name, '--to', hive.name]]) {
        const refused = await fails(args, 2, 'bad_request');
        assert.doesNotMatch(refused.hint, /the API's own documentation/);
      }
    });

    test('a hive is called by a name that its workers can have too', async () => {
      const home = makeHome();
      try {
        for (const args of [['hive'], ['hive', 'token', '--start', '127.0.0.1:0']]) {
          const refused = await run(home, [...args, '--name', 'a b', '--json']);
          assert.equal(refused.code, 2, refused.stdout);
          assert.match(refused.json().error.hint, /A name has 1 to 128 letters/);
        }
      } finally {
        removeHome(home);
      }
    });

    test('with no keeper there a command ends with 3', async () => {
      const home = makeHome();
      try {
        const result = await run(home, ['status', '--json', '--keeper', 'http://127.0.0.1:1']);
        assert.equal(result.code, 3, result.stdout + result.stderr);
        assert.equal(result.json().error.code, 'unreachable');
      } finally {
        removeHome(home);
      }
    });

    test('RBEE_KEEPER names the keeper from any home', async () => {
      const home = makeHome();
      try {
        const result = await run(home, ['status', '--json'], { env: { RBEE_KEEPER: system.address } });
        assert.equal(result.code, 0, result.stderr);
      } finally {
        removeHome(home);
      }
    });

    test('logs have the engine\'s own words', async () => {
      const { code, stdout } = await system.run(['logs', '--worker', cpu]);
      assert.equal(code, 0);
      assert.match(stdout, /model loaded|listening/);
    });
  });

  test('down ends the `up` of this home, and its engines', async () => {
    const other = await Rbee.start();
    try {
      const result = await other.run(['down']);
      assert.equal(result.code, 0, result.stderr);
      await until('it has ended', () => !isAlive(other.pid));
      assert.equal((await other.run(['down', '--json'])).code, 3);
    } finally {
      await other.stop();
    }
  });
});
