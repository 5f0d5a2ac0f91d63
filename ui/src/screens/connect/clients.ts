/** Programs that people point at the server, and what to tell them. */

export interface Target {
  /** Address of the server, without a slash at its end. */
  base: string;
  /** The key, or words for where it goes; null: the server asks for none. */
  key: string | null;
  model: string;
}

export interface Client {
  id: string;
  name: string;
  /** What goes where, in a line. */
  about: string;
  text(target: Target): string;
}

/** Clients ask for a key even where none is needed. */
const keyOr = ({ key }: Target) => key ?? 'any-key';

export const clients: readonly Client[] = [
  {
    id: 'curl',
    name: 'curl',
    about: 'In a shell.',
    text: ({ base, key, model }) =>
      [
        `curl ${base}/v1/chat/completions \\`,
        "  -H 'Content-Type: application/json' \\",
        ...(key === null ? [] : [`  -H 'Authorization: Bearer ${key}' \\`]),
        `  -d '${JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }] })}'`,
      ].join('\n'),
  },
  {
    id: 'open-webui',
    name: 'Open WebUI',
    about: 'As variables of its container; or under Settings, Connections, as one of the type OpenAI.',
    text: (target) => `OPENAI_API_BASE_URL=${target.base}/v1\nOPENAI_API_KEY=${keyOr(target)}`,
  },
  {
    id: 'home-assistant',
    name: 'Home Assistant',
    about: 'The integration Ollama takes the address of the server; it asks for no key.',
    text: ({ base, model }) => `URL:   ${base}\nModel: ${model}`,
  },
  {
    id: 'claude-code',
    name: 'Claude Code',
    about: 'Before it is started.',
    text: (target) =>
      [
        `export ANTHROPIC_BASE_URL=${target.base}`,
        `export ANTHROPIC_AUTH_TOKEN=${keyOr(target)}`,
        `export ANTHROPIC_MODEL=${target.model}`,
        'claude',
      ].join('\n'),
  },
  {
    id: 'codex',
    name: 'Codex',
    about: 'In ~/.codex/config.toml; the key is in HEARTH_API_KEY.',
    text: ({ base, key, model }) =>
      [
        `model = "${model}"`,
        'model_provider = "hearth"',
        'web_search = "disabled"',
        '',
        '[model_providers.hearth]',
        'name = "Hearth"',
        `base_url = "${base}/v1"`,
        'wire_api = "responses"',
        ...(key === null ? [] : ['env_key = "HEARTH_API_KEY"']),
      ].join('\n'),
  },
  {
    id: 'openai-python',
    name: 'OpenAI SDK, Python',
    about: 'pip install openai',
    text: (target) => `from openai import OpenAI

client = OpenAI(base_url="${target.base}/v1", api_key="${keyOr(target)}")
answer = client.chat.completions.create(model="${target.model}", messages=[{"role": "user", "content": "Hello"}])
print(answer.choices[0].message.content)`,
  },
  {
    id: 'openai-js',
    name: 'OpenAI SDK, JavaScript',
    about: 'npm install openai',
    text: (target) => `import OpenAI from 'openai';

const client = new OpenAI({ baseURL: '${target.base}/v1', apiKey: '${keyOr(target)}' });
const answer = await client.chat.completions.create({
  model: '${target.model}',
  messages: [{ role: 'user', content: 'Hello' }],
});
console.log(answer.choices[0].message.content);`,
  },
  {
    id: 'anthropic-python',
    name: 'Anthropic SDK, Python',
    about: 'pip install anthropic',
    text: (target) => `import anthropic

client = anthropic.Anthropic(base_url="${target.base}", api_key="${keyOr(target)}")
message = client.messages.create(
    model="${target.model}", max_tokens=256, messages=[{"role": "user", "content": "Hello"}]
)
print(message.content[0].text)`,
  },
  {
    id: 'langchain',
    name: 'LangChain, Python',
    about: 'pip install langchain-openai',
    text: (target) => `from langchain_openai import ChatOpenAI

model = ChatOpenAI(base_url="${target.base}/v1", api_key="${keyOr(target)}", model="${target.model}")
print(model.invoke("Hello").content)`,
  },
  {
    id: 'ai-sdk',
    name: 'Vercel AI SDK',
    about: 'npm install ai @ai-sdk/openai-compatible',
    text: (target) => `import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText } from 'ai';

const hearth = createOpenAICompatible({ name: 'hearth', baseURL: '${target.base}/v1', apiKey: '${keyOr(target)}' });
const { text } = await generateText({ model: hearth('${target.model}'), prompt: 'Hello' });
console.log(text);`,
  },
  {
    id: 'continue',
    name: 'Continue',
    about: 'In ~/.continue/config.yaml, under models.',
    text: (target) => `- name: Hearth
  provider: openai
  model: ${target.model}
  apiBase: ${target.base}/v1
  apiKey: ${keyOr(target)}
  roles: [chat, edit]`,
  },
  {
    id: 'prometheus',
    name: 'Prometheus',
    about: 'Under scrape_configs; docker/prometheus has the whole file, with alerts.',
    text: ({ base, key }) => {
      const { protocol, host, pathname } = new URL(base);
      return [
        '- job_name: hearth',
        `  scheme: ${protocol.slice(0, -1)}`,
        `  metrics_path: ${pathname === '/' ? '' : pathname}/metrics`,
        ...(key === null ? [] : [`  authorization: { credentials: ${key} }`]),
        `  static_configs: [{ targets: ['${host}'] }]`,
      ].join('\n');
    },
  },
];
