import { AppError } from '../../../core/errors.ts';

const maxTemplateCharacters = 64 * 1024;

/**
 * A template of a body, if it is one that can be rendered. Chat templates here are Jinja, as GGUF files have them. Throws
 * `invalid_request` for one of Go, which names its values with a dot in front.
 */
export function jinjaTemplate(source: string): string {
  const refuse = (problem: string) =>
    new AppError('invalid_request', `"template" ${problem}.`, {
      field: 'template',
      fix: "Leave it out: the model's own is used. Or send a chat template in Jinja.",
    });
  if (source.length > maxTemplateCharacters) throw refuse(`is longer than ${maxTemplateCharacters} characters`);
  if (/\{\{-?\s*(?:[.$]|if\b|range\b|else\b|end\b|with\b|template\b|define\b|block\b)/.test(source)) {
    throw refuse("is one of Go's, which this server does not render");
  }
  return source;
}
