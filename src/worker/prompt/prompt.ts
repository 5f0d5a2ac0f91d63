/** From a request to a task with a prompt. */
export { countPrompt, prepareTask, readTokens } from './requests.ts';
export { type ChatTemplate, createChatTemplate } from './template.ts';
export { createTemplateChoice, type TemplateChoice } from './template-choice.ts';
