import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { measuredBytes } from '../../src/machine/resident-bytes.ts';
import { postJson, workerPids } from '../support/client.ts';
import { readFileOrNull } from '../support/files.ts';
import { builtInModel } from '../support/models.ts';
import { type RunningServer, startServer } from '../support/server.ts';

/** Loads and unloads, about one in a second; 500 show a slower leak. */
const cycles = Number(process.env['HEARTH_TEST_LOAD_CYCLES'] ?? 40);

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

describe('loading and unloading over and over', () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(async () => {
    await server?.stop();
  });

  it('leaves the server as it was after the tenth time: memory, files, processes', async ({ annotate }) => {
    const url = `${server.baseUrl}/models/${builtInModel}`;
    const bytes: number[] = [];
    const files: number[] = [];
    for (let cycle = 1; cycle <= cycles; cycle++) {
      expect((await postJson(`${url}/load`, {})).status).toBe(200);
      expect((await postJson(`${url}/unload`, {})).status).toBe(200);
      bytes.push(measuredBytes(readFileOrNull, server.pid));
      files.push(readdirSync(`/proc/${server.pid}/fd`).length);
    }
    // Collections come and go: the readings around the tenth cycle against as many at the end.
    const tenth = median(bytes.slice(5, 15));
    const last = median(bytes.slice(-10));
    const figures = `${tenth} bytes at the tenth cycle, ${last} after ${cycles}, ${Math.max(...bytes)} at the most`;
    await annotate(figures);
    expect(last / tenth, figures).toBeLessThan(1.05);
    expect(Math.max(...files.slice(-10))).toBeLessThanOrEqual(Math.max(...files.slice(5, 15)));
    expect(workerPids(server.pid)).toEqual([]);
  }, 1_800_000);
});
