// An engine pack from an archive on a server, taken only with its checksum.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeHome, removeHome, run } from './support/rbee.mjs';
import { makePack } from './support/stand_in_pack.mjs';

describe('an engine from a URL', () => {
  const home = makeHome();
  const folder = mkdtempSync('/tmp/rbee-a-');
  const env = { RBEE_ENGINES: path.join(home, 'engines') };
  let server, url, sha256;
  const install = (...more) =>
    run(home, ['engine', 'install', 'vulkan', '--from', url, '--json', ...more], { env });

  before(async () => {
    makePack(folder);
    execFileSync('tar', ['-czf', 'engine.tar.gz', 'somebodys-llama'], { cwd: folder });
    const bytes = readFileSync(path.join(folder, 'engine.tar.gz'));
    sha256 = createHash('sha256').update(bytes).digest('hex');
    server = http.createServer((request, answer) => {
      const [, first, last] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '') ?? [];
      if (first === undefined) return answer.writeHead(200).end(bytes);
      const end = last === '' ? bytes.length - 1 : Math.min(Number(last), bytes.length - 1);
      answer.writeHead(206, { 'content-range': `bytes ${first}-${end}/${bytes.length}` });
      return answer.end(bytes.subarray(Number(first), end + 1));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${server.address().port}/engine.tar.gz`;
  });
  after(() => {
    server.close();
    [home, folder].forEach(removeHome);
  });

  test('needs its checksum, and comes only with the right one', async () => {
    assert.equal((await install()).code, 2);
    const wrong = await install('--sha256', '0'.repeat(64));
    assert.match(wrong.json().error.message, /checksum/);
    const done = await install('--sha256', sha256);
    assert.equal(done.code, 0, done.stdout);
    assert.equal(done.json().state, 'ready');
    assert.ok(!readdirSync(env.RBEE_ENGINES).includes(`.from-${sha256.slice(0, 16)}`));
    const { packs } = (await run(home, ['engine', 'list', '--json'], { env })).json();
    assert.ok(packs.some((pack) => pack.backend === 'Vulkan' && pack.state === 'ready'));
  });
});
