import { randomBytes } from 'node:crypto';

// biome-ignore lint/suspicious/noExplicitAny: requests of whoever is under test, read by hand
type Json = Record<string, any>;

/** What becomes of one line of a batch, by its place; left out: it is answered. */
export type LineOutcome = 'batch_expired' | 'batch_cancelled' | { status: number; body: Json };

interface FakeFile {
  id: string;
  name: string;
  text: string;
}

interface FakeFileBatch {
  id: string;
  status: string;
  input: FakeFile;
  endpoint: string;
  metadata: Json | null;
  output: FakeFile | null;
  errors: FakeFile | null;
  /** Why it failed. */
  failure: { code: string; message: string } | null;
}

/** Files and batches of the fake service: they end when a test says so, or at once. */
export interface FakeFileBatches {
  all: FakeFileBatch[];
  /** Those that are there now. */
  files: Map<string, FakeFile>;
  endsAtOnce: boolean;
  /** The next one is taken, and whoever has sent it never hears of it. */
  swallows: boolean;
  end(outcomes?: Record<number, LineOutcome>): void;
  fail(code: string, message: string): void;
  /** An answer of `/files…` and `/batches…`; null: there is no such path. */
  handle(request: {
    method: string;
    url: URL;
    type: string;
    text: string;
  }): { status: number; body: Json | string } | null;
}

export function createFakeFileBatches(deps: {
  answer: (path: string, body: Json) => { status: number; body: Json };
  now: () => Date;
}): FakeFileBatches {
  const refused = (status: number, message: string, code: string | null = null) => ({
    status,
    body: { error: { message, type: 'invalid_request_error', param: null, code } },
  });
  const keep = (name: string, text: string): FakeFile => {
    const file = { id: `file-${randomBytes(6).toString('hex')}`, name, text };
    fake.files.set(file.id, file);
    return file;
  };
  const fileOf = ({ id, name, text }: FakeFile) => ({
    id,
    object: 'file',
    bytes: Buffer.byteLength(text),
    created_at: seconds(),
    filename: name,
    purpose: 'batch',
    status: 'processed',
  });
  const seconds = () => Math.floor(deps.now().getTime() / 1_000);
  const open = (batch: FakeFileBatch) => ['validating', 'in_progress', 'cancelling'].includes(batch.status);
  const fake: FakeFileBatches = {
    all: [],
    files: new Map(),
    endsAtOnce: false,
    swallows: false,
    end(outcomes = {}) {
      for (const batch of fake.all.filter(open)) endOne(batch, outcomes);
    },
    fail(code, message) {
      for (const batch of fake.all.filter(open)) Object.assign(batch, { status: 'failed', failure: { code, message } });
    },
    handle({ method, url, type, text }) {
      const [, kind, id, act] = url.pathname.replace(/^\/v1/, '').split('/');
      if (kind === 'files') {
        if (id === undefined)
          return method === 'POST'
            ? upload(type, text)
            : { status: 200, body: { object: 'list', data: [...fake.files.values()].map(fileOf), has_more: false } };
        const file = fake.files.get(id);
        if (file === undefined) return refused(404, `No such File object: ${id}`);
        if (method === 'DELETE') {
          fake.files.delete(id);
          return { status: 200, body: { id, object: 'file', deleted: true } };
        }
        return { status: 200, body: act === 'content' ? file.text : fileOf(file) };
      }
      if (kind !== 'batches') return null;
      if (id === undefined) return method === 'POST' ? create(JSON.parse(text) as Json) : list(url.searchParams);
      const batch = fake.all.find((one) => one.id === id);
      if (batch === undefined) return refused(404, `No batch found with id '${id}'.`);
      if (fake.endsAtOnce && open(batch)) endOne(batch, {});
      if (act === 'cancel') {
        if (!open(batch)) return refused(409, `Cannot cancel a batch with status '${batch.status}'.`);
        batch.status = 'cancelling';
      }
      return { status: 200, body: shown(batch) };
    },
  };

  function upload(type: string, text: string) {
    const boundary = /boundary=(.+)$/.exec(type)?.[1];
    if (!type.startsWith('multipart/form-data') || boundary === undefined) return refused(400, 'a form is needed');
    const parts = text
      .split(`--${boundary}`)
      .slice(1, -1)
      .map((part) => {
        const [head = '', ...rest] = part.split('\r\n\r\n');
        return { head, content: rest.join('\r\n\r\n').replace(/\r\n$/, '') };
      });
    const purpose = parts.find(({ head }) => head.includes('name="purpose"'))?.content;
    const file = parts.find(({ head }) => head.includes('name="file"'));
    if (purpose !== 'batch' || file === undefined) return refused(400, 'purpose and file are needed');
    return { status: 200, body: fileOf(keep(/filename="([^"]+)"/.exec(file.head)?.[1] ?? 'file', file.content)) };
  }

  function create({ input_file_id, endpoint, completion_window, metadata = null }: Json) {
    const input = fake.files.get(input_file_id);
    if (input === undefined || completion_window !== '24h') return refused(400, 'a file and a window are needed');
    const lines = linesIn(input);
    const models = new Set(lines.map(({ body }) => body.model));
    const isFit = lines.every(({ method, url, body }) => method === 'POST' && url === endpoint && !('stream' in body));
    if (!isFit || new Set(lines.map(({ custom_id }) => custom_id)).size !== lines.length)
      return refused(400, 'lines are wrong');
    if (models.size > 1) return refused(400, 'mismatched_model');
    const id = `batch_${String(fake.all.length + 1).padStart(8, '0')}`;
    const batch = { id, status: 'in_progress', input, endpoint, metadata, output: null, errors: null, failure: null };
    fake.all.push(batch);
    return { status: 200, body: shown(batch) };
  }

  function list(query: URLSearchParams) {
    const seen = [...fake.all].reverse();
    const from = seen.findIndex(({ id }) => id === query.get('after')) + 1;
    const data = seen.slice(from, from + 2).map(shown);
    return { status: 200, body: { object: 'list', data, has_more: seen.length > from + 2 } };
  }

  function endOne(batch: FakeFileBatch, outcomes: Record<number, LineOutcome>): void {
    const good: string[] = [];
    const bad: string[] = [];
    for (const [index, { custom_id, body }] of linesIn(batch.input).entries()) {
      const given = outcomes[index] ?? (batch.status === 'cancelling' ? 'batch_cancelled' : null);
      const head = { id: `batch_req_${index}`, custom_id };
      if (typeof given === 'string') {
        bad.push(JSON.stringify({ ...head, response: null, error: { code: given, message: `${given}.` } }));
        continue;
      }
      const { status, body: answer } = given ?? deps.answer(batch.endpoint, body);
      const line = {
        ...head,
        response: { status_code: status, request_id: `req_${index}`, body: answer },
        error: null,
      };
      (status === 200 ? good : bad).push(JSON.stringify(line));
    }
    const kept = (lines: string[], name: string) => (lines.length === 0 ? null : keep(name, `${lines.join('\n')}\n`));
    batch.output = kept(good, 'output.jsonl');
    batch.errors = kept(bad, 'error.jsonl');
    batch.status = batch.status === 'cancelling' ? 'cancelled' : 'completed';
  }

  function shown(batch: FakeFileBatch): Json {
    const { id, status, input, endpoint, metadata, output, errors, failure } = batch;
    return {
      id,
      object: 'batch',
      endpoint,
      errors: failure && { object: 'list', data: [{ ...failure, line: null, param: null }] },
      input_file_id: input.id,
      completion_window: '24h',
      status,
      output_file_id: output?.id ?? null,
      error_file_id: errors?.id ?? null,
      created_at: seconds(),
      metadata,
    };
  }

  return fake;
}

function linesIn({ text }: FakeFile): Json[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Json);
}
