import type { Config } from '../config/schema.ts';
import { allRights, anonymous, type KeyRights, type Principal } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { digestOf, type KeyHeaders, ownerOf, ownerOfDigest, readKey } from './keys.ts';
import { type KeyWish, type MadeKey, type MadeKeys, opens } from './made-keys.ts';
import { isToken, type Tokens } from './tokens.ts';

/** A key as lists show it. */
export interface ListedKey extends KeyRights {
  /** Null: it is not of our making, and only the configuration takes it away. */
  id: string | null;
  name: string;
  /** `made`: by command or API; `file`: of the section `keys`; `setting`: of `server.api_key`. */
  from: 'made' | 'file' | 'setting';
  ending: string | null;
  createdAt: Date | null;
  expiresAt: Date | null;
  revokedAt: Date | null;
}

/** Every key that opens something, wherever it comes from, as it is now. */
export interface Keyring {
  /** Whether requests need a key. */
  asksForKey(): boolean;
  /**
   * Who asks. `anonymous` where no key is asked for. Rejects with `invalid_request` when the headers carry different keys,
   * and with `unauthorized` when the key is missing, unknown, revoked or expired.
   */
  principalOf(headers: KeyHeaders): Promise<Principal>;
  /**
   * Whoever was let in before, with the rights that the key has now; null: it was revoked or has expired since. The rights of a
   * token are those that it came with. Without the key itself, so for connections that stay open.
   */
  again(principal: Principal): Principal | null;
  /** Revoked and expired ones too. */
  list(): ListedKey[];
  /** The key, revoked and expired ones too, whose holder has this id as a `Principal`; null: there is none. */
  keyOf(principal: string): Pick<ListedKey, 'name' | 'budget'> | null;
  /**
   * Makes a key and returns it, for the only time. Throws as `MadeKeys.create`, and `invalid_request` for a first key that
   * would leave nobody who may make others.
   */
  create(wish: KeyWish): Promise<{ key: string; made: ListedKey }>;
  /** As `MadeKeys.revoke`. */
  revoke(idOrName: string): Promise<ListedKey>;
}

/** Of the key of commands on this machine. */
const localName = 'local';

/** A key of the configuration. */
interface ConfiguredKey extends KeyRights {
  name: string;
  from: 'file' | 'setting';
  expiresAt: Date | null;
}

/** `config`: as it is now; the same object until it changes. */
export function createKeyring(deps: {
  config: () => Config;
  made: MadeKeys;
  tokens: Tokens;
  clock: Pick<Clock, 'now'>;
  /** The key of commands on this machine (`files/local-key.ts`). It is in no list, and does not make others be asked for one. */
  localKey?: string;
}): Keyring {
  const { made, tokens, clock } = deps;
  const localDigest = deps.localKey === undefined ? null : digestOf(deps.localKey);
  const localId = localDigest === null ? null : ownerOfDigest(localDigest);
  let indexed: { of: Config; keys: ReadonlyMap<string, ConfiguredKey> } | null = null;

  let holders: {
    ofConfig: ReadonlyMap<string, ConfiguredKey>;
    ofUs: readonly MadeKey[];
    keys: ReadonlyMap<string, ListedKey>;
  } | null = null;

  const configured = (): ReadonlyMap<string, ConfiguredKey> => {
    const config = deps.config();
    if (indexed?.of !== config) indexed = { of: config, keys: configuredKeys(config) };
    return indexed.keys;
  };
  const cacheOwner = (id: string) => (deps.config().models.prefixSharing === 'per_key' ? id : null);
  const principal = (id: string, name: string, rights: KeyRights): Principal => {
    const { scopes, models, mayUseCloud, budget, rateLimits } = rights;
    return { id, name, cacheOwner: cacheOwner(id), address: null, scopes, models, mayUseCloud, budget, rateLimits };
  };
  const asksForKey = () => configured().size > 0 || deps.config().cloud.jwt !== null || made.exist();

  const holderOf = async (key: string): Promise<Principal> => {
    const digest = digestOf(key);
    if (digest === localDigest) return principal(ownerOfDigest(digest), localName, allRights);
    const mine = made.find(digest);
    const found = configured().get(digest) ?? mine;
    if (found) {
      // Only who has the key is told what became of it.
      if (mine?.revokedAt && found === mine) throw new AppError('unauthorized', 'The API key was revoked.');
      if (found.expiresAt && found.expiresAt <= clock.now()) {
        throw new AppError('unauthorized', 'The API key has expired.');
      }
      return principal(ownerOfDigest(digest), found.name, found);
    }
    const { jwt } = deps.config().cloud;
    if (jwt === null || !isToken(key)) throw new AppError('unauthorized', 'The API key is not valid.');
    const { issuer, subject, endsAt, rights } = await tokens.check(key, jwt);
    return { ...principal(ownerOf(JSON.stringify([issuer, subject])), subject, rights), tokenEndsAt: endsAt };
  };

  /** By the id of their holder; the same map until a key changes. */
  const all = (): ReadonlyMap<string, ListedKey> => {
    const [ofConfig, ofUs] = [configured(), made.list()];
    if (holders?.ofConfig === ofConfig && holders.ofUs === ofUs) return holders.keys;
    const keys = new Map<string, ListedKey>([
      ...ofUs.map((key) => [ownerOfDigest(key.digest), listed(key)] as const),
      ...[...ofConfig].map(([digest, key]) => [ownerOfDigest(digest), ofConfiguration(key)] as const),
    ]);
    holders = { ofConfig, ofUs, keys };
    return keys;
  };

  return {
    asksForKey,
    async principalOf(headers) {
      if (!asksForKey()) return anonymous;
      const key = readKey(headers);
      if (key !== null) return holderOf(key);
      throw new AppError('unauthorized', 'This server asks for an API key.', {
        fix: 'Send it as "Authorization: Bearer KEY" or "X-API-Key: KEY".',
      });
    },
    again(before) {
      const { id, address, tokenEndsAt } = before;
      if (!asksForKey() || id === localId) return before;
      if (tokenEndsAt !== undefined) {
        return deps.config().cloud.jwt !== null && tokenEndsAt > clock.now() ? before : null;
      }
      const key = all().get(id);
      if (key === undefined || !opens(key, clock.now())) return null;
      return { ...principal(id, key.name, key), address };
    },
    list: () => [...[...configured().values()].map(ofConfiguration), ...made.list().map(listed)],
    keyOf: (principal) => (principal === localId ? { name: localName, budget: null } : (all().get(principal) ?? null)),
    async create(wish) {
      if ([...configured().values()].some(({ name }) => name === wish.name)) {
        throw new AppError('invalid_request', `There is a key called "${wish.name}" already.`, { field: 'name' });
      }
      if (!asksForKey() && !wish.scopes.includes('admin')) {
        throw new AppError(
          'invalid_request',
          'The first key must be one for administration, or nobody could make others.',
          {
            field: 'scopes',
            fix: 'Make a key with the scope admin first.',
          },
        );
      }
      const result = await made.create(wish);
      return { key: result.key, made: listed(result.made) };
    },
    async revoke(idOrName) {
      const isMade = made.list().some(({ id, name }) => id === idOrName || name === idOrName);
      if (!isMade && [...configured().values()].some(({ name }) => name === idOrName)) {
        throw new AppError('not_found', `The key "${idOrName}" stands in the configuration.`, {
          fix: 'Remove it there: a key of the file opens nothing any more once that is read again, one of server.api_key after a restart.',
        });
      }
      return listed(await made.revoke(idOrName));
    },
  };
}

function listed({ digest: _digest, ...key }: MadeKey): ListedKey {
  return { ...key, from: 'made' };
}

function ofConfiguration(key: ConfiguredKey): ListedKey {
  return { ...key, id: null, ending: null, createdAt: null, revokedAt: null };
}

/** By digest. */
function configuredKeys({ server, cloud }: Config): Map<string, ConfiguredKey> {
  const ofSetting = server.apiKeys.map((key, index): [string, ConfiguredKey] => [
    digestOf(key),
    { ...allRights, name: index === 0 ? 'api_key' : `api_key_${index + 1}`, from: 'setting', expiresAt: null },
  ]);
  const ofFile = cloud.keys.map(({ key, ...rest }): [string, ConfiguredKey] => [
    digestOf(key.reveal()),
    { ...rest, from: 'file' },
  ]);
  // One that stands in both has the rights of the section, which says more of it.
  return new Map([...ofSetting, ...ofFile]);
}
