import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await createHarness();
});
afterAll(() => harness.close());

describe('endpoints of OpenAI that Hearth does not have', () => {
  it.each([
    ['POST', 'assistants'],
    ['POST', 'threads'],
    ['POST', 'threads/thread_1/runs'],
    ['GET', 'threads/thread_1/messages'],
    ['POST', 'fine_tuning/jobs'],
    ['GET', 'fine_tuning/jobs?limit=2'],
    ['POST', 'vector_stores'],
    ['POST', 'images/generations'],
    ['POST', 'images/edits'],
    ['POST', 'videos'],
    ['POST', 'audio/speech'],
    ['POST', 'audio/transcriptions'],
    ['POST', 'realtime/client_secrets'],
    ['POST', 'live/sessions'],
    ['POST', 'containers'],
    ['POST', 'evals'],
    ['POST', 'graders/run'],
    ['POST', 'skills'],
    ['POST', 'agents'],
    ['POST', 'moderations'],
    ['GET', 'organization/usage'],
    ['GET', 'chat/completions/chatcmpl-1'],
    ['POST', 'chat/completions/chatcmpl-1'],
    ['DELETE', 'chat/completions/chatcmpl-1'],
  ])('%s /v1/%s is 404 in JSON, whatever is sent', async (method, path) => {
    const multipart = { 'content-type': 'multipart/form-data; boundary=x' };
    for (const headers of [{}, multipart]) {
      const response = await harness.send(method, `/v1/${path}`, method === 'GET' ? undefined : '--x--', headers);
      expect(response.statusCode).toBe(404);
      expect(response.headers['content-type']).toBe('application/json; charset=utf-8');
      expect(response.json().error).toMatchObject({ type: 'invalid_request_error', code: 'not_found' });
      expect(response.json().error.message).toContain(`/v1/${path.split('?')[0]}`);
    }
  });

  it('DELETE /v1/models/{model} is no way to delete one', async () => {
    expect((await harness.send('DELETE', '/v1/models/tiny')).statusCode).toBe(405);
  });
});
