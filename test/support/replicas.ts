import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { stringify } from 'yaml';
import { openTestSchema } from './postgres.ts';
import { type RunningServer, startServer } from './server.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

/** Key of the configuration, which may do everything. */
export const adminKey = 'sk-replicas-admin';

/** Servers of one PostgreSQL, each a process of its own. */
export interface Replicas {
  servers: RunningServer[];
  /** The way of all of them to the database. */
  way: TcpProxy;
  /** Rows that the database gives for a statement, asked past that way. */
  query<Row>(statement: string, values?: unknown[]): Promise<Row[]>;
  /** Another one, with these variables besides. */
  add(env?: Record<string, string>): Promise<RunningServer>;
  /** Ends all, and removes what they had. */
  stop(): Promise<void>;
}

/** Starts so many with this configuration file, in an empty schema of the database at `url`. */
export async function startReplicas(url: string, count: number, file: object): Promise<Replicas> {
  const schema = await openTestSchema(url);
  const { hostname, port } = new URL(schema.url);
  const way = await startTcpProxy({ host: hostname, port: Number(port) });
  const through = new URL(schema.url);
  through.port = String(way.port);
  const folder = await mkdtemp(join(tmpdir(), 'hearth-replicas-'));
  const configFile = join(folder, 'hearth.yaml');
  await writeFile(configFile, stringify(file));
  const env = {
    HEARTH_STORAGE_URL: through.href,
    HEARTH_SEAL_KEY: 'the-same-for-all-of-these-replicas',
    HEARTH_API_KEY: adminKey,
    HEARTH_LOG_LEVEL: 'warn',
  };
  const add = async (more: Record<string, string> = {}) => {
    const server = await startServer({ env: { ...env, ...more }, args: ['--config', configFile] });
    servers.push(server);
    return server;
  };
  const servers: RunningServer[] = [];
  await Promise.all(Array.from({ length: count }, () => add()));
  const client = new pg.Client({ connectionString: schema.url });
  await client.connect();
  return {
    servers,
    way,
    async query<Row>(statement: string, values: unknown[] = []) {
      const { rows } = await client.query(statement, values);
      return rows as Row[];
    },
    add,
    async stop() {
      await Promise.all(servers.map((server) => server.stop()));
      await client.end();
      await way.close();
      await schema.dispose();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
