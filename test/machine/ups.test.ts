import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createUps } from '../../src/machine/ups.ts';
import { type FakeNut, startFakeNut } from '../support/fake-nut.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';

let nut: FakeNut;
let clock: ManualClock;
let logged: string[];
beforeEach(async () => {
  nut = await startFakeNut({ ups: { 'ups.status': 'OL' } });
  clock = manualClock();
  logged = [];
});
afterEach(() => nut.stop());

const ups = (name = 'ups', port = nut.port) => {
  const note = (_facts: unknown, text?: string) => void logged.push(text ?? '');
  return createUps({ address: { host: '127.0.0.1', port, name }, clock, log: { warn: note, info: note } });
};

describe('a UPS', () => {
  it.each([
    ['OL', 'mains'],
    ['OL CHRG', 'mains'],
    ['ALARM OL', 'mains'],
    ['OB DISCHRG', 'battery'],
    ['OB DISCHRG LB', 'low'],
    ['OL CHRG LB', 'low'],
    ['FSD OB', 'low'],
  ])('of which its server says %s is on %s', async (status, state) => {
    nut.upses = { ups: { 'ups.status': status } };
    expect(await ups().read()).toBe(state);
    await expect.poll(() => nut.asked).toEqual(['GET VAR ups ups.status', 'LOGOUT']);
  });

  it.each([
    ['other', 'ERR UNKNOWN-UPS'],
    ['ups', 'ERR DRIVER-NOT-CONNECTED'],
  ])('%s that nothing is known of changes nothing, and is said once: %s', async (name) => {
    nut.upses = { ups: null };
    const one = ups(name);
    expect([await one.read(), await one.read()]).toEqual([null, null]);
    expect(logged).toEqual(['nothing is known of the UPS; batches go on as before']);
  });

  it('whose server goes away is what it was for ten minutes, and is said to be known again', async () => {
    nut.upses = { ups: { 'ups.status': 'OB' } };
    const one = ups();
    expect(await one.read()).toBe('battery');
    const { port, upses } = nut;
    await nut.stop();
    clock.advance(599_999);
    expect(await one.read()).toBe('battery');
    clock.advance(1);
    expect(await one.read()).toBeNull();
    nut = await startFakeNut(upses, port);
    expect(await one.read()).toBe('battery');
    expect(logged).toEqual(['nothing is known of the UPS; batches go on as before', 'the UPS is known again']);
  });

  it('whose server says nothing, or something else, is unknown after five seconds', async () => {
    const silent = createServer(() => connected.resolve());
    const connected = Promise.withResolvers<void>();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const read = ups('ups', (silent.address() as { port: number }).port).read();
    await connected.promise;
    clock.advance(5_000);
    expect(await read).toBeNull();
    silent.close();
    const chatty = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => chatty.listen(0, '127.0.0.1', resolve));
    expect(await ups('ups', (chatty.address() as { port: number }).port).read()).toBeNull();
    chatty.close();
  });
});
