import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Clouds, cloudModels, startClouds } from '../support/clouds.ts';
import { builtInModel, type GatewayServer, startGateway } from '../support/gateway-server.ts';
import { openWebSocket } from '../support/websocket-client.ts';

/** Every secret that a server may know, each findable wherever it comes out. */
const secrets = {
  openai: 'sk-canary-openai-1f9c2a',
  claude: 'sk-ant-fake',
  aws: 'bedrock-api-key-example',
  header: 'canary-header-77b1e0',
  client: 'canary-client-key-5d0c4e',
  named: 'canary-named-key-8e21bb',
};
const env = {
  HEARTH_API_KEY: secrets.client,
  OPENAI_API_KEY: secrets.openai,
  ANTHROPIC_API_KEY: secrets.claude,
  AWS_BEARER_TOKEN_BEDROCK: secrets.aws,
  // A name that tells nothing.
  TEAM: secrets.header,
  CHILD: secrets.named,
};

let clouds: Clouds;
let server: GatewayServer;
/** Whatever came out of the server but what it sent to the services themselves. */
const outputs: { what: string; text: string }[] = [];

beforeAll(async () => {
  clouds = await startClouds();
  const { openai, claude, aws } = clouds.providers;
  server = await startGateway(
    {
      global: { max_retries: 0, default_provider: 'openai' },
      keys: [{ name: 'child', key: '${CHILD}', scopes: ['inference', 'admin'] }],
      providers: {
        openai: { ...openai, api_key: '${OPENAI_API_KEY}', headers: { 'x-team': '${TEAM}' } },
        claude: { ...claude, api_key: '${ANTHROPIC_API_KEY}', headers: { 'x-team': '${TEAM}' } },
        aws: { ...aws, api_key: '${AWS_BEARER_TOKEN_BEDROCK}', headers: { 'x-team': '${TEAM}' } },
      },
      failover_chains: { all: ['openai', 'claude', 'aws'] },
    },
    { env, realWorkers: true },
  );
});
afterAll(async () => {
  await server.close();
  await clouds.close();
});

const messages = [{ role: 'user', content: 'Say something.' }];
const key = { authorization: `Bearer ${secrets.client}` };

/** Sends a request and keeps all of the answer, head and body. */
async function ask(url: string, body?: unknown, headers: Record<string, string> = key): Promise<number> {
  const response = await fetch(`${server.baseUrl}${url}`, {
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
  });
  const text = await response.text();
  outputs.push({ what: `${response.status} of ${url}`, text: JSON.stringify([...response.headers]) + text });
  return response.status;
}

/** All dialects, whole and as streams, for a model. */
async function askAll(model: string, headers: Record<string, string> = key): Promise<number[]> {
  const statuses: number[] = [];
  for (const stream of [false, true]) {
    for (const url of ['/v1/chat/completions', '/v1/messages', '/v1/responses', '/api/chat', '/generate']) {
      const body =
        url === '/generate'
          ? { model, prompt: 'Hi', max_tokens: 20 }
          : url === '/v1/responses'
            ? { model, input: 'Hi', stream, max_output_tokens: 20 }
            : { model, messages, stream, ...(url === '/v1/messages' && { max_tokens: 20 }) };
      statuses.push(await ask(url, body, headers));
    }
  }
  return statuses;
}

/** What a careless service or proxy says: the request that it did not like, with its head. */
const echoOf = (name: 'openai' | 'claude' | 'aws') =>
  `it came with ${JSON.stringify({ authorization: `Bearer ${secrets[name]}`, 'x-team': secrets.header })}`;

function fail(kind: 'refused' | 'page' | 'broken' | 'reset' | 'within'): void {
  const { openai, anthropic, bedrock } = clouds;
  const [openaiEcho, anthropicEcho, bedrockEcho] = [echoOf('openai'), echoOf('claude'), echoOf('aws')];
  const openaiError = { error: { message: openaiEcho, type: 'invalid_request_error', param: null, code: null } };
  const anthropicError = { type: 'error', error: { type: 'api_error', message: anthropicEcho } };
  for (let count = 0; count < 10; count++) {
    switch (kind) {
      case 'refused': {
        const status = [400, 401, 403, 404, 429, 500][count % 6]!;
        openai.play({ type: 'answer', status, body: JSON.stringify(openaiError) });
        anthropic.faults.push({ type: 'answer', status, body: anthropicError });
        bedrock.script.push({ type: 'refuse', name: 'ValidationException', message: bedrockEcho, status });
        break;
      }
      case 'page': {
        const page = (text: string) => `<html>${text}</html>`;
        openai.play({ type: 'answer', status: 502, body: page(openaiEcho), contentType: 'text/html' });
        anthropic.faults.push({ type: 'answer', status: 502, body: page(anthropicEcho) });
        bedrock.script.push({ type: 'page', status: 502, body: page(bedrockEcho) });
        break;
      }
      case 'broken':
        openai.play({ type: 'answer', status: 200, body: `{"choices": [ ${openaiEcho}` });
        anthropic.faults.push({ type: 'answer', status: 200, body: `{"content": [ ${anthropicEcho}` });
        bedrock.script.push({ type: 'cut', bytes: 60 });
        break;
      case 'reset':
        openai.play({ type: 'reset' });
        anthropic.faults.push({ type: 'reset' });
        bedrock.script.push({ type: 'reset' });
        break;
      case 'within':
        openai.play({
          type: 'answer',
          status: 200,
          contentType: 'text/event-stream',
          body: `data: ${JSON.stringify(openaiError)}\n\n`,
        });
        anthropic.faults.push({
          type: 'record',
          afterRecords: 4,
          text: `event: error\ndata: ${JSON.stringify(anthropicError)}\n\n`,
        });
        bedrock.script.push({
          type: 'exception',
          name: 'internalServerException',
          afterFrames: 4,
          message: bedrockEcho,
        });
    }
  }
}

const found = () =>
  outputs.flatMap(({ what, text }) =>
    Object.entries(secrets)
      .filter(([, secret]) => text.includes(secret))
      .map(([name]) => `${name} in ${what}: ${text.slice(0, 300)}`),
  );

describe('no secret comes out', () => {
  it('of answers, and of refusals of keys', async () => {
    for (const model of [builtInModel, ...Object.values(cloudModels)]) {
      // The fake of OpenAI has no responses.
      expect([...new Set(await askAll(model))].filter((status) => status !== 404)).toEqual([200]);
    }
    await ask('/v1/chat/completions', { messages }, { authorization: 'Bearer wrong' });
    await ask('/v1/chat/completions', { messages }, { ...key, 'x-api-key': 'wrong' });
    await ask(`/v1/models?key=${secrets.client}`);
    expect(found()).toEqual([]);
  });

  it.each(['refused', 'page', 'broken', 'reset', 'within'] as const)(
    'of failures of services that say it: %s',
    async (kind) => {
      for (const model of Object.values(cloudModels)) {
        fail(kind);
        await askAll(model);
        for (const faults of [clouds.anthropic.faults, clouds.bedrock.script]) faults.length = 0;
        // Those of OpenAI's that are left are for chains.
        await askAll(model, { ...key, 'x-failover-chain': 'all' });
      }
      expect(found()).toEqual([]);
    },
  );

  it('of what can be asked about the server', async () => {
    const paths = [
      ...['/', '/health', '/metrics', '/models', '/machine', '/docs', '/openapi.json', '/status/none', '/v1/models'],
      ...[
        '/config',
        '/config/status',
        '/providers',
        '/providers/openai',
        '/health/providers',
        '/rate-limits',
        '/requests',
      ],
    ];
    for (const path of paths.flatMap((one) => [one, `/api/v1${one}`])) await ask(path);
    await ask('/config/reload', {});
    await ask('/api/v1/config/validate', {
      content: `providers: {x: {type: openai, api_key: ${secrets.openai}, no: 1}}`,
    });
    const socket = await openWebSocket(`${server.baseUrl.replace('http', 'ws')}/ws/generate`, key);
    socket.send({ type: 'generate', model: 'toy', prompt: 'Hi', max_tokens: 3 });
    outputs.push({ what: '/ws/generate', text: JSON.stringify(await socket.next()) });
    socket.socket.close();
    expect(found()).toEqual([]);
  });

  it('of a bad configuration file', async () => {
    const bad = {
      providers: { openai: { api_key: '${OPENAI_API_KEY}', base_url: 'no address', key: secrets.header } },
    };
    const problem = await server.reconfigure(bad).then(
      () => expect.unreachable(),
      (thrown: Error) => thrown.message,
    );
    outputs.push({ what: 'the problem', text: problem });
    outputs.push({ what: 'the state', text: JSON.stringify(server.app.configuration.state()) });
    outputs.push({ what: 'the configuration', text: inspect(server.app.configuration.current().cloud, { depth: 9 }) });
    expect(found()).toEqual([]);
  });

  it('of the log at its finest, and of any file of the data folder', async () => {
    const lines = server.logged();
    expect(lines.length).toBeGreaterThan(10);
    outputs.push({ what: 'the log', text: lines.join('\n') });
    const files = (await readdir(server.dataFolder, { recursive: true, withFileTypes: true })).filter(
      (file) => file.isFile() && file.name !== 'hearth.yaml',
    );
    expect(files.map(({ name }) => name)).toContain('hearth.sqlite');
    for (const { parentPath, name } of files) {
      outputs.push({ what: name, text: await readFile(join(parentPath, name), 'latin1') });
    }
    expect(found()).toEqual([]);
  });

  it.skipIf(process.platform !== 'linux')(
    'of the processes with models: neither command line nor environment',
    async () => {
      const children = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8');
      const pids = children.trim().split(' ').filter(Boolean);
      const workers: string[] = [];
      for (const pid of pids) {
        const line = await readFile(`/proc/${pid}/cmdline`, 'utf8');
        if (!line.includes('worker/main.ts')) continue;
        workers.push(pid);
        outputs.push({ what: 'the command line', text: line });
        outputs.push({ what: 'the environment', text: await readFile(`/proc/${pid}/environ`, 'utf8') });
      }
      expect(workers).toHaveLength(1);
      expect(found()).toEqual([]);
    },
  );
});
