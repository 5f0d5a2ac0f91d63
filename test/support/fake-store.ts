import { AppError } from '../../src/core/errors.ts';
import type {
  AvailableModel,
  FoundModel,
  MadeModel,
  MakeWish,
  ModelHeader,
  ModelStore,
  PullInfo,
  PullWish,
} from '../../src/core/pull.ts';

/** A pull that has half of its bytes; `changes` replace fields. */
export function pullInfo(changes: Partial<PullInfo> = {}): PullInfo {
  return {
    id: 'pull-1',
    name: 'tiny',
    model: 'Tiny:q4_0',
    repository: 'maker/tiny-GGUF',
    revision: '0123456789abcdef0123456789abcdef01234567',
    quantization: 'q4_0',
    state: 'downloading',
    files: [{ path: 'Tiny-Q4_0.gguf', sizeBytes: 4_000_000, receivedBytes: 2_000_000 }],
    totalBytes: 4_000_000,
    receivedBytes: 2_000_000,
    bytesPerSecond: 500_000,
    plan: { fits: true, neededBytes: 9_000_000, availableBytes: 4_000_000_000, message: 'Fits.' },
    notes: [],
    error: null,
    startedAt: new Date('2026-02-03T04:05:06.789Z'),
    finishedAt: null,
    ...changes,
  };
}

/** Something to pull that is not here; `changes` replace fields. */
export function availableModel(changes: Partial<AvailableModel> = {}): AvailableModel {
  return {
    name: 'tiny',
    aliases: ['tiny-instruct'],
    title: 'Tiny Instruct',
    kind: 'chat',
    machineGb: 4,
    parameters: 300_000_000,
    activeParameters: null,
    contextTokens: 8_192,
    licence: 'apache-2.0',
    repository: 'maker/tiny-GGUF',
    note: null,
    quantizations: [
      { quantization: 'q4_k_m', sizeBytes: 200_000_000, onDisk: false },
      { quantization: 'q8_0', sizeBytes: null, onDisk: false },
    ],
    advice: null,
    onDisk: false,
    ...changes,
  };
}

/** A model of the hub of which one quantization fits. */
function foundModel(): FoundModel {
  return {
    name: 'hf.co/maker/tiny-GGUF',
    source: 'hub',
    repository: 'maker/tiny-GGUF',
    downloads: 7,
    likes: 3,
    gated: false,
    licence: 'mit',
    quantizations: [
      { quantization: 'q4_0', sizeBytes: 200_000_000, fits: true, onDisk: true },
      { quantization: 'f16', sizeBytes: 9_000_000_000, fits: false, onDisk: false },
    ],
    advice: null,
  };
}

export interface FakeStore extends ModelStore {
  searches: { query: string; limit: number }[];
  /** Pulls by id; tests add to it. */
  known: Map<string, PullInfo>;
  wishes: PullWish[];
  removed: string[];
  imported: { filePath: string; anyFolder: boolean }[];
  cancelled: { id: string; discard: boolean }[];
  made: MadeModel[];
  makes: MakeWish[];
  /** Digests of blobs, with their bytes. */
  blobs: Map<string, Buffer>;
  headers: ModelHeader;
  /** Thrown by every change while set. */
  failure: Error | null;
  /** What `watchPull` gives; left out: the pull as it is. */
  changes: ((signal: AbortSignal) => AsyncIterable<PullInfo>) | null;
}

/** A store that remembers what it was told. */
export function createFakeStore(): FakeStore {
  const find = (id: string): PullInfo => {
    const pull = store.known.get(id);
    if (!pull) throw new AppError('not_found', 'There is no pull of this id.', { field: 'id' });
    return pull;
  };
  const failing = () => {
    if (store.failure) throw store.failure;
  };
  const store: FakeStore = {
    available: async () => [availableModel(), availableModel({ name: 'large', machineGb: 32 })],
    suggest: async (bytesPerSecond) => [
      {
        name: 'tiny',
        title: 'Tiny',
        parameters: 3_000_000,
        licence: 'mit',
        quantization: 'q4_0',
        sizeBytes: 4_000_000,
        tokensPerSecond: bytesPerSecond / 4_000_000,
      },
    ],
    searches: [],
    async search(query, limit) {
      store.searches.push({ query, limit });
      failing();
      return { models: [foundModel()], notes: [], memoryBytes: 4_000_000_000 };
    },
    known: new Map([['pull-1', pullInfo()]]),
    wishes: [],
    removed: [],
    imported: [],
    cancelled: [],
    made: [],
    makes: [],
    blobs: new Map(),
    headers: {
      metadata: { 'general.architecture': 'llama', 'llama.block_count': 2, 'tokenizer.ggml.tokens': null },
      template: '{{ messages[0].content }}',
      tensors: [{ name: 'token_embd.weight', type: 'q8_0', shape: [256, 512] }],
    },
    failure: null,
    changes: null,
    async pull(wish) {
      store.wishes.push(wish);
      failing();
      return pullInfo({ name: wish.name });
    },
    pulls: () => [...store.known.values()],
    getPull: find,
    watchPull(id, signal) {
      const pull = find(id);
      return (
        store.changes?.(signal) ??
        (async function* () {
          yield pull;
        })()
      );
    },
    async cancelPull(id, { discard }) {
      find(id);
      store.cancelled.push({ id, discard });
      return pullInfo({ state: 'cancelled', bytesPerSecond: null });
    },
    async remove(name) {
      store.removed.push(name);
      failing();
      return [{ model: `${name}:q8_0`, files: [`${name}-q8_0.gguf`], sizeBytes: 3_460_300, freedBytes: 3_460_300 }];
    },
    async importFile(filePath, { anyFolder }) {
      store.imported.push({ filePath, anyFolder });
      failing();
      return { model: 'Tiny:q8_0', files: ['Tiny-q8_0.gguf'], sizeBytes: 3_460_300 };
    },
    madeModels: () => store.made,
    findMade: (name) => store.made.find((model) => model.name === name.replace(/:latest$/, '')) ?? null,
    async make(wish) {
      store.makes.push(wish);
      failing();
      const from = wish.from.type === 'model' ? wish.from.name : 'Blob:q8_0';
      const made = { name: wish.name, from, preset: wish.preset, ownsFile: false, createdAt: new Date(0) };
      store.made.push(made);
      return made;
    },
    header: async () => store.headers,
    hasBlob: async (digest) => store.blobs.has(digest),
    async saveBlob(digest, bytes) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of bytes) chunks.push(chunk);
      failing();
      store.blobs.set(digest, Buffer.concat(chunks));
    },
    close: async () => {},
  };
  return store;
}
