/** A request of the chat, for other programs. */
export interface CodeRequest {
  /** Address of the server, without a slash at its end. */
  base: string;
  needsKey: boolean;
  body: Record<string, unknown>;
}

export function toCurl({ base, needsKey, body }: CodeRequest): string {
  const json = JSON.stringify(body, null, 2).replaceAll("'", "'\\''");
  return [
    `curl -N ${base}/v1/chat/completions \\`,
    "  -H 'Content-Type: application/json' \\",
    ...(needsKey ? ['  -H "Authorization: Bearer $HEARTH_API_KEY" \\'] : []),
    `  -d '${json}'`,
  ].join('\n');
}

export function toJavaScript({ base, needsKey, body }: CodeRequest): string {
  const apiKey = needsKey ? 'process.env.HEARTH_API_KEY' : "'any-key'";
  return `// npm install openai
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: '${base}/v1', apiKey: ${apiKey} });
const stream = await client.chat.completions.create(${JSON.stringify(body, null, 2)});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '');
`;
}

export function toPython({ base, needsKey, body }: CodeRequest): string {
  const apiKey = needsKey ? 'os.environ["HEARTH_API_KEY"]' : '"any-key"';
  // Templates of chats take what only this server knows through the SDK's own door for it.
  const { chat_template_kwargs: extra, ...known } = body;
  const fields = [
    ...Object.entries(known),
    ...(extra === undefined ? [] : [['extra_body', { chat_template_kwargs: extra }] as const]),
  ];
  const lines = fields.map(([name, value]) => `    ${name}=${toPythonValue(value, '    ')},`);
  return `# pip install openai
${needsKey ? 'import os\n' : ''}from openai import OpenAI

client = OpenAI(base_url="${base}/v1", api_key=${apiKey})
stream = client.chat.completions.create(
${lines.join('\n')}
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
`;
}

/** A value of JSON as Python writes it. */
function toPythonValue(value: unknown, indent: string): string {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value !== 'object') return JSON.stringify(value);
  const inner = `${indent}    `;
  const items = Array.isArray(value)
    ? value.map((one) => toPythonValue(one, inner))
    : Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${toPythonValue(one, inner)}`);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  if (items.length === 0) return `${open}${close}`;
  const oneLine = `${open}${items.join(', ')}${close}`;
  if (oneLine.length + indent.length <= 96 && !oneLine.includes('\n')) return oneLine;
  return `${open}\n${items.map((text) => `${inner}${text},`).join('\n')}\n${indent}${close}`;
}
