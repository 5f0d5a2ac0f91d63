import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type FakeHub, fakeRepository, startFakeHub } from '../support/fake-hub.ts';
import { modelBytes } from '../support/model-bytes.ts';
import { openTerminal, type PseudoTerminal, terminalMissing } from '../support/pseudo-terminal.ts';
import { cleanEnvironment, type RunningServer, repositoryRoot, startServer } from '../support/server.ts';

let hub: FakeHub;
let folder: string;
let server: RunningServer;
const open: PseudoTerminal[] = [];
beforeAll(async () => {
  hub = await startFakeHub([{ path: 'Tiny-Q4_0.gguf', bytes: modelBytes(3_000_000) }]);
  folder = await mkdtemp(join(tmpdir(), 'hearth-chat-cli-'));
  server = await startServer({
    models: join(folder, 'models'),
    env: {
      HEARTH_API_KEY: 'secret-key',
      HF_ENDPOINT: hub.endpoint,
      HEARTH_PULL_ALLOW_PRIVATE: '1',
      HEARTH_PULL_HOSTS: 'localhost',
      HEARTH_PULL_RESERVE: '0',
    },
  });
});
afterEach(async () => {
  for (const terminal of open.splice(0)) {
    terminal.kill();
    await terminal.ended;
  }
});
afterAll(async () => {
  await server.stop();
  await hub.close();
  await rm(folder, { recursive: true, force: true });
});

const address = () => ({ HEARTH_URL: server.baseUrl, HEARTH_API_KEY: 'secret-key' });

function terminal(words: string[], options: { columns?: number; env?: Record<string, string> } = {}): PseudoTerminal {
  const opened = openTerminal(words, { ...options, env: { ...address(), ...options.env } });
  open.push(opened);
  return opened;
}

/** Without a terminal: `input` is piped in. */
function piped(words: string[], input: string, env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['src/main.ts', ...words], {
    cwd: repositoryRoot,
    env: cleanEnvironment({ ...address(), ...env }),
  });
  child.stdin.end(input);
  const seen = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => {
    seen.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    seen.stderr += text;
  });
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, ...seen })),
  );
}

/** A way to the server on which an answer can be made to take for ever: the model here is faster than a person. */
async function startSlowWay(target: string) {
  let onHeld: (() => void) | null = null;
  const relay = createServer((request, response) => {
    const { method, headers } = request;
    const upstream = httpRequest(target + request.url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      let begun: (() => void) | null = null;
      answer.on('data', (bytes: Buffer) => {
        if (begun !== null) return;
        response.write(bytes);
        if (request.url === '/api/chat') [begun, onHeld] = [onHeld, null];
        if (begun !== null) response.on('close', begun);
      });
      answer.on('end', () => begun ?? response.end());
    });
    upstream.on('error', () => {});
    response.on('close', () => upstream.destroy());
    request.pipe(upstream);
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(relay.address() as AddressInfo).port}`,
    /** Of the next answer only the beginning passes. Resolves when whoever asked has gone. */
    holdNext: () =>
      new Promise<void>((resolve) => {
        onHeld = resolve;
      }),
    close: () => new Promise((resolve) => relay.close(resolve)),
  };
}

const prompt = />>> \S*$/;

describe.skipIf(terminalMissing !== null)(
  `a chat in a terminal${terminalMissing === null ? '' : `: ${terminalMissing}`}`,
  () => {
    it('answers turn after turn with what was said before, shows it with commands, and ends with Ctrl-D', async () => {
      const chat = terminal(['run', 'default', '--temperature', '0']);
      expect(await chat.until(/leaves\.\r\n/)).toContain('Chat with default. /help shows the commands');
      chat.type('What is GGUF?\r');
      expect(await chat.until(/run a model\.\r\n/)).toContain('GGUF is a file format for language models.');
      chat.type('/stats\r');
      const [, first] = /prompt +(\d+) tokens/.exec(await chat.until(/so far .*\r\n/))!;
      chat.type('What is Hearth?\r');
      await chat.until(/as they are\.\r\n/);
      chat.type('/stats\r');
      const stats = await chat.until(/so far .*\r\n/);
      expect(stats).toMatch(/first token +\d+ ms/);
      expect(stats).toMatch(/answer +\d+ tokens, .* tokens\/s/);
      expect(Number(/prompt +(\d+) tokens/.exec(stats)![1])).toBeGreaterThan(2 * Number(first));

      const file = join(folder, 'chat.json');
      chat.type(`/save ${file}\r`);
      await chat.until(/The conversation is in .*\r\n/);
      const { messages } = JSON.parse(await readFile(file, 'utf8'));
      expect(messages.map(({ role }: { role: string }) => role)).toEqual(['user', 'assistant', 'user', 'assistant']);
      chat.type('/show\r');
      expect(await chat.until(/loaded +context .*\r\n/)).toContain('hearth-guide-3m:q8_0');
      chat.type('/clear\r');
      await chat.until(/is empty\.\r\n/);
      await chat.until(prompt);
      chat.type('\u0004');
      expect((await chat.ended).code).toBe(0);
    });

    it('takes a message of several lines, a pasted one and one from before; a mistyped command is none', async () => {
      const chat = terminal(['chat', 'default', '--temperature', '0', '--max-tokens', '5']);
      await chat.until(prompt);
      chat.type('"""What is\r');
      await chat.until(/\.\.\. /);
      chat.type('GGUF?"""\r');
      await chat.until(/GGUF is .*\r\n/);
      await chat.until(prompt);
      chat.type('\u001b[200~What is\rGGUF?\u001b[201~\r');
      await chat.until(/GGUF is .*\r\n/);
      await chat.until(prompt);
      chat.type('/hepl\r');
      expect(await chat.until(/as text\.\r\n/)).toContain('Did you mean "/help"?');
      await chat.until(prompt);
      chat.type('\u001b[A');
      await chat.until(/\/hepl/);
      // Ctrl-C throws the line away, twice leaves.
      chat.type('\u0003');
      await chat.until(prompt);
      chat.type('\u0003');
      await chat.until(/Ctrl-C again/);
      await chat.until(prompt);
      chat.type('\u0003');
      expect((await chat.ended).code).toBe(0);
    });

    it('stops an answer with Ctrl-C, at the server too, and goes on', async () => {
      const slow = await startSlowWay(server.baseUrl);
      const chat = terminal(['run', 'default', '--temperature', '0'], { env: { HEARTH_URL: slow.address } });
      await chat.until(prompt);
      const held = slow.holdNext();
      chat.type('What is GGUF?\r');
      // What was typed, and the beginning of the answer.
      await chat.until(/GGUF\?[\r\n]+\w/);
      chat.type('\u0003');
      await chat.until(/\(stopped\)\r\n/);
      await held;
      await chat.until(prompt);
      chat.type('/stats\r');
      expect(await chat.until(/so far .*\r\n/)).toContain('stopped before the end');
      chat.type('/clear\r');
      await chat.until(/is empty\./);
      chat.type('What is GGUF?\r');
      await chat.until(/run a model\.\r\n/);
      chat.type('/bye\r');
      expect((await chat.ended).code).toBe(0);
      await slow.close();
    });

    it('says in words what is wrong: a model, a key, a server that is away', async () => {
      const wrong = async (words: string[], env: Record<string, string> = {}) => {
        const { code, text } = await terminal(words, { env }).ended;
        return { code, text: text.replaceAll('\u001b[?2004h', '').replaceAll('\u001b[?2004l', '').trim() };
      };
      expect(await wrong(['run', 'defualt'])).toEqual({
        code: 1,
        text: 'hearth: There is no model "defualt". Did you mean "default"?',
      });
      expect(await wrong(['run', 'default', 'Hi'], { HEARTH_API_KEY: 'another-key' })).toEqual({
        code: 1,
        text: 'hearth: The API key is not valid. Set HEARTH_API_KEY to a key of that server.',
      });
      const away = await wrong(['run', 'default', 'Hi'], { HEARTH_URL: 'http://127.0.0.1:1' });
      expect(away.code).toBe(1);
      expect(away.text).toMatch(
        /^hearth: no Hearth answers at http:\/\/127\.0\.0\.1:1 .*Start the server, correct HEARTH_URL$/,
      );
      const nobody = await wrong(['run', 'default', 'Hi', '--port', '1'], { HEARTH_URL: '' });
      expect(nobody.text).toMatch(/^hearth: No Hearth runs at http:\/\/127\.0\.0\.1:1\. Start one with "\.\/hearth"/);
    });

    it.each([
      [80, /\[#+\.+\] +6\d % {2}2 MB of 3 MB/],
      [40, /\r *6\d %/],
    ])('pulls with progress that a window of %i columns has room for', async (columns, shown) => {
      const size = hub.files[0]!.bytes.length;
      let goOn = () => {};
      hub.faults.onBody = (response, bytes, { startBytes, endBytes }) => {
        if (startBytes !== 0 || endBytes !== size) return void response.end(bytes);
        response.write(bytes.subarray(0, 2_000_000));
        goOn = () => response.end(bytes.subarray(2_000_000));
      };
      const pull = terminal(['pull', `hf.co/${fakeRepository}:q4_0`], { columns });
      await pull.until(shown);
      goOn();
      const { code, text } = await pull.ended;
      hub.faults = {};
      expect(code).toBe(0);
      expect(text).toContain('Tiny:q4_0 is ready.');
      const lines = text
        .split('\r\n')
        .flatMap((line) => line.split('\r'))
        .filter((line) => line.includes(' %'));
      const widest = Math.max(...lines.map((line) => line.replace('\u001b[K', '').length));
      expect(widest).toBeLessThan(columns);
      expect((await piped(['rm', 'Tiny', '--json'], '')).code).toBe(0);
    });

    it('loads with what it takes, and leaves nothing of the waiting on the screen', async () => {
      await piped(['stop', 'default'], '');
      const { code, text } = await terminal(['load', 'default', '--context-length', '1024'], { columns: 40 }).ended;
      expect(code).toBe(0);
      expect(text).toMatch(
        /hearth-guide-3m:q8_0 is ready after [\d.]+ s\.\r\nmemory: estimated \d+ MB, used \d+ MB\r\n/,
      );
      const left = text.split('\r\n')[0]!.split('\u001b[K').at(-1);
      expect(left).toMatch(/^hearth-guide-3m:q8_0 is ready/);
    });
  },
);

describe('without a terminal', () => {
  it('what is piped in is the prompt, or stands behind one; only text comes out', async () => {
    const answer = /^GGUF is a file format .* run a model\.\n$/;
    const options = ['--temperature', '0'];
    expect(await piped(['run', 'default', ...options], 'What is GGUF?\n')).toEqual({
      code: 0,
      stdout: expect.stringMatching(answer),
      stderr: '',
    });
    const both = await piped(['run', 'default', 'What', 'is', '--json', ...options], 'GGUF?');
    expect(JSON.parse(both.stdout)).toMatchObject({
      model: 'hearth-guide-3m',
      provider: 'local',
      finish_reason: 'stop',
    });
  });

  it('an answer that breaks off is a failure', async () => {
    expect(await piped(['run', 'defualt', 'Hi'], '')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'hearth: There is no model "defualt". Did you mean "default"?\n',
    });
  });
});
