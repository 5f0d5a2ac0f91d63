/** From a request to a job with a prompt. */
export { countPrompt, prepareJob } from './requests.ts';
export { type ChatTemplate, createChatTemplate } from './template.ts';
