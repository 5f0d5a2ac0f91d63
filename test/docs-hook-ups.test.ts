import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createHarness, type Harness } from './http/harness.ts';
import { codeBlocks } from './support/code-blocks.ts';
import { repositoryRoot } from './support/server.ts';

// The blocks of docs/hook-ups.md that no client runs: settings of programs, of which the parts are checked that Hearth has
// a say in. What is in Python and JavaScript is run by the tests of clients.
const text = readFileSync(join(repositoryRoot, 'docs/hook-ups.md'), 'utf8');
const blocks = codeBlocks(text);
const yamlUnder = (heading: string) => parse(blocks.find((block) => block.heading === heading)!.code);

describe('settings of docs/hook-ups.md', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await createHarness();
  });
  afterAll(() => harness.close());

  it('stand for every client of the table', () => {
    const [, table = ''] = text.split('How far it was tried');
    const anchors = [...table.split('\n\n')[0]!.matchAll(/\]\(#([\w-]+)\)/g)].map((match) => match[1]!);
    const headings = blocks.map(({ heading }) => heading.toLowerCase().replaceAll("'", '').replaceAll(' ', '-'));
    expect(anchors.length).toBeGreaterThan(12);
    // n8n has a form with fields, and no file.
    expect(anchors.filter((anchor) => anchor !== 'n8n' && !headings.includes(anchor))).toEqual([]);
  });

  it('of Home Assistant send what /generate takes, and read what it answers', async () => {
    const { ask_hearth: command } = yamlUnder('Home Assistant').rest_command;
    const body = JSON.parse(command.payload.replace('{{ prompt | to_json }}', JSON.stringify('Is it "cold"?')));
    const path = new URL(command.url).pathname;
    const answer = await harness.send(command.method.toUpperCase(), path, body);
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({ text: expect.any(String) });
    expect(command.content_type).toBe('application/json');
  });

  it('of Open WebUI and Continue end where the SDKs of OpenAI begin', async () => {
    const webui = yamlUnder('Open WebUI').services['open-webui'].environment;
    const [model] = yamlUnder('Continue').models;
    for (const address of [webui.OPENAI_API_BASE_URL, model.apiBase]) {
      const models = await harness.send('GET', `${new URL(address).pathname}/models`);
      expect(models.json().data.map(({ id }: { id: string }) => id)).not.toEqual([]);
    }
    expect(model.provider).toBe('openai');
  });

  it('of Codex name an address that has its endpoints', async () => {
    const { code } = blocks.find((block) => block.heading === 'Codex')!;
    const base = new URL(/^base_url = "(.*)"$/m.exec(code)![1]!).pathname;
    const answer = await harness.send('POST', `${base}/responses`, { model: 'default', input: 'Hello' });
    expect(answer.statusCode).toBe(200);
    const described = await harness.send('GET', `${base}/models?client_version=0.171.0`);
    expect(described.json().models.length).toBeGreaterThan(0);
    expect(code).toContain('wire_api = "responses"');
  });

  it('of Prometheus scrape what is there', async () => {
    const [job] = yamlUnder('Prometheus and Grafana').scrape_configs;
    expect((await harness.send('GET', job.metrics_path ?? '/metrics')).body).toContain('hearth_requests_total');
  });
});
