import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allRights } from '../../../src/core/call.ts';
import { createLogger, type Logger } from '../../../src/observe/logger.ts';
import { createHarness, type Harness, sseRecords } from '../harness.ts';

let harness: Harness;
let log: Logger;
beforeEach(async () => {
  harness = await createHarness();
  log = createLogger('debug', { write: () => {} }, harness.logLines);
});
afterEach(() => harness.close());

const get = async (query = '') => (await harness.send('GET', `/api/v1/logs${query}`)).json();

describe('GET /api/v1/logs', () => {
  it('has the last lines, filtered', async () => {
    log.info({ requestId: 'req_a', model: 'tiny' }, 'model loaded');
    log.warn('memory is short');
    const { lines } = await get();
    expect(lines[0]).toEqual({
      sequence: 1,
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      level: 'info',
      message: 'model loaded',
      request_id: 'req_a',
      fields: { model: 'tiny' },
    });
    const messagesOf = async (query: string) =>
      (await get(query)).lines.map(({ message }: { message: string }) => message);
    expect(await messagesOf('?level=warn')).toEqual(['memory is short']);
    expect(await messagesOf('?request_id=req_a')).toEqual(['model loaded']);
    expect(await messagesOf('?after=1')).toEqual(['memory is short']);
    expect(await messagesOf('?limit=1')).toEqual(['memory is short']);
  });

  it.each([
    ['?limit=0', 'limit'],
    ['?limit=2001', 'limit'],
    ['?level=loud', 'level'],
    ['?after=x', 'after'],
  ])('names what is wrong with %s', async (query, field) => {
    const response = await harness.send('GET', `/api/v1/logs${query}`);
    expect(response.statusCode).toBe(400);
    expect(response.body).toContain(field);
  });
});

describe('GET /api/v1/logs/events', () => {
  it('tells what is there and what comes, and ends with the log', async () => {
    log.info('before');
    const address = await harness.http.listen();
    const response = await fetch(`${address}/api/v1/logs/events?level=info`);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    log.debug('too fine');
    log.error('after');
    harness.logLines.end();
    const records = sseRecords(await response.text());
    expect(records.map(({ event, data }) => [event, JSON.parse(data).message])).toEqual([
      ['line', 'before'],
      ['line', 'after'],
    ]);
  });

  it('opens for a ticket of a key for administration, and for no other', async () => {
    const locked = await createHarness({ apiKeys: ['secret-key'] });
    const { key } = await locked.keyring.create({
      ...allRights,
      name: 'kitchen',
      scopes: ['inference'],
      expiresAt: null,
    });
    const follow = async (holder: string) => {
      const { ticket } = (await locked.send('POST', '/tickets', undefined, { 'x-api-key': holder })).json();
      return (await locked.send('GET', `/api/v1/logs/events?ticket=${ticket}`)).statusCode;
    };
    locked.logLines.end();
    expect([await follow('secret-key'), await follow(key)]).toEqual([200, 403]);
    await locked.close();
  });

  it('answers at once where there is no line yet', async () => {
    const address = await harness.http.listen();
    const leaves = new AbortController();
    const response = await fetch(`${address}/api/v1/logs/events`, { signal: leaves.signal });
    expect(response.status).toBe(200);
    leaves.abort();
  });
});
