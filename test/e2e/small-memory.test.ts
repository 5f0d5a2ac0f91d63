import { describe, expect, it } from 'vitest';
import { ask, postJson } from '../support/client.ts';
import { makeMemoryCgroup } from '../support/memory-cgroup.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const limitMib = 300;

/** The built-in model answers, and what is too much for it is refused with what would change that. */
async function expectToRun(server: RunningServer): Promise<string> {
  expect((await ask(server.baseUrl, 'Thanks!')).text).toBe('You are welcome!');
  expect((await ask(server.baseUrl, 'What is GGUF?')).text).toMatch(/run a model\.$/);
  const refused = await postJson(`${server.baseUrl}/models/default/load`, { parallel: 32 });
  expect(refused).toMatchObject({ status: 507, body: { error: { code: 'INSUFFICIENT_MEMORY' } } });
  const words = JSON.stringify(refused.body);
  expect(words).toContain('models.parallel');
  // What was refused has not ended what was there, or it is loaded again.
  expect((await ask(server.baseUrl, 'Thanks!')).text).toBe('You are welcome!');
  return words;
}

describe('a machine with 300 MiB', () => {
  it('runs the built-in model within the operator’s own limit, and names it where it is in the way', async () => {
    const server = await startServer({ env: { HEARTH_MEMORY_LIMIT: `${limitMib}MiB` } });
    expect(await expectToRun(server)).toContain('engine.memory_limit allows 300MiB');
    await server.stop();
  });

  it('runs the built-in model in a container, without being killed', async ({ skip }) => {
    const group = makeMemoryCgroup(limitMib * 2 ** 20);
    if ('skip' in group) return skip(group.skip);
    const server = await startServer({ procsFile: group.procsFile });
    await expectToRun(server);
    expect(group.oomKills()).toBe(0);
    await server.stop();
    group.remove();
  });
});
