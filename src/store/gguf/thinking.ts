/** What templates write or ask for that let a model think before it answers. */
const signs = /<\/?(?:think|seed:think)>|\[\/?THINK\]|<\|channel\|?>|enable_thinking|reasoning_(?:content|effort)/;

/** Whether a chat template has a place for reasoning. */
export const hasReasoning = (template: string): boolean => signs.test(template);
