import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chatToCore } from '../../../src/http/openai/chat/to-core.ts';
import { type TemplateMessage, toTemplateMessages } from '../../../src/worker/conversation/conversation.ts';
import { createTemplate, JinjaError } from '../../../src/worker/jinja/jinja.ts';
import { type ChatTemplate, createChatTemplate } from '../../../src/worker/prompt/template.ts';
import { referenceModels } from '../../support/reference.ts';
import { repositoryRoot } from '../../support/server.ts';

type Conversation = Omit<Parameters<typeof chatToCore>[0], 'model'>;
type Recorded = Record<string, Record<string, { sha256: string } | { refused: string }>>;

const fixture = (name: string): unknown =>
  JSON.parse(readFileSync(join(repositoryRoot, 'test/fixtures/templates', name), 'utf8'));
const conversations = fixture('conversations.json') as Record<string, Conversation>;
const recorded = fixture('recorded.json') as Recorded;

const reference = referenceModels();
const folder = 'folder' in reference ? join(reference.folder, 'templates') : '';
// Those of which we have recorded how Jinja2 itself renders them; the folder may hold more.
const names = 'folder' in reference ? Object.keys(recorded) : [];

const templates = new Map<string, ChatTemplate>();
function templateOf(name: string): ChatTemplate {
  const known = templates.get(name);
  if (known) return known;
  const template = createChatTemplate({
    source: readFileSync(join(folder, `${name}.jinja`), 'utf8'),
    architecture: 'any',
    tokenizerModel: 'gpt2',
    controlTexts: [],
    userDefinedTexts: [],
    bosText: '<bos>',
    eosText: '<eos>',
  });
  templates.set(name, template);
  return template;
}

function render(name: string, conversation: Conversation): string {
  const { input } = chatToCore({ model: 'any', ...conversation });
  if (input.type !== 'chat') throw new Error('a conversation');
  const { messages, tools, templateOptions } = input;
  return templateOf(name)
    .render({ messages: toTemplateMessages(messages), tools, ...(templateOptions && { options: templateOptions }) })
    .pieces.join('');
}

const formOf: Record<string, string> = {
  'GLM-4.6': 'glm',
  'GLM-4.7-Flash': 'glm',
  'LFM2-8B-A1B': 'lfm',
  'Mistral-Small-3.2-24B-Instruct-2506': 'mistral',
  'NousResearch-Hermes-3-Llama-3.1-8B-tool_use': 'hermes',
  'Qwen-QwQ-32B': 'hermes',
  'Qwen-Qwen2.5-7B-Instruct': 'hermes',
  'Qwen-Qwen3-0.6B': 'hermes',
  'Qwen3-Coder': 'qwen-coder',
  'Qwen3.5-4B': 'qwen-coder',
  'google-gemma-4-31B-it': 'gemma',
  'ibm-granite-granite-4.0': 'hermes',
  'meta-llama-Llama-3.1-8B-Instruct': 'llama',
  'meta-llama-Llama-3.2-3B-Instruct': 'llama',
  'meta-llama-Llama-3.3-70B-Instruct': 'llama',
  'mistralai-Mistral-Nemo-Instruct-2407': 'mistral',
};
/** Templates that say nothing of tools get instructions of ours. */
const isGeneric = (name: string) => !(name in formOf);

describe.skipIf('skip' in reference)(
  `templates of publishers (${'skip' in reference ? reference.skip : 'all'})`,
  () => {
    it.each(names)('%s: text, tools, calls and results are all in the prompt', (name) => {
      expect(templateOf(name).form.name).toBe(formOf[name] ?? 'generic');
      const system = render(name, conversations['text']!);
      expect(system).toContain('Be brief.');
      expect(system).toContain('Où est l');
      const tools = render(name, conversations['tools']!);
      expect(tools).toContain('get_weather');
      expect(tools).toContain('Weather in Oslo?');
      for (const title of ['results', 'waiting']) {
        const text = render(name, conversations[title]!);
        for (const part of ['Oslo', 'cloudy', 'get_weather']) expect(text).toContain(part);
      }
      expect(render(name, conversations['waiting']!)).toContain('sunny');
    });

    it.each(names)('%s: a system text in the middle and turns in a row are all in the prompt', (name) => {
      const say = (role: 'user' | 'system' | 'assistant', text: string): TemplateMessage => ({
        role,
        content: [{ type: 'text', text }],
      });
      const messages = [
        say('user', 'first'),
        say('user', 'second'),
        say('assistant', 'third'),
        say('system', 'fourth'),
        say('user', 'fifth'),
      ];
      const text = templateOf(name).render({ messages, tools: [] }).pieces.join('');
      for (const part of ['first', 'second', 'third', 'fourth', 'fifth']) expect(text).toContain(part);
    });

    it.each(
      Object.entries(recorded).flatMap(([name, rows]) =>
        Object.entries(rows).map(([title, row]) => ({ name, title, row })),
      ),
    )('$name renders "$title" as Jinja2 itself does', ({ name, title, row }) => {
      const conversation = conversations[title]!;
      if ('refused' in row) {
        // Told in other words, so that the template takes it.
        expect(render(name, conversation)).toContain(String(conversation.messages.at(-1)!.content).trim());
        return;
      }
      const text = render(name, conversation);
      const hasCalls = conversation.messages.some(({ role }) => role === 'tool');
      if ((conversation.tools && isGeneric(name)) || (hasCalls && name.startsWith('LFM2'))) {
        // The template leaves tools or calls out; we do not.
        expect(sha256(text)).not.toBe(row.sha256);
      } else expect(sha256(text), text).toBe(row.sha256);
    });

    it('are compared with Jinja2 in at least ten cases', () => {
      expect(Object.keys(recorded).length).toBeGreaterThanOrEqual(10);
    });
  },
);

interface Renderings {
  /** What the clock says. */
  now: string;
  contexts: Record<string, unknown>[];
  renderings: { template: string; case: string; context: number; text?: string; error?: string }[];
}

describe.skipIf('skip' in reference || !existsSync(join(folder, '../renderings.json')))(
  'templates rendered with the variables of the reference implementation',
  () => {
    const path = join(folder, '../renderings.json');
    const { now, contexts, renderings }: Renderings = existsSync(path)
      ? JSON.parse(readFileSync(path, 'utf8'))
      : { now: '', contexts: [], renderings: [] };
    const files = [...new Set(renderings.map(({ template }) => template))];

    it.each(files)('%s: every text is the same, and every failure a failure', (file) => {
      const template = createTemplate(readFileSync(join(folder, file), 'utf8'));
      for (const row of renderings.filter((rendering) => rendering.template === file)) {
        const render = () => template.render(contexts[row.context]!, { now: new Date(now) });
        if (row.text !== undefined) expect(render(), row.case).toBe(row.text);
        else expect(render, `${row.case}: ${row.error}`).toThrow(JinjaError);
      }
    });
  },
);

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
