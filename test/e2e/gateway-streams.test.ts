import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clouds, cloudModels, startClouds } from '../support/clouds.ts';
import { type GatewayServer, startGateway } from '../support/gateway-server.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';

let clouds: Clouds;
let clock: ManualClock;
let server: GatewayServer;
beforeEach(async () => {
  clouds = await startClouds();
  clock = manualClock();
  server = await startGateway({ global: { max_retries: 3 }, providers: clouds.providers }, { clock });
});
afterEach(async () => {
  await clouds.close();
  // Whatever a failed test left running ends by its limits of time.
  const timer = setInterval(() => clock.advance(10_000), 10);
  await server.close();
  clearInterval(timer);
});

const messages = [{ role: 'user', content: 'Say something.' }];
/** A dialect and a model: the first two pass as they came, the others are translated. */
const ways = [
  { name: 'OpenAI as it came', url: '/v1/chat/completions', model: cloudModels.openai },
  { name: 'Anthropic as it came', url: '/v1/messages', model: cloudModels.claude },
  { name: 'Anthropic from OpenAI', url: '/v1/messages', model: cloudModels.openai },
  { name: 'OpenAI from Anthropic', url: '/v1/chat/completions', model: cloudModels.claude },
];

const ask = ({ url, model }: (typeof ways)[number]) =>
  fetch(`${server.baseUrl}${url}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages, max_tokens: 40, stream: true }),
  });

/** What a stream says, record by record; throws for a record that no strict parser takes. */
function recordsOf(text: string): string[] {
  expect(text.endsWith('\n\n')).toBe(true);
  return text
    .slice(0, -2)
    .split('\n\n')
    .map((record) => {
      if (record.startsWith(':')) return 'comment';
      const match = /^(?:event: (\w+)\n)?data: (.*)$/.exec(record);
      if (match === null) throw new Error(`no record: ${record}`);
      if (match[2] === '[DONE]') return 'end';
      const data = JSON.parse(match[2]!);
      if (match[1] === 'message_stop') return 'end';
      return match[1] === 'error' || 'error' in data ? 'error' : match[1] === 'ping' ? 'ping' : 'data';
    });
}

describe.each(ways)('a stream that breaks after its first content: $name', (way) => {
  it('ends with one error, as many bytes as came, and is asked of nobody again', async () => {
    const isOpenAi = way.model === cloudModels.openai;
    // Behind the first words of both fakes, and before the last record.
    for (let afterBytes = isOpenAi ? 700 : 1_100; afterBytes < 2_000; afterBytes += 83) {
      if (isOpenAi) clouds.openai.play({ type: 'cut', afterBytes });
      else clouds.anthropic.faults.push({ type: 'cut', afterBytes, how: 'reset' });
      const before = clouds.arrived();
      const response = await ask(way);
      expect(response.status).toBe(200);
      const records = recordsOf(await response.text());
      const ends = records.filter((record) => record === 'error' || record === 'end');
      // Where the answer was whole by then, it has its end.
      expect(ends).toHaveLength(1);
      expect(records.at(-1)).toBe(ends[0]);
      expect(clouds.arrived()).toBe(before + 1);
      expect(clouds.running()).toBe(0);
      clock.advance(61_000);
    }
  });
});

describe.each(ways)('a stream that falls silent: $name', (way) => {
  it('pings between its records while its service may still go on, and no longer', async () => {
    // All of it but the end of a record.
    if (way.model === cloudModels.openai) clouds.openai.play({ type: 'stall', afterBytes: 1_010 });
    else clouds.anthropic.faults.push({ type: 'stall', afterBytes: 1_010 });
    const response = await ask(way);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    let isOver = false;
    const reading = (async () => {
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) text += piece.value;
      isOver = true;
    })();
    await expect.poll(() => text).toMatch(/content/);
    const pings = () => recordsOf(text).filter((record) => record === 'ping' || record === 'comment').length;
    const atFirst = pings();
    for (let elapsedMs = 5_000; elapsedMs <= 115_000; elapsedMs += 5_000) {
      clock.advance(5_000);
      const expected = atFirst + Math.floor(elapsedMs / 15_000);
      await expect.poll(pings).toBe(expected);
    }
    // The service has said nothing for two minutes.
    clock.advance(10_000);
    await reading;
    expect(isOver).toBe(true);
    const records = recordsOf(text);
    expect(records.at(-1)).toBe('error');
    expect(records.filter((record) => record === 'error')).toHaveLength(1);
    await expect.poll(clouds.running).toBe(0);
  });
});
