import type { ChatInput, ChatRequest } from '../core/chat.ts';
import type { ContentPart, MediaSource } from '../core/content.ts';
import type { EmbeddingRequest } from '../core/embedding.ts';
import { likelyThirdsOf, mostTokensOf } from './text-tokens.ts';

/** What stands around each message and each whole prompt: marks of roles, of the beginning and of the answer. */
const tokensPerMessage = 8;
const tokensPerPrompt = 16;
/** What a provider adds where there are tools (Anthropic: up to 346), and for each of its own, which the request only names. */
const tokensOfTooling = 400;
const tokensPerOwnTool = 1_000;
/** How what a request has is counted. */
interface Measure {
  text: (text: string) => number;
  image: number;
  page: number;
  /** Pages of a document that lies elsewhere. */
  unseenPages: number;
}

/** Where a document does not say how many pages it has, each takes at least so many bytes, and there are at most so many. */
const bytesPerPage = 3_072;
const mostPages = 600;
/**
 * An image has 4,784 tokens at most for Claude since Opus 4.7, 4,128 for Gemini with 3072 x 3072 pixels, 2,500 for GPT; GPT-4o mini
 * alone counts up to 48,000. A page is read as a text and as an image. Source: the providers' pages on vision and PDF, November 2026.
 */
const atMost: Measure = { text: mostTokensOf, image: 5_000, page: 5_000, unseenPages: mostPages };
/** What is usual; never for reservations. */
const likely: Measure = { text: (text) => likelyThirdsOf(text) / 3, image: 1_500, page: 2_500, unseenPages: 10 };
/** What limits of clients reckon with for an answer that its request does not bound; the rest counts once it is known. */
export const usualOutputTokens = 4_096;
/** Longest answer that is reckoned with where neither request nor model bounds it. */
const unboundedOutputTokens = 16_384;
/** Texts in a body that nobody here understands are taken for images and documents from so many characters of base64 on. */
const shortestMedia = 512;

/**
 * What the prompt of a request may take at most, in tokens, as far as can be told without its provider's vocabulary: for reservations in limits and
 * budgets, which are settled by what it did take.
 */
export function estimatePrompt(request: ChatRequest): number {
  return promptBy(atMost, request);
}

/** What it is likely to have taken, for bills where its provider did not come to say it. */
export function likelyPrompt(request: ChatRequest): number {
  return Math.ceil(promptBy(likely, request));
}

/** The same of its answers. `maxOutputTokens`: most of one answer of the model; null: nobody knows. */
export function estimateOutput({ maxTokens, choices = 1 }: ChatRequest, maxOutputTokens: number | null): number {
  return (maxTokens ?? maxOutputTokens ?? unboundedOutputTokens) * choices;
}

/** The same of requests that are answered with vectors. */
export function estimateEmbedding({ inputs }: Pick<EmbeddingRequest, 'inputs'>): number {
  return inputs.reduce<number>((sum, input) => sum + tokensPerMessage + tokensOfPrompt(input, atMost), 0);
}

/** The same of any value: a request of another kind, a piece of JSON. */
export function estimateValue(value: unknown): number {
  return tokensPerPrompt + tokensOfValue(value, atMost);
}

function promptBy(measure: Measure, { original, onlyRelayed, input }: ChatRequest): number {
  const tokens = onlyRelayed && original ? tokensOfBody(original.body, measure) : tokensOfInput(input, measure);
  return tokensPerPrompt + tokens;
}

function tokensOfInput(input: ChatInput, measure: Measure): number {
  if (input.type === 'text') return tokensOfPrompt(input.prompt, measure) + measure.text(input.suffix ?? '');
  const messages = input.messages.reduce((sum, { content }) => sum + tokensPerMessage + sumOf(content, measure), 0);
  return messages + (input.tools.length === 0 ? 0 : tokensOfTools(input.tools, measure));
}

function tokensOfPrompt(prompt: string | readonly number[], measure: Measure): number {
  return typeof prompt === 'string' ? measure.text(prompt) : prompt.length;
}

/** As JSON: names of fields are tokens, too. */
function tokensOfTools(tools: readonly object[], measure: Measure): number {
  return tools.reduce((sum, tool) => sum + tokensPerMessage + tokensOfValue(tool, measure), tokensOfTooling);
}

function sumOf(parts: readonly ContentPart[], measure: Measure): number {
  return parts.reduce((sum, part) => sum + tokensOfPart(part, measure), 0);
}

function tokensOfPart(part: ContentPart, measure: Measure): number {
  switch (part.type) {
    case 'text':
      return measure.text(part.text);
    case 'reasoning':
      return measure.text(part.text) + measure.text(part.redactedData ?? '');
    case 'tool-call':
      return (
        tokensPerMessage +
        measure.text(part.name) +
        (part.argumentsText === undefined ? tokensOfValue(part.arguments, measure) : measure.text(part.argumentsText))
      );
    case 'tool-result':
      return tokensPerMessage + sumOf(part.content, measure);
    case 'document': {
      const words = measure.text(part.title ?? '') + measure.text(part.context ?? '');
      return (
        words + (part.source.type === 'text' ? measure.text(part.source.text) : tokensOfDocument(part.source, measure))
      );
    }
    case 'image':
      return measure.image;
    case 'opaque':
      return tokensOfValue(part.block, measure);
  }
}

/** One that lies elsewhere may have as many pages as any; no provider reads more than its model takes, which bounds it. */
function tokensOfDocument(source: MediaSource, { page, unseenPages }: Measure): number {
  return (source.type === 'bytes' ? pagesOf(source.base64) : unseenPages) * page;
}

/** As a PDF says itself, where that can be seen without unpacking it; else by its size. */
function pagesOf(base64: string): number {
  const bytes = Buffer.from(base64, 'base64').toString('latin1');
  const seen = bytes.match(/\/Type\s*\/Page(?![a-zA-Z])/g)?.length ?? 0;
  const said = /\/Linearized[^>]{0,200}?\/N\s+(\d{1,5})/.exec(bytes.slice(0, 2_048))?.[1];
  const pages = Math.max(seen, Number(said ?? 0)) || Math.ceil(bytes.length / bytesPerPage);
  return Math.min(mostPages, pages);
}

/** Of a body in its own dialect, of which only the places of tools are known here. */
function tokensOfBody(body: Readonly<Record<string, unknown>>, measure: Measure): number {
  const tools = Array.isArray(body['tools']) ? body['tools'] : [];
  // One that has a type and no schema is the provider's own, with a description that is in no request.
  const isOwn = (tool: unknown) =>
    typeof tool === 'object' &&
    tool !== null &&
    !['input_schema', 'parameters', 'function'].some((name) => name in tool);
  const tooling = tools.length === 0 ? 0 : tokensOfTooling + tokensPerOwnTool * tools.filter(isOwn).length;
  return tooling + tokensOfValue(body, measure);
}

/** Of JSON, marks and names included. */
function tokensOfValue(value: unknown, measure: Measure): number {
  if (typeof value === 'string') return 2 + tokensOfString(value, measure);
  if (typeof value === 'number') return String(value).length;
  if (typeof value !== 'object' || value === null) return 1;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + 1 + tokensOfValue(item, measure), 2);
  return Object.entries(value).reduce(
    (sum, [name, item]) =>
      sum + 4 + measure.text(name) + (isSealed(name, item) ? measure.text(item) : tokensOfValue(item, measure)),
    tokensPerMessage,
  );
}

/** Base64 that is no image. */
function isSealed(name: string, value: unknown): value is string {
  return typeof value === 'string' && (name === 'signature' || name === 'encrypted_content');
}

function tokensOfString(text: string, measure: Measure): number {
  if (text.length < shortestMedia) return measure.text(text);
  const start = text.startsWith('data:') ? text.indexOf(',') + 1 : 0;
  const head = text.slice(start, start + shortestMedia);
  // A run of letters and digits so long is no text in any language.
  if (!/^[A-Za-z0-9+/_-]{64,}={0,2}$/.test(head)) return measure.text(text);
  return head.startsWith('JVBERi') ? pagesOf(text.slice(start)) * measure.page : measure.image;
}
