import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type CallContext, localRouting, noWish } from '../../src/core/call.ts';
import { foldEvents } from '../../src/core/events.ts';
import { promptTokensOf } from '../../src/core/usage.ts';
import { createGateway } from '../../src/gateway/gateway.ts';
import type { AppEvent } from '../../src/observe/bus.ts';
import { toChatRequest } from '../support/anthropic-replay/from-wire.ts';
import { createReplayProvider } from '../support/anthropic-replay/provider.ts';
import { toBody, toMessage } from '../support/anthropic-replay/to-wire.ts';
import { anyContext } from '../support/calls.ts';
import { manualClock } from '../support/manual-clock.ts';

// The middle has to carry what it was not made from: Anthropic's API, whole, through the real gateway.
const fixture = (name: string) => readFileSync(new URL(`../fixtures/anthropic/${name}`, import.meta.url), 'utf8');
const message = JSON.parse(fixture('message.json'));
const body = JSON.parse(fixture('request.json'));

const cloud: CallContext = anyContext({
  routing: { ...noWish, provider: 'anthropic' },
  config: { ...localRouting, cloudAllowed: true },
});

function setup() {
  const provider = createReplayProvider(fixture('stream.sse'));
  const events: AppEvent[] = [];
  const gateway = createGateway({
    providers: () => new Map([[provider.id, provider]]),
    guards: [],
    clock: manualClock(),
    bus: { publish: (event) => events.push(event) },
  });
  return { provider, gateway, events };
}

describe('a recorded answer of another provider', () => {
  it('comes out of the gateway as the message it was, block for block', async () => {
    const { gateway } = setup();
    const { providerId, events } = await gateway.stream(toChatRequest(body), cloud);
    const answer = await foldEvents(events, providerId);
    expect(toMessage(answer)).toEqual(message);
  });

  it('can go back as history, signatures and blocks that only its provider knows included', async () => {
    const { gateway } = setup();
    const { providerId, events } = await gateway.stream(toChatRequest(body), cloud);
    const { choices } = await foldEvents(events, providerId);
    const request = toChatRequest(body);
    if (request.input.type !== 'chat') throw new Error('a conversation');
    request.input.messages.push({ role: 'assistant', content: choices[0].blocks });
    expect(toBody(request).messages.at(-1)).toEqual({ role: 'assistant', content: message.content });
  });

  it('is counted once, each token in one place', async () => {
    const { gateway, events: told } = setup();
    const { events } = await gateway.stream(toChatRequest(body), cloud);
    const { usage } = await foldEvents(events);
    expect(promptTokensOf(usage)).toBe(21 + 188 + 2048);
    const ended = told.find((event) => event.type === 'request-ended');
    expect(ended).toMatchObject({ provider: 'anthropic', model: message.model, outcome: 'tool_calls', usage });
  });
});

describe('a request with parts of every kind', () => {
  it('arrives at the provider unharmed', async () => {
    const { provider, gateway } = setup();
    const request = toChatRequest(body);
    const before = structuredClone(request);
    await (await gateway.stream(request, cloud)).events.return?.();
    expect(provider.arrived[0]!.request).toEqual(before);
    expect(provider.arrived[0]!.body).toEqual(body);
    expect(provider.arrived[0]!.request.original?.body).toBe(body);
  });
});
