import { parseSyntax, type Syntax } from './pattern/pattern.ts';

const hour = '(?:[01]\\d|2[0-3])';
const time = `${hour}:[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-]${hour}:[0-5]\\d)`;

const days31 = '(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])';
const days30 = '(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)';
const days28 = '02-(?:0[1-9]|1\\d|2[0-8])';
const leapYear = '(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)';
const date = `(?:\\d{4}-(?:${days31}|${days30}|${days28})|${leapYear}-02-29)`;

const number = '\\d{1,4}';
const days = `(?:${number}Y(?:${number}M)?(?:${number}D)?|${number}M(?:${number}D)?|${number}D)`;
const clock = `(?:${number}H(?:${number}M)?(?:${number}S)?|${number}M(?:${number}S)?|${number}S)`;

const byte = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const group = '[0-9a-fA-F]{1,4}';
const label = '[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*';
// A last label of digits would make a URL parser read all of it as an IPv4 address.
const host = `(?:${byte}(?:\\.${byte}){3}|(?:${label}\\.)*[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*)`;
const urlCharacter = "[A-Za-z0-9._~!$&'()*+,;=:@-]";

const pathCharacter = "[A-Za-z0-9._~!$&'()*+,;=:@/-]";

/** `::` stands for the groups that are missing, so there is one form for each count before it. */
function ipv6(): string {
  const compressed = Array.from({ length: 7 }, (_, before) => {
    const head = before === 0 ? ':' : `(?:${group}:){${before}}`;
    const after = 6 - before;
    return after === 0 ? `${head}:` : `${head}:(?:${group}(?::${group}){0,${after}})?`;
  });
  return `(?:${group}:){7}${group}|${compressed.join('|')}`;
}

const uuid = (version: string) =>
  `[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-${version}[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}`;
const ipv4 = `${byte}(?:\\.${byte}){3}`;
const email = `[A-Za-z0-9_+-]+(?:\\.[A-Za-z0-9_+-]+)*@(?:${label}\\.)+[A-Za-z]{2,24}`;
const behindHost = `(?:/${pathCharacter}*)?(?:\\?${urlCharacter}*)?(?:#${urlCharacter}*)?`;
const uri = `https?://${host}(?::[1-9]\\d{0,3})?${behindHost}`;
const hostname = `(?:${label}\\.)*${label}`;

/**
 * The `format`s that shape a string, those that pydantic writes among them; every other one is an annotation, as JSON
 * Schema has it.
 */
const sources: Readonly<Record<string, string>> = {
  date,
  time,
  'date-time': `${date}T${time}`,
  duration: `P(?:\\d{1,4}W|${days}(?:T${clock})?|T${clock})`,
  uuid: uuid('[1-8]'),
  ...Object.fromEntries(['1', '3', '4', '5', '6', '7', '8'].map((version) => [`uuid${version}`, uuid(version)])),
  email,
  'idn-email': email,
  hostname,
  'idn-hostname': hostname,
  ipv4,
  ipv6: ipv6(),
  ipvanyaddress: `${ipv4}|${ipv6()}`,
  ipv4network: `${ipv4}/32`,
  ipv6network: `(?:${ipv6()})/128`,
  uri,
  iri: uri,
  'json-pointer': '(?:/(?:[^~/]|~[01])*)*',
};

const parsed = new Map<string, Syntax>();

/** What a `format` allows, or null for one that is not enforced. */
export function formatSyntax(format: string): Syntax | null {
  if (!Object.hasOwn(sources, format)) return null;
  let syntax = parsed.get(format);
  if (syntax === undefined) {
    syntax = parseSyntax(`^(?:${sources[format]})$`);
    parsed.set(format, syntax);
  }
  return syntax;
}
